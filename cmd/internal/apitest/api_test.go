package apitest

import (
	"flag"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

var update = flag.Bool("update", false, "write the present API into testdata/api.txt")

const golden = "testdata/api.txt"

// TestAPI holds the exported API to the listing. A difference is shown line by line, with what to do.
func TestAPI(t *testing.T) {
	root, err := gosource.Root()
	require.NoError(t, err)
	have, err := List(root)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(have), 0o644))
		return
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	gone, added := compare(string(want), have)
	if len(gone)+len(added) == 0 {
		return
	}
	t.Errorf("the API of the public packages has changed:\n%s%s\n"+
		"If this is meant, write the change into CHANGELOG.md, for what is gone or different under "+
		"\"Changed\" with what to\n"+
		"write instead (docs/compatibility.md lists the versions that may do that), and run\n"+
		"    go test ./cmd/internal/apitest -update", lines("- ", gone), lines("+ ", added))
}

// compare returns the lines of which one listing has more than the other, each with its package.
func compare(want, have string) (gone, added []string) {
	w, h := qualified(want), qualified(have)
	for line := range strings.Lines(want) {
		if q := strings.TrimSpace(line); strings.HasPrefix(line, "package") && !strings.Contains(have, line) {
			gone = append(gone, q)
		}
	}
	for _, line := range w {
		if !slices.Contains(h, line) {
			gone = append(gone, line)
		}
	}
	for _, line := range h {
		if !slices.Contains(w, line) {
			added = append(added, line)
		}
	}
	return gone, added
}

// qualified returns the lines of a listing with the name of their package in front.
func qualified(listing string) []string {
	var out []string
	at := ""
	for line := range strings.Lines(listing) {
		if path, ok := strings.CutPrefix(line, "package "+gosource.ModulePath+"/"); ok {
			at = strings.TrimSpace(path)
			continue
		}
		out = append(out, at+": "+strings.TrimSpace(line))
	}
	return out
}

func lines(mark string, list []string) string {
	var b strings.Builder
	for _, l := range list {
		b.WriteString(mark + l + "\n")
	}
	return b.String()
}

// TestList covers every kind of declaration.
func TestList(t *testing.T) {
	const source = `package workload

type (
	Box[T any, K comparable] struct {
		A, B int ` + "`json:\"a\"`" + `
		Do func(x, y int) error
		hidden int
		*Other
	}
	Other = string
	Kind string
	Open interface { Close() error; Do(a, b int, rest ...string) (n int, err error); Other }
	Closed interface { only() }
	private struct{ X int }
)

const (
	One, two = 1, 2
	Typed Kind = "typed"
	Zero = iota
	Next
)

var Global, local int

func Make[T any](names []string, f func(a, b T) bool) (*Box[T, int], error) { return nil, nil }
func (b *Box[T, K]) Method(chan<- int) {}
func (private) Method() {}
func hidden() {}
`
	have, err := List(fstest.MapFS{
		"scenarios/workload/a.go":           {Data: []byte(source)},
		"scenarios/workload/b_windows.go":   {Data: []byte("package workload\nfunc Make2() {}\n")},
		"scenarios/workload/b_linux.go":     {Data: []byte("package workload\nfunc Make2() {}\n")},
		"scenarios/workload/a_test.go":      {Data: []byte("package workload\nfunc TestX() {}\n")},
		"scenarios/pve/haspec/a.go":         {Data: []byte("package haspec\nfunc X() {}\n")},
		"linearizability/internal/gen/a.go": {Data: []byte("package gen\nfunc X() {}\n")},
		"engine/totem/a.go":                 {Data: []byte("package totem\nfunc X() {}\n")},
	})
	require.NoError(t, err)
	require.Equal(t, `package github.com/holdfast-sim/holdfast/scenarios/workload
	const Next
	const One = 1
	const Typed Kind = "typed"
	const Zero = iota
	func (*Box[T, K]) Method(chan<- int)
	func Make2()
	func Make[T any]([]string, func(T, T) bool) (*Box[T, int], error)
	type Box struct, A int `+"`json:\"a\"`"+`
	type Box struct, B int `+"`json:\"a\"`"+`
	type Box struct, Do func(int, int) error
	type Box struct, embeds *Other
	type Box[T any, K comparable] struct
	type Closed interface
	type Closed interface, sealed: other modules cannot implement it
	type Kind string
	type Open interface
	type Open interface, Close() error
	type Open interface, Do(int, int, ...string) (int, error)
	type Open interface, embeds Other
	type Other = string
	var Global int
`, have)
}

func TestCompare(t *testing.T) {
	want := "package " + gosource.ModulePath + "/sim\n\tfunc A()\n\tfunc B()\n"
	have := "package " + gosource.ModulePath + "/sim\n\tfunc A()\n\tfunc B(int)\n"
	gone, added := compare(want, have)
	require.Equal(t, []string{"sim: func B()"}, gone)
	require.Equal(t, []string{"sim: func B(int)"}, added)
	gone, _ = compare(want, "")
	require.Len(t, gone, 3)
}

// TestCompatibilityNamesThePublicPackages holds docs/compatibility.md to the list that is compared.
func TestCompatibilityNamesThePublicPackages(t *testing.T) {
	root, err := gosource.Root()
	require.NoError(t, err)
	text, err := fs.ReadFile(root, "docs/compatibility.md")
	require.NoError(t, err)
	for _, p := range Public {
		require.Contains(t, string(text), "`"+p+"`")
	}
	for p := range notPublic {
		require.Contains(t, string(text), "`"+p+"`")
	}
}
