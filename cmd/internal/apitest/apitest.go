// Package apitest lists the exported API of the public packages, one line for each identifier with
// its signature, so that a test can hold it to the listing of the last version.
//
// It lists what docs/compatibility.md promises. It never judges whether a change is allowed.
package apitest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"io/fs"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

// Public are the folders of the public packages; a final /... stands for all folders below as well.
var Public = []string{
	"chaos", "chaos/chaostest", "cmd/cli", "engine/env/...", "engine/host/...", "linearizability/...",
	"reports/...", "scenarios/...", "sim", "sim/simtest",
}

// notPublic are folders below public ones that are not promised, each with its reason.
var notPublic = map[string]string{
	"engine/env/envtest/thorough": "what the tests of this module cost",
	"scenarios/nemesis":           "the interface between the fault driver and the two backends",
	"scenarios/pve":               "the adapter between engine and harness, which changes with the engine",
	"scenarios/testrun":           "what sim/simtest and chaos/chaostest share; tests use those",
}

// IsPublic reports whether a folder holds a public package.
func IsPublic(dir string) bool {
	if strings.Contains(dir+"/", "/internal/") {
		return false
	}
	for no := range notPublic {
		if strings.HasPrefix(dir+"/", no+"/") {
			return false
		}
	}
	return slices.ContainsFunc(Public, func(p string) bool {
		whole, below := strings.CutSuffix(p, "/...")
		return dir == whole || below && strings.HasPrefix(dir, whole+"/")
	})
}

// List returns the listing of a module: for each public package a line with its import path, and
// below it one line for each exported identifier, sorted.
func List(fsys fs.FS) (string, error) {
	files, err := gosource.Load(fsys)
	if err != nil {
		return "", err
	}
	packages := map[string][]string{}
	for _, f := range files {
		if f.Test || !IsPublic(f.Dir) {
			continue
		}
		l := lister{fileSet: f.Set}
		for _, d := range f.AST.Decls {
			l.addDeclaration(d)
		}
		packages[f.Dir] = append(packages[f.Dir], l.lines...)
	}
	var out strings.Builder
	dirs := make([]string, 0, len(packages))
	for dir := range packages {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		fmt.Fprintf(&out, "package %s/%s\n", gosource.ModulePath, dir)
		slices.Sort(packages[dir])
		for _, line := range slices.Compact(packages[dir]) { // files for different systems repeat lines
			fmt.Fprintf(&out, "\t%s\n", line)
		}
	}
	return out.String(), nil
}

// lister collects the lines of one file.
type lister struct {
	fileSet *token.FileSet
	lines   []string
}

func (l *lister) addLine(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *lister) addDeclaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		l.addFunction(d)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				l.addType(spec)
			case *ast.ValueSpec:
				l.addValues(d.Tok, spec)
			}
		}
	}
}

func (l *lister) addFunction(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		l.addLine("func %s%s%s", d.Name.Name, l.parameters(d.Type.TypeParams), l.signature(d.Type))
		return
	}
	receiver := l.sourceOf(d.Recv.List[0].Type)
	if ast.IsExported(strings.TrimPrefix(receiver, "*")) {
		l.addLine("func (%s) %s%s", receiver, d.Name.Name, l.signature(d.Type))
	}
}

// addValues lists constants and variables. The value of a constant is part of the API, unless it
// follows from its place in a group.
func (l *lister) addValues(tok token.Token, spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if !name.IsExported() {
			continue
		}
		line := tok.String() + " " + name.Name
		if spec.Type != nil {
			line += " " + l.sourceOf(spec.Type)
		}
		if tok == token.CONST && i < len(spec.Values) {
			line += " = " + l.sourceOf(spec.Values[i])
		}
		l.addLine("%s", line)
	}
}

func (l *lister) addType(spec *ast.TypeSpec) {
	name := spec.Name.Name
	if !spec.Name.IsExported() {
		return
	}
	head := "type " + name + l.parameters(spec.TypeParams)
	if spec.Assign.IsValid() {
		l.addLine("%s = %s", head, l.sourceOf(spec.Type))
		return
	}
	switch t := spec.Type.(type) {
	case *ast.StructType:
		l.addLine("%s struct", head)
		l.fields(name, t)
	case *ast.InterfaceType:
		l.addLine("%s interface", head)
		l.methods(name, t)
	default:
		l.addLine("%s %s", head, l.sourceOf(spec.Type))
	}
}

// fields lists a struct's exported fields with their tags, which name them in files.
func (l *lister) fields(of string, t *ast.StructType) {
	for _, f := range t.Fields.List {
		tag := ""
		if f.Tag != nil {
			tag = " " + f.Tag.Value
		}
		for _, name := range f.Names {
			if name.IsExported() {
				l.addLine("type %s struct, %s %s%s", of, name.Name, l.sourceOf(f.Type), tag)
			}
		}
		if len(f.Names) == 0 {
			l.addLine("type %s struct, embeds %s%s", of, l.sourceOf(f.Type), tag)
		}
	}
}

func (l *lister) methods(of string, t *ast.InterfaceType) {
	for _, m := range t.Methods.List {
		function, ok := m.Type.(*ast.FuncType)
		switch {
		case !ok:
			l.addLine("type %s interface, embeds %s", of, l.sourceOf(m.Type))
		case m.Names[0].IsExported():
			l.addLine("type %s interface, %s%s", of, m.Names[0].Name, l.signature(function))
		default:
			l.addLine("type %s interface, sealed: other modules cannot implement it", of)
		}
	}
}

// signature writes the types of parameters and results: their names are not part of the API.
func (l *lister) signature(t *ast.FuncType) string {
	out := "(" + l.types(t.Params) + ")"
	switch results := l.types(t.Results); {
	case results == "":
	case strings.Contains(results, ", "):
		out += " (" + results + ")"
	default:
		out += " " + results
	}
	return out
}

func (l *lister) types(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var types []string
	for _, f := range list.List {
		for range max(len(f.Names), 1) {
			types = append(types, l.sourceOf(f.Type))
		}
	}
	return strings.Join(types, ", ")
}

// parameters writes type parameters with their constraints.
func (l *lister) parameters(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var out []string
	for _, f := range list.List {
		for _, name := range f.Names {
			out = append(out, name.Name+" "+l.sourceOf(f.Type))
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// sourceOf writes a node on one line.
func (l *lister) sourceOf(n ast.Node) string {
	if f, ok := n.(*ast.FuncType); ok {
		return "func" + l.signature(f)
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), n); err != nil {
		return fmt.Sprintf("cannot be written: %v", err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
