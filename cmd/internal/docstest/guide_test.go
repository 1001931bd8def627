package docstest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

const guide = "docs/writing-a-scenario.md"

// TestGuideKnowsTheEngine: every key that the engine reads under subject is in the guide, and the
// guide's examples for it are accepted.
func TestGuideKnowsTheEngine(t *testing.T) {
	_, docs := documents(t)
	for _, spec := range []any{pve.Spec{}, haspec.Spec{}} {
		for i := range reflect.TypeOf(spec).NumField() {
			key, _, _ := strings.Cut(reflect.TypeOf(spec).Field(i).Tag.Get("yaml"), ",")
			require.Contains(t, docs[guide], "`"+key+"`")
		}
	}
	accepted := 0
	for _, b := range blocks(docs[guide]) {
		text := b.Text()
		if b.Language != "yaml" || !strings.Contains(text, "kind: pve") {
			continue
		}
		if !strings.Contains(text, "name:") {
			text = "name: example\nstory: s\n" + text
		}
		_, _, err := scenarios.Parse("example.yaml", []byte(text), scenarios.Kinds{pve.Kind: pve.Decode})
		require.NoError(t, err, text)
		accepted++
	}
	require.Greater(t, accepted, 1)
}
