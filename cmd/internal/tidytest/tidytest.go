// Package tidytest holds the rules about files as such: sizes, package comments, words that have
// no place in a finished text, and tests that are skipped without a reason. Its test looks at
// every file of the module.
//
// It never looks at what code does.
package tidytest

import (
	"bytes"
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

// Limits.
const (
	MaxFileLines     = 500
	MaxFunctionLines = 70
	MaxColumns       = 110 // a tab counts as four
)

// Exceptions are functions (as folder.Type.Function) and files that may be longer, each with its
// reason. An exception that is no longer needed is a problem itself.
type Exceptions map[string]string

// Excepted are the exceptions of this module.
var Excepted = Exceptions{
	"engine/corosync.TestTypedValues":           "one table of values",
	"engine/ha/conformance.drawScenario":        "one draw of a whole story, in the order of the story",
	"engine/totem columns":                      "four lines of its tests, until the next change of them",
	"cmd/ha-manager.TestADeviceIsNeeded":        "one story of a device, in order",
	"cmd/ha-manager.TestStatusSurvivesDamage":   "one table of damaged files",
	"linearizability/models.TestStoreSemantics": "one table of operations",
	"scenarios/fault.TestValidate":              "one table of faults",
	"engine/fence/job.go words":                 "the reason is part of the status that nodes store",

	"engine/store":           "its stages share messages, state and schema; DESIGN.md gives the reasons",
	"linearizability/models": "one specification a file, behind one list of names",
	"linearizability":        "certificate, search and explanation of one verdict, behind one function",

	"engine/corosync.Config":          "one method for each setting of corosync.conf that has a default",
	"engine/ha/conformance.daemonEnv": "implements the environments of CRM and LRM",
	"engine/ha/conformance.world":     "implements what a recorded cluster offers to both managers",
	"engine/ha/haproc.storeEnv":       "implements the environments of CRM and LRM",
	"engine/ha/lrm.LRM":               "one state machine: every transition may touch all of its state",
	"engine/ha/manager.Manager":       "one state machine: every transition may touch all of its state",
	"engine/quorum.Votequorum":        "one state machine: every transition may touch all of its state",
	"engine/resource.Host":            "one state machine: every transition may touch all of its state",
	"engine/store/tree.Tree":          "one method for each operation on the tree",
	"engine/totem.Node":               "one state machine: every transition may touch all of its state",
	"linearizability.certificate":     "one replay; its steps share the position in the order",
	"sim/world.Proc":                  "implements the env interface",
}

// Check returns what is wrong with the module's files.
func Check(fsys fs.FS, files []*gosource.File, excepted Exceptions) ([]string, error) {
	var problems []string
	used := map[string]bool{}
	for _, f := range files {
		problems = append(problems, checkFile(f, excepted, used)...)
	}
	problems = append(problems, checkPackages(files)...)
	problems = append(problems, checkShape(files, excepted, used)...)
	problems = append(problems, checkFuzz(files, excepted, used)...)
	err := gosource.Walk(fsys, func(name string) error {
		if !isTextFile(name) {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		problems = append(problems, checkWords(name, data, excepted, used)...)
		return err
	})
	problems = append(problems, checkExceptions(excepted, used)...)
	return problems, err
}

func checkFile(f *gosource.File, excepted Exceptions, used map[string]bool) []string {
	var problems []string
	lines := bytes.Count(f.Text, []byte("\n"))
	if lines > MaxFileLines {
		used[f.Path] = true
		if excepted[f.Path] == "" {
			problems = append(problems,
				fmt.Sprintf("%s: %d lines; at most %d: one concept a file", f.Path, lines, MaxFileLines))
		}
	}
	if ast.IsGenerated(f.AST) {
		return problems
	}
	for _, d := range f.AST.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		length := f.Set.Position(fn.End()).Line - f.Set.Position(fn.Pos()).Line + 1
		if length <= MaxFunctionLines {
			continue
		}
		name := f.Dir + "." + functionName(fn)
		used[name] = true
		if excepted[name] == "" {
			problems = append(problems,
				fmt.Sprintf("%s: %s has %d lines; at most %d: split it, or name it in tidytest with a reason",
					f.Pos(fn.Pos()), name, length, MaxFunctionLines))
		}
	}
	problems = append(problems, checkNames(f)...)
	problems = append(problems, checkDocs(f)...)
	return append(problems, checkColumns(f, excepted, used)...)
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch of := t.(type) {
		case *ast.StarExpr:
			t = of.X
		case *ast.IndexExpr:
			t = of.X
		case *ast.Ident:
			return of.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

// checkColumns reports the first line that is too wide, in tests beside text of raw strings and the expected
// output of examples. Exceptions name a folder as "folder columns".
func checkColumns(f *gosource.File, excepted Exceptions, used map[string]bool) []string {
	verbatim := verbatimLines(f)
	for i, line := range bytes.Split(f.Text, []byte("\n")) {
		width := len([]rune(string(line))) + 3*bytes.Count(line, []byte("\t"))
		if width <= MaxColumns || verbatim[i+1] {
			continue
		}
		name := f.Dir + " columns"
		used[name] = true
		if excepted[name] != "" {
			return nil
		}
		return []string{fmt.Sprintf("%s:%d: %d columns; at most %d", f.Path, i+1, width, MaxColumns)}
	}
	return nil
}

// verbatimLines returns the numbers of the lines of a test that hold a part of a raw string, or of a comment
// with the expected output of an example.
func verbatimLines(f *gosource.File) map[int]bool {
	lines := map[int]bool{}
	add := func(n ast.Node) {
		for l := f.Set.Position(n.Pos()).Line; l <= f.Set.Position(n.End()).Line; l++ {
			lines[l] = true
		}
	}
	if !f.Test {
		return lines
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(lit.Value, "`") {
			add(lit)
		}
		return true
	})
	for _, c := range f.AST.Comments {
		if text := strings.ToLower(c.Text()); strings.Contains(text, "output:\n") {
			add(c)
		}
	}
	return lines
}

// checkPackages wants exactly one package comment a package, in the usual form, and a reason for
// every skipped test.
func checkPackages(files []*gosource.File) []string {
	var problems []string
	comments := map[string][]string{}
	for _, f := range files {
		if f.Test {
			problems = append(problems, checkSkips(f)...)
			continue
		}
		if _, seen := comments[f.Dir]; !seen {
			comments[f.Dir] = nil
		}
		if f.AST.Doc == nil {
			continue
		}
		comments[f.Dir] = append(comments[f.Dir], f.Path)
		text, want := f.AST.Doc.Text(), "Package "+f.AST.Name.Name+" "
		if f.AST.Name.Name == "main" {
			want = "Command " + path.Base(f.Dir) + " "
		}
		if !strings.HasPrefix(text, want) {
			problems = append(problems, fmt.Sprintf("%s: the package comment begins %q; begin it with %q",
				f.Pos(f.AST.Doc.Pos()), firstWords(text), want))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		if n := len(comments[dir]); n != 1 {
			problems = append(problems,
				fmt.Sprintf(
					"%s: %d package comments %v; write exactly one: what it is for, and what it never does",
					dir, n, comments[dir]))
		}
	}
	return problems
}

func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), 3)], " ")
}

// checkSkips wants a reason wherever a test leaves itself out.
func checkSkips(f *gosource.File) []string {
	var problems []string
	ast.Inspect(f.AST, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		fn, ok := call.Fun.(*ast.SelectorExpr)
		if ok && (fn.Sel.Name == "SkipNow" || fn.Sel.Name == "Skip" && len(call.Args) == 0) {
			problems = append(problems,
				f.Pos(call.Pos())+": this test is skipped without a reason; name what it needs")
		}
		return true
	})
	return problems
}

func checkExceptions(excepted Exceptions, used map[string]bool) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(excepted)) {
		if !used[name] {
			problems = append(problems,
				name+": is excepted in tidytest and need not be; remove the exception")
		}
	}
	return problems
}
