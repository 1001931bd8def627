package tidytest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

// Limits of packages and types.
const (
	MaxPackageLines = 2500 // lines of a package that hold code, tests excluded
	MaxMethods      = 20   // of one type
)

// checkShape reports packages and types that hold more than one concept. Exceptions name a package by its
// folder and a type as folder.Type.
func checkShape(files []*gosource.File, excepted Exceptions, used map[string]bool) []string {
	var problems []string
	lines, methods := map[string]int{}, map[string]int{}
	for _, f := range files {
		if f.Test || ast.IsGenerated(f.AST) {
			continue
		}
		lines[f.Dir] += codeLines(f)
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				typeName, _, _ := strings.Cut(functionName(fn), ".")
				methods[f.Dir+"."+typeName]++
			}
		}
	}
	report := func(name, problem string) {
		used[name] = true
		if excepted[name] == "" {
			problems = append(problems, problem)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(lines)) {
		if n := lines[dir]; n > MaxPackageLines {
			report(dir, fmt.Sprintf(
				"%s: %d lines of code; at most %d a package: give a concept of it a package of its own",
				dir, n, MaxPackageLines))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if n := methods[name]; n > MaxMethods {
			report(name, fmt.Sprintf(
				"%s: %d methods; at most %d a type: divide it by stage", name, n,
				MaxMethods))
		}
	}
	return problems
}

// codeLines counts the lines of a file on which a token stands that is no comment.
func codeLines(f *gosource.File) int {
	set := token.NewFileSet()
	file := set.AddFile(f.Path, -1, len(f.Text))
	var s scanner.Scanner
	s.Init(file, f.Text, nil, 0)
	n, last := 0, 0
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return n
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue
		}
		first := file.Line(pos)
		end := first + bytes.Count([]byte(lit), []byte("\n"))
		n += max(0, end-max(first, last+1)+1)
		last = max(last, end)
	}
}
