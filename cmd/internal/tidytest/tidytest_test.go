package tidytest

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

func TestModule(t *testing.T) {
	root, err := gosource.Root()
	require.NoError(t, err)
	files, err := gosource.Load(root)
	require.NoError(t, err)
	problems, err := Check(root, files, Excepted)
	require.NoError(t, err)
	for _, problem := range problems {
		t.Error(problem)
	}
}

// TestPlanted puts one flaw of each sort into a module that is otherwise tidy.
func TestPlanted(t *testing.T) {
	body := func(lines int) string {
		return "package x\n\nfunc f() {\n" + strings.Repeat("\tf()\n", lines) +
			"}\n"
	}
	for _, c := range []struct{ file, code, want string }{
		{"a/x.go", "package x\n" + strings.Repeat("\n", MaxFileLines), "a/x.go: 501 lines"},
		{"a/x.go", body(MaxFunctionLines - 1), "a/x.go:3: a.f has 71 lines"},
		{"a/x.go", strings.Replace(body(MaxFunctionLines), "func f", "func (t *T[E]) f", 1),
			"a.T.f has 72 lines"},
		{"a/x.go", "package x\n\nvar x = `" + strings.Repeat("x", MaxColumns) + "`\n",
			"a/x.go:3: 120 columns"},
		{"a/x_test.go", "package x\n\nvar _ = \"" + strings.Repeat("x", MaxColumns) + "\"\n",
			"a/x_test.go:3: 120 columns"},
		{"a/x.go", "// Package x is here again.\npackage x\n", "a: 2 package comments"},
		{"b/x.go", "package x\n", "b: 0 package comments"},
		{"b/x.go", "// This does things.\npackage x\n",
			`b/x.go:1: the package comment begins "This does things."; begin it with "Package x "`},
		{"cmd/b/x.go", "// Package main does things.\npackage main\n", `begin it with "Command b "`},
		{"a/x_test.go", "package x\n\nfunc f(t T) { t.Skip() }\n",
			"a/x_test.go:3: this test is skipped without a reason"},
		{"a/x_test.go", "package x\n\nfunc f(t T) { t.SkipNow() }\n", "skipped without a reason"},
		{"docs/x.md", "Later.\n" + bannedWords[0].word + "\n", "docs/x.md:2: "},
		{"a/x.yaml", "path: " + bannedWords[3].word + "main\n", "paths of one machine"},
		{"docs/x.md", "It is kept for " + "ever.\n", "say it plainly: write always, forever or indefinitely"},
		{"a/x.go", "package x\n\n// f says" + " whether it rains.\nfunc f() {}\n", "a/x.go:3: \"says" +
			" whether\""},
		{"a/x.go", "package x\n\n// It rains.\nfunc f() {}\n",
			`a/x.go:3: the comment of f begins "It rains."`},
		{"a/x.go", "package x\n\n// limit: no more.\nconst limit = 1\n",
			`the comment of limit begins "limit: no more."`},
		{"a/x.go", "package x\n\nconst (\n\tA Kind = \"power_cut\"\n\tB Kind = \"kill\"\n)\n",
			`a/x.go:4: the name of this kind is "power_cut"`},
		{"a/x.go", "package x\n\nconst A fault.Kind = \"Power cut\"\n", `"Power cut"; programs read it`},
		{"a/x.go", "package x\n\nfunc (R) RecordKind() string { return \"ring.formed\" }\n",
			`this record is "ring.formed"`},
		{"a/x.go", "package x\n\nvar v = Verdict{Checker: \"one Order\"}\n", `this checker is "one Order"`},
		{"a/x.go", "package x\n\nfunc f(e Env) { e.Probe(\"a/b/c\") }\n", `this probe is "a/b/c"`},
		{"a/x.go", "package x\n" + strings.Repeat("\nfunc (T) f() {}\n", MaxMethods+1), "a.T: 21 methods"},
		{"a/x.go", "package x\n\nfunc ParsePacket() {}\n", "a/x.go:3: ParsePacket decodes what others wrote"},
	} {
		problems := check(t, c.file, c.code, nil)
		require.Len(t, problems, 1, "%s:\n%s", c.file, c.code)
		require.Contains(t, problems[0], c.want)
	}
}

func TestAllowed(t *testing.T) {
	for _, c := range []struct{ file, code string }{
		{"a/x.go", "package x\n"},
		{"a/x_test.go", "package x_test\n\nfunc f(t T) { t.Skip(\"needs root\") }\n"},
		{"cmd/b/x.go", "// Command b does things.\npackage main\n"},
		{"picture.png", bannedWords[0].word},
		{"a/x.go", "package x\n\n// A T is one.\ntype T int\n\n// f's limits.\nconst f = 1\n"},
		{"a/x.go", "package x\n\nfunc f(e Env) { e.Probe(\"store/ring-entered-late\") }\n"},
		{"a/x.go", "package x\n\nfunc (R) RecordKind() string { return \"ring-formed\" }\n"},
		{"a/x_test.go", "package x\n\nfunc FuzzParse() {}\n"},
		{"a/testdata/x.txt", bannedWords[0].word},
		{"a/x_test.go", "package x\n\nvar _ = `" + strings.Repeat("x", MaxColumns) + "`\n"},
	} {
		require.Empty(t, check(t, c.file, c.code, nil), "%s:\n%s", c.file, c.code)
	}
}

func TestExceptionsMustBeNeeded(t *testing.T) {
	excepted := Exceptions{"a.g": "planted"}
	require.Equal(t, []string{"a.g: is excepted in tidytest and need not be; remove the exception"},
		check(t, "a/x.go", "package x\n", excepted))
	long := fmt.Sprintf("package x\n\nfunc g() {%s}\n", strings.Repeat("\n", MaxFunctionLines))
	require.Empty(t, check(t, "a/x.go", long, excepted))
}

func check(t *testing.T, file, code string, excepted Exceptions) []string {
	fsys := fstest.MapFS{file: {Data: []byte(code)},
		"a/doc.go": {Data: []byte("// Package x is the sound part.\npackage x\n")}}
	files, err := gosource.Load(fsys)
	require.NoError(t, err)
	problems, err := Check(fsys, files, excepted)
	require.NoError(t, err)
	return problems
}

// TestAPackageThatIsTooLarge spreads code over two files, so that only their sum is too large.
func TestAPackageThatIsTooLarge(t *testing.T) {
	var parts []*gosource.File
	for i, lines := range []int{MaxPackageLines / 2, MaxPackageLines/2 + 1} {
		name := fmt.Sprintf("a/x%d.go", i)
		code := "// A comment counts nothing.\npackage x\n\n" + strings.Repeat("var _ = `two\nlines`\n",
			lines/2)
		files, err := gosource.Load(fstest.MapFS{name: {Data: []byte(code)}})
		require.NoError(t, err)
		parts = append(parts, files...)
	}
	require.Empty(t, checkShape(parts[:1], nil, map[string]bool{}))
	problems := checkShape(parts, nil, map[string]bool{})
	require.Equal(t,
		[]string{"a: 2502 lines of code; at most 2500 a package: give a concept of it a package of its own"},
		problems)
}
