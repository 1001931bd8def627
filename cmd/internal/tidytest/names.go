package tidytest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

// kebab is the grammar of every name that a program reads: violations, records, checkers, faults.
var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// probeName is a kebab-case name, with the area that it belongs to before a slash.
var probeName = regexp.MustCompile(`^([a-z0-9]+(-[a-z0-9]+)*/)?[a-z0-9]+(-[a-z0-9]+)*$`)

// checkNames reports machine-readable names that are not kebab-case: constants of a type Kind, what
// RecordKind returns, checkers of verdicts, probes.
func checkNames(f *gosource.File) []string {
	if f.Test {
		return nil
	}
	var problems []string
	report := func(what string, lit *ast.BasicLit, grammar *regexp.Regexp) {
		if lit == nil || lit.Kind != token.STRING {
			return
		}
		name, err := strconv.Unquote(lit.Value)
		if err == nil && name != "" && !grammar.MatchString(name) {
			problems = append(problems, fmt.Sprintf(
				"%s: the name of this %s is %q; programs read it, so write it in kebab-case",
				f.Pos(lit.Pos()), what, name))
		}
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			if n.Tok == token.CONST {
				kindConstants(n, func(lit *ast.BasicLit) { report("kind", lit, kebab) })
			}
		case *ast.FuncDecl:
			if n.Recv != nil && n.Name.Name == "RecordKind" && n.Body != nil {
				for _, stmt := range n.Body.List {
					if ret, ok := stmt.(*ast.ReturnStmt); ok && len(ret.Results) == 1 {
						lit, _ := ret.Results[0].(*ast.BasicLit)
						report("record", lit, kebab)
					}
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Checker" {
				lit, _ := n.Value.(*ast.BasicLit)
				report("checker", lit, kebab)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.SelectorExpr); ok && fn.Sel.Name == "Probe" && len(n.Args) > 0 {
				lit, _ := n.Args[0].(*ast.BasicLit)
				report("probe", lit, probeName)
			}
		}
		return true
	})
	return problems
}

// kindConstants visits the values of constants whose type is called Kind.
func kindConstants(d *ast.GenDecl, visit func(*ast.BasicLit)) {
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for _, value := range v.Values {
			switch of := v.Type.(type) {
			case *ast.Ident:
				if of.Name != "Kind" {
					continue
				}
			case *ast.SelectorExpr:
				if of.Sel.Name != "Kind" {
					continue
				}
			default:
				continue
			}
			if lit, ok := value.(*ast.BasicLit); ok {
				visit(lit)
			}
		}
	}
}

// checkDocs reports doc comments that do not begin with the name of what they document.
func checkDocs(f *gosource.File) []string {
	if f.Test || ast.IsGenerated(f.AST) {
		return nil
	}
	var problems []string
	check := func(name *ast.Ident, doc *ast.CommentGroup) {
		if doc == nil || name.Name == "_" || name.Name == "main" || name.Name == "init" {
			return
		}
		text := doc.Text()
		if text == "" { // a directive
			return
		}
		for _, article := range []string{"A ", "An ", "The "} {
			text = strings.TrimPrefix(text, article)
		}
		first, _, _ := strings.Cut(strings.ReplaceAll(text, "\n", " "), " ")
		if strings.TrimRight(first, ",;") != name.Name && first != name.Name+"'s" {
			problems = append(problems,
				fmt.Sprintf("%s: the comment of %s begins %q; write a sentence that begins with the name",
					f.Pos(doc.Pos()), name.Name, firstWords(text)))
		}
	}
	for _, d := range f.AST.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			check(d.Name, d.Doc)
		case *ast.GenDecl:
			if d.Lparen.IsValid() || len(d.Specs) != 1 {
				continue // the comment of a group is about the group
			}
			switch spec := d.Specs[0].(type) {
			case *ast.TypeSpec:
				check(spec.Name, d.Doc)
			case *ast.ValueSpec:
				if len(spec.Names) == 1 {
					check(spec.Names[0], d.Doc)
				}
			}
		}
	}
	return problems
}
