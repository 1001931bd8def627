package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

var threeNodes = []string{"a", "b", "c"}

func parse(t require.TestingT, text string) Set {
	parsed, problems, err := config.ParseRules(text)
	require.NoError(t, err)
	require.Empty(t, problems)
	return Set(parsed)
}

func pair(id, affinity, resources string) string {
	return "resource-affinity: " + id + "\n\taffinity " + affinity + "\n\tresources " + resources + "\n\n"
}

func at(id, nodes, resources string) string {
	return "node-affinity: " + id + "\n\tnodes " + nodes + "\n\tresources " + resources + "\n\tstrict 1\n\n"
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]string
	}{
		"fine": {pair("pp", "positive", "vm:1,vm:2") + at("nn", "a", "vm:1"), nil},
		"reused": {at("nn", "a", "vm:1") + at("mm", "b", "vm:1"),
			map[string]string{"nn": "resource 'vm:1' is already used in another node affinity rule",
				"mm": "resource 'vm:1' is already used in another node affinity rule"}},
		"lonely": {pair("pp", "positive", "vm:1"), map[string]string{"pp": reasonTooFewServices}},
		"too many": {pair("nn", "negative", "vm:1,vm:2,vm:3,vm:4"),
			map[string]string{"nn": reasonTooManyServices}},
		"both ways": {pair("pp", "positive", "vm:1,vm:2") + pair("qq", "positive", "vm:2,vm:3") + pair("nn",
			"negative", "vm:1,vm:3"), map[string]string{"pp": reasonSharesNegative,
			"qq": reasonSharesNegative,
			"nn": reasonSharesPositive}},
		"priorities": {pair("pp", "positive", "vm:1,vm:2") + at("nn", "a:1,b", "vm:1"),
			map[string]string{"pp": reasonPriorities, "nn": reasonPriorityNode}},
		"torn": {pair("pp", "positive", "vm:1,vm:2") + at("nn", "a", "vm:1") + at("mm", "a", "vm:2"),
			map[string]string{"pp": reasonInSeveralNodeRules, "nn": reasonPartnersInNodeRules,
				"mm": reasonPartnersInNodeRules}},
		"crowded": {pair("pp", "negative", "vm:1,vm:2") + at("nn", "a", "vm:1,vm:2"),
			map[string]string{"pp": reasonTooFewNodes, "nn": reasonTooFewRuleNodes}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for _, problem := range Check(parse(t, c.text), threeNodes) {
				got[problem.RuleID] = problem.Reason
			}
			if c.want == nil {
				require.Empty(t, got)
				return
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestDisabledRulesCountNowhere(t *testing.T) {
	set := parse(t, pair("pp", "positive", "vm:1,vm:2")+
		"resource-affinity: nn\n\taffinity negative\n\tresources vm:1,vm:2\n\tdisable\n")
	out, dropped := Normalize(set, threeNodes)
	require.Empty(t, dropped)
	require.Contains(t, out, "nn")
	compiled := Compile(out, threeNodes)
	require.Empty(t, compiled.Apart)
	require.Equal(t, []string{"vm:2"}, compiled.Together["vm:1"])
}

func TestTransforms(t *testing.T) {
	set := parse(t, pair("xx", "positive", "vm:1,vm:2")+pair("yy", "positive", "vm:2,vm:3")+
		pair("nn", "negative", "vm:3,vm:9")+at("home", "a", "vm:1"))
	out, dropped := Normalize(set, threeNodes)
	require.Empty(t, dropped)
	require.Contains(t, out, "_merged-xx-yy")
	require.Equal(t, []string{"vm:1", "vm:2", "vm:3"}, out["home"].Resources)
	compiled := Compile(out, threeNodes)
	require.Equal(t, []string{"vm:1", "vm:2", "vm:3"}, compiled.Apart["vm:9"])
	require.Len(t, set, 4, "the input must stay as it was")
}

func TestNodesFor(t *testing.T) {
	compiled := Compile(parse(t, at("ss", "a:1,b:2,c:2", "vm:1")+
		"node-affinity: loose\n\tnodes b\n\tresources vm:2\n"), threeNodes)
	allowed, preferred := compiled.NodesFor("vm:1", threeNodes)
	require.Equal(t, threeNodes, allowed)
	require.Equal(t, []string{"b", "c"}, preferred)
	allowed, preferred = compiled.NodesFor("vm:1", []string{"d"})
	require.Empty(t, allowed)
	require.Empty(t, preferred)
	allowed, preferred = compiled.NodesFor("vm:2", []string{"a", "c"})
	require.Equal(t, []string{"a", "c"}, allowed)
	require.Equal(t, []string{"a", "c"}, preferred)
	_, preferred = compiled.NodesFor("vm:7", []string{"c", "a"})
	require.Equal(t, []string{"a", "c"}, preferred)
}

func TestAddGroups(t *testing.T) {
	groups, _, err := config.ParseGroups("group: used\n\tnodes a:1,b\n\trestricted 1\n\ngroup: idle\n" +
		"\tnodes c\n")
	require.NoError(t, err)
	services := map[string]*ha.ServiceConfig{"vm:1": {Group: "used"}, "vm:2": {Group: "absent"}, "vm:3": {}}
	out := AddGroups(Set{}, groups, services)
	require.Len(t, out, 1)
	rule := out["ha-group-used"]
	require.Equal(t, []string{"vm:1"}, rule.Resources)
	require.Equal(t, map[string]int{"a": 1, "b": 0}, rule.Nodes)
	require.True(t, rule.Strict.On())
}

func drawSet(t *rapid.T) Set {
	sids := []string{"vm:1", "vm:2", "vm:3", "vm:4", "vm:5", "vm:6"}
	set := Set{}
	for i := range rapid.IntRange(0, 8).Draw(t, "rules") {
		rule := &config.Rule{ID: "r" + string(rune('a'+i)), Order: i + 1, Kind: config.ResourceAffinity}
		rule.Resources = union(rapid.SliceOfNDistinct(rapid.SampledFrom(sids), 1, 4, rapid.ID[string]).Draw(t,
			"resources"), nil)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			rule.Kind = config.NodeAffinity
			rule.Nodes = map[string]int{}
			for _, node := range rapid.SliceOfNDistinct(rapid.SampledFrom(threeNodes), 1, 3,
				rapid.ID[string]).Draw(t, "nodes") {
				rule.Nodes[node] = rapid.IntRange(0, 1).Draw(t, "priority")
			}
			rule.Strict = config.FlagOf(rapid.Bool().Draw(t, "strict"))
		case 1:
			rule.Affinity = config.Negative
		default:
			rule.Affinity = config.Positive
		}
		rule.Disable = config.FlagOf(rapid.IntRange(0, 5).Draw(t, "disable") == 0)
		set[rule.ID] = rule
	}
	return set
}

func TestTransformsAreIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		once, _ := Normalize(drawSet(t), threeNodes)
		twice := once.Clone()
		transform(twice, positiveComponents)
		require.Equal(t, once, twice)
	})
}

func TestNormalizeIsDeterministicAndKeepsItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		before := set.Clone()
		first, firstDropped := Normalize(set, threeNodes)
		second, secondDropped := Normalize(set, threeNodes)
		require.Equal(t, before, set)
		require.Equal(t, first, second)
		require.Equal(t, firstDropped, secondDropped)
	})
}

// TestCompiledTablesAgree: affinity is mutual, no service is its own partner, and no two services are
// kept both together and apart.
func TestCompiledTablesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, _ := Normalize(drawSet(t), threeNodes)
		compiled := Compile(set, threeNodes)
		for name, table := range map[string]map[string][]string{"together": compiled.Together,
			"apart": compiled.Apart} {
			for sid, others := range table {
				require.NotContains(t, others, sid, name)
				for _, other := range others {
					require.Contains(t, table[other], sid, name)
				}
			}
		}
		for sid, others := range compiled.Together {
			require.Empty(t, intersection(others, compiled.Apart[sid]))
			for _, other := range others {
				require.Equal(t, compiled.Nodes[sid], compiled.Nodes[other],
					"partners have the same node rule")
			}
		}
	})
}
