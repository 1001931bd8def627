// Package gosource reads the Go files of a module for tests that look at the source itself.
//
// It follows no build tags, so that files for every system are seen, and never runs the go
// command.
package gosource

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ModulePath is the path of the module that this package belongs to.
const ModulePath = "github.com/holdfast-sim/holdfast"

// File is a parsed Go file.
type File struct {
	Path string // slash-separated, from the module's root
	Dir  string // the package's folder; "." for the root
	Test bool   // whether it is a test file
	AST  *ast.File
	Set  *token.FileSet
	Text []byte
}

// Pos writes a place as path:line.
func (f *File) Pos(p token.Pos) string { return fmt.Sprintf("%s:%d", f.Path, f.Set.Position(p).Line) }

// Imports lists what a file imports, each with its place.
func (f *File) Imports() map[string]token.Pos {
	out := map[string]token.Pos{}
	for _, spec := range f.AST.Imports {
		out[strings.Trim(spec.Path.Value, "`\"")] = spec.Pos()
	}
	return out
}

// Walk calls visit for every file of the module, in the order of their paths. Folders that belong
// to another module, that begin with a dot or an underscore, and testdata are left out.
func Walk(fsys fs.FS, visit func(name string) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return visit(name)
		}
		base := path.Base(name)
		if name == "." {
			return nil
		}
		if base == "testdata" || name == "runs" || name == "bin" ||
			strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
			return fs.SkipDir
		}
		if _, err := fs.Stat(fsys, path.Join(name, "go.mod")); err == nil {
			return fs.SkipDir
		}
		return nil
	})
}

// Load parses every Go file of a module.
func Load(fsys fs.FS) ([]*File, error) {
	var files []*File
	err := Walk(fsys, func(name string) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		f := &File{Path: name, Dir: path.Dir(name), Test: strings.HasSuffix(name, "_test.go"),
			Set: token.NewFileSet(), Text: text}
		f.AST, err = parser.ParseFile(f.Set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parsing %s: %w", name, err)
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// Root finds the module's folder above the present one.
func Root() (fs.FS, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the module: %w", err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module "+ModulePath+"\n") {
			return os.DirFS(dir), nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return nil, fmt.Errorf("finding the module: no go.mod of %s here or above", ModulePath)
		}
		dir = above
	}
}
