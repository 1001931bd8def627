package env_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// The set of events is closed: sim/world and engine/host must be able to deliver every event, and every
// event must have a rule in the package comment. A new event changes this list.
func TestEventSetIsClosed(t *testing.T) {
	want := []string{"Invoked", "LocalDown", "LocalMessage", "LocalUp", "Received", "TimerFired"}
	var have []string
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		require.NoError(t, err)
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.Name == "event" {
				have = append(have, fn.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	slices.Sort(have)
	require.Equal(t, want, have)
	for _, ev := range []env.Event{env.Received{}, env.TimerFired{}, env.LocalMessage{}, env.LocalUp{},
		env.LocalDown{}, env.Invoked{}} {
		require.NotNil(t, ev)
	}
}
