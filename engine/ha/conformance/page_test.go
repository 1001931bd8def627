package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// TestDifferencesArePublished: the page has exactly one row for each deliberate difference, with its text.
// -rewrite writes the rows.
func TestDifferencesArePublished(t *testing.T) {
	const page, head = "../../../docs/ha-decisions.md", "| id | strict | upstream |\n|---|---|---|\n"
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(data), head)
	require.True(t, found)
	table, after, found := strings.Cut(rest, "\n\n")
	require.True(t, found)
	var want []string
	seen := map[ha.Difference]bool{}
	for _, d := range ha.Differences() {
		require.False(t, seen[d.ID], d.ID)
		seen[d.ID] = true
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", d.ID, d.Strict, d.Upstream))
	}
	if *rewrite {
		table = strings.Join(want, "\n")
		require.NoError(t, os.WriteFile(page, []byte(before+head+table+"\n\n"+after), 0o644))
	}
	require.Equal(t, strings.Join(want, "\n"), table)
}
