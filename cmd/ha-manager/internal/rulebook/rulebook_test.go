package rulebook

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

func parse(t *testing.T, text string) rules.Set {
	all, problems, err := config.ParseRules(text)
	require.NoError(t, err)
	require.Empty(t, problems)
	return all
}

// TestGroupsCountAsRules, because the master makes rules of them.
func TestGroupsCountAsRules(t *testing.T) {
	b := &Book{Rules: parse(t, "node-affinity: home\n\tresources vm:10\n\tnodes n1\n"),
		Nodes:    []string{"n1", "n2"},
		Groups:   map[string]*config.Group{"first": {ID: "first", Nodes: map[string]int{"n2": 0}}},
		Services: map[string]*ha.ServiceConfig{"vm:10": {Group: "first"}}}
	rows := b.Rows("d")
	require.Len(t, rows, 2)
	for _, row := range rows {
		require.Equal(t, Ignored, row.State, row.Rule)
		require.True(t, row.Has("vm:10"))
	}
	require.Error(t, b.CheckFeasible(b.Rules, "home"))
}

// TestLosses: the rules that a change takes out of force, and only those.
func TestLosses(t *testing.T) {
	const home, pair = "node-affinity: home\n\tresources vm:10\n\tnodes n1:2,n2\n\n",
		"resource-affinity: pair\n\tresources vm:10,vm:11\n\taffinity positive\n"
	b := &Book{Rules: parse(t, home), Nodes: []string{"n1", "n2"}}
	require.Empty(t, b.Losses(b.Rules))
	losses := b.Losses(parse(t, home+pair))
	require.Len(t, losses, 1)
	require.Contains(t, losses[0], "rule 'home' is no longer in force: ")
}
