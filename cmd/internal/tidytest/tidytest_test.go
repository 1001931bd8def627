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
	body := func(lines int) string { return "package x\n\nfunc f() {\n" + strings.Repeat("\tf()\n", lines) + "}\n" }
	for _, c := range []struct{ file, code, want string }{
		{"a/x.go", "package x\n" + strings.Repeat("\n", MaxFileLines), "a/x.go: 501 lines"},
		{"a/x.go", body(MaxFunctionLines - 1), "a/x.go:3: a.f has 71 lines"},
		{"a/x.go", strings.Replace(body(MaxFunctionLines), "func f", "func (t *T[E]) f", 1), "a.T.f has 72 lines"},
		{"a/x.go", "package x\n\nvar x = `" + strings.Repeat("x", MaxColumns) + "`\n", "a/x.go:3: 170 columns"},
		{"a/x.go", "// Package x is here again.\npackage x\n", "a: 2 package comments"},
		{"b/x.go", "package x\n", "b: 0 package comments"},
		{"b/x.go", "// This does things.\npackage x\n", `b/x.go:1: the package comment begins "This does things."; begin it with "Package x "`},
		{"cmd/b/x.go", "// Package main does things.\npackage main\n", `begin it with "Command b "`},
		{"a/x_test.go", "package x\n\nfunc f(t T) { t.Skip() }\n", "a/x_test.go:3: this test is skipped without a reason"},
		{"a/x_test.go", "package x\n\nfunc f(t T) { t.SkipNow() }\n", "skipped without a reason"},
		{"docs/x.md", "Later.\n" + bannedWords[0].word + "\n", "docs/x.md:2: "},
		{"a/x.yaml", "path: " + bannedWords[3].word + "main\n", "paths of one machine"},
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
		{"a/testdata/x.txt", bannedWords[0].word},
	} {
		require.Empty(t, check(t, c.file, c.code, nil), "%s:\n%s", c.file, c.code)
	}
}

func TestExceptionsMustBeNeeded(t *testing.T) {
	excepted := Exceptions{"a.g": "planted"}
	require.Equal(t, []string{"a.g: is excepted in tidytest and need not be; remove the exception"}, check(t, "a/x.go", "package x\n", excepted))
	long := fmt.Sprintf("package x\n\nfunc g() {%s}\n", strings.Repeat("\n", MaxFunctionLines))
	require.Empty(t, check(t, "a/x.go", long, excepted))
}

func check(t *testing.T, file, code string, excepted Exceptions) []string {
	fsys := fstest.MapFS{file: {Data: []byte(code)}, "a/doc.go": {Data: []byte("// Package x is the sound part.\npackage x\n")}}
	files, err := gosource.Load(fsys)
	require.NoError(t, err)
	problems, err := Check(fsys, files, excepted)
	require.NoError(t, err)
	return problems
}
