package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

const someRules = `# a comment
node-affinity: db-home
	comment two fast nodes
	nodes alpha:2,beta
	resources vm:1,vm:2
	strict 1

resource-affinity: apart
	affinity negative
	resources vm:1,ct:3
	disable
`

func TestParseRules(t *testing.T) {
	rules, problems, err := config.ParseRules(someRules)
	require.NoError(t, err)
	require.Empty(t, problems)
	home, apart := rules["db-home"], rules["apart"]
	require.Equal(t, map[string]int{"alpha": 2, "beta": 0}, home.Nodes)
	require.True(t, home.Strict.On())
	require.True(t, home.Enabled())
	require.True(t, home.Has("vm:2"))
	require.False(t, home.Has("vm:3"))
	require.Equal(t, 1, home.Order)
	require.Equal(t, []string{"ct:3", "vm:1"}, apart.Resources)
	require.Equal(t, config.Negative, apart.Affinity)
	require.False(t, apart.Enabled())
	require.Equal(t, config.FlagUnset, apart.Strict)
	require.Equal(t, 2, apart.Order)
}

func TestParseRulesReportsWhatItSkips(t *testing.T) {
	for name, c := range map[string]struct{ text, problem string }{
		"property first": {"\tnodes a\n", "line 1: section header expected"},
		"no header":      {"hello\n\tnodes a\n", "line 1: section header expected"},
		"unknown type":   {"order: xx\n\tresources vm:1\n", "unknown type order"},
		"unknown property": {"resource-affinity: xx\n\tcolour red\n\taffinity positive\n\tresources vm:1\n",
			"colour"},
		"no affinity": {"resource-affinity: xx\n\tresources vm:1\n", "affinity is missing"},
		"no nodes":    {"node-affinity: xx\n\tresources vm:1\n", "nodes is missing"},
		"bad affinity": {"resource-affinity: xx\n\tresources vm:1\n\taffinity loose\n",
			"neither positive nor negative"},
		"bad priority": {"node-affinity: xx\n\tresources vm:1\n\tnodes a:high\n", "node:priority"},
		"bad flag": {"node-affinity: xx\n\tresources vm:1\n\tnodes a\n\tstrict maybe\n",
			"not a boolean"},
		"bad service": {"node-affinity: xx\n\tresources 1\n\tnodes a\n", "type:name"},
		"duplicate": {"node-affinity: xx\n\tresources vm:1\n\tnodes a\n\nnode-affinity: xx\n" +
			"\tresources vm:2\n\tnodes a\n", "duplicate rule xx"},
		"id of one letter": {"node-affinity: x\n\tresources vm:1\n\tnodes a\n",
			"rule x: an id has at least two characters"},
		"id with a digit": {"node-affinity: 1x\n\tresources vm:1\n\tnodes a\n",
			"rule 1x: an id has at least two characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems, err := config.ParseRules(c.text)
			require.NoError(t, err)
			var all []string
			for _, p := range problems {
				all = append(all, p.String())
			}
			require.Contains(t, strings.Join(all, "\n"), c.problem)
		})
	}
}

// TestTheLastRuleOfAnIDIsInForce, with its place among the rules, as with pve-common 9.2. A last one that
// cannot be used leaves none.
func TestTheLastRuleOfAnIDIsInForce(t *testing.T) {
	const first = "node-affinity: xx\n\tresources vm:1\n\tnodes a\n\n"
	const other = "node-affinity: yy\n\tresources vm:2\n\tnodes a\n\n"
	rules, problems, err := config.ParseRules(first + other + "node-affinity: xx\n\tresources vm:3\n" +
		"\tnodes b\n")
	require.NoError(t, err)
	require.Len(t, problems, 1)
	require.Equal(t, []string{"vm:3"}, rules["xx"].Resources)
	require.Greater(t, rules["xx"].Order, rules["yy"].Order)
	rules, problems, err = config.ParseRules(first + "node-affinity: xx\n\tresources vm:3\n")
	require.NoError(t, err)
	require.Len(t, problems, 2)
	require.Empty(t, rules)
}

// TestCommentsOfRulesAreEscaped, as with pve-common: what a person wrote by hand is read as it stands.
func TestCommentsOfRulesAreEscaped(t *testing.T) {
	const rule = "node-affinity: xx\n\tresources vm:1\n\tnodes a\n\tcomment "
	for inFile, want := range map[string]string{"a%20b": "a b", "f%C3%BCr: 100%25": "für: 100%",
		"100%": "100%", "% %20%": "%  %",
		"%FF": "%FF", "plain": "plain"} {
		rules, problems, err := config.ParseRules(rule + inFile + "\n")
		require.NoError(t, err)
		require.Empty(t, problems)
		require.Equal(t, want, rules["xx"].Comment)
	}
	written := config.FormatRules(map[string]*config.Rule{"xx": {ID: "xx", Kind: config.NodeAffinity,
		Resources: []string{"vm:1"}, Nodes: map[string]int{"a": 0}, Comment: "für: 100%, a b"}})
	require.Contains(t, written, "comment f%C3%BCr%3A 100%25, a b\n")
}

func TestTooLargeFilesAreRefused(t *testing.T) {
	_, _, err := config.ParseSections(strings.Repeat("#", 1<<20+1))
	require.True(t, errors.Is(err, config.ErrTooLarge))
}

func TestGroupsAndResourcesRoundTrip(t *testing.T) {
	groups, problems, err := config.ParseGroups("group: gg\n\tcomment old\n\tnodes b,a:3\n\tnofailback 1\n" +
		"\trestricted 0\n")
	require.NoError(t, err)
	require.Empty(t, problems)
	require.True(t, groups["gg"].NoFailback)
	require.False(t, groups["gg"].Restricted)
	again, _, err := config.ParseGroups(config.FormatGroups(groups))
	require.NoError(t, err)
	require.Equal(t, groups, again)

	services, problems, err := config.ParseResources(
		"vm: 100\n\tstate enabled\n\tmax_restart 3\n\tfailback 0\n\tgroup g\n\ncommentless: 1\n\nct: 2\n" +
			"\tstate ignored\n\tmax_relocate many\n")
	require.NoError(t, err)
	require.Len(t, problems, 1)
	require.Equal(t, ha.WantStarted, services["vm:100"].State)
	require.Equal(t, 3, services["vm:100"].MaxRestart)
	require.False(t, services["vm:100"].Failback)
	require.Equal(t, ha.WantIgnored, services["ct:2"].State)
	reread, _, err := config.ParseResources(config.FormatResources(services))
	require.NoError(t, err)
	require.Equal(t, services, reread)
}

func TestServiceJSON(t *testing.T) {
	services, err := config.ParseServiceJSON([]byte(
		`{"vm:1":{"node":"a"},"ct:2":{"node":"b","state":"enabled","max_restart":"0","failback":0,"group":"g"}}`))
	require.NoError(t, err)
	require.Equal(t, ha.WantDisabled, services["vm:1"].State)
	require.True(t, services["vm:1"].Failback)
	require.Equal(t, 1, services["vm:1"].MaxRelocate)
	require.Equal(t, ha.WantStarted, services["ct:2"].State)
	require.Equal(t, 0, services["ct:2"].MaxRestart)
	require.False(t, services["ct:2"].Failback)
	for _, text := range []string{`{"vm:1":{}}`, `{"1":{"node":"a"}}`, `{"vm:1":{"node":"a","state":"odd"}}`,
		`[]`} {
		_, err := config.ParseServiceJSON([]byte(text))
		require.Error(t, err, text)
	}
}

func TestDatacenter(t *testing.T) {
	dc, err := config.ParseDatacenter("keyboard: de\ncrs: " +
		"static,ha-rebalance-on-start=1,ha-auto-rebalance-threshold=40\n" +
		"ha: shutdown_policy=freeze\nfencing: both\nmax_workers: 8\n")
	require.NoError(t, err)
	require.Equal(t, ha.SchedStatic, dc.CRS.Mode)
	require.True(t, dc.CRS.RebalanceOnStart)
	require.InDelta(t, 0.4, dc.CRS.Threshold, 1e-12)
	require.InDelta(t, 0.1, dc.CRS.Margin, 1e-12)
	require.Equal(t, ha.PolicyFreeze, dc.ShutdownPolicy)
	require.Equal(t, ha.FencingBoth, dc.Fencing)
	require.Equal(t, 8, dc.MaxWorkers)

	empty, err := config.ParseDatacenter("crs:\n\nha:\n")
	require.NoError(t, err)
	require.Equal(t, ha.DefaultDatacenter(), empty)

	asJSON, err := config.ParseDatacenterJSON([]byte(
		`{"crs":{"ha":"dynamic","ha-auto-rebalance":true,"ha-auto-rebalance-hold-duration":0,"ha-auto-rebalance-margin":0.05},"ha":{}}`))
	require.NoError(t, err)
	require.True(t, asJSON.CRS.AutoRebalance)
	require.Zero(t, asJSON.CRS.HoldRounds)
	require.InDelta(t, 0.05, asJSON.CRS.Margin, 1e-12)
	_, err = config.ParseDatacenter("crs: ha-auto-rebalance-margin=-1\n")
	require.Error(t, err)
}

func TestParseCommand(t *testing.T) {
	for _, c := range []ha.Command{
		{Verb: "migrate", SID: "vm:1", Node: "b", Line: "migrate vm:1 b"},
		{Verb: "relocate", SID: "vm:1", Node: "b", Line: "relocate vm:1 b"},
		{Verb: "stop", SID: "vm:1", TimeoutSeconds: 0, Line: "stop vm:1 0"},
		{Verb: "enable-node-maintenance", Node: "b", Line: "enable-node-maintenance b"},
		{Verb: "disarm-ha", Mode: "ignore", Line: "disarm-ha ignore"},
		{Verb: "arm-ha", Line: "arm-ha"},
	} {
		got, err := config.ParseCommand(c.Line)
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	for _, text := range []string{"", "migrate vm:1", "stop vm:1", "stop vm:1 -4", "stop vm:1 x",
		"arm-ha now", "disarm-ha", "disarm-ha all", "dance", "migrate a b c"} {
		cmd, err := config.ParseCommand(text)
		require.ErrorIs(t, err, config.ErrNoCommand, text)
		require.Equal(t, ha.Command{Line: text}, cmd)
	}
	require.Equal(t, []string{"arm-ha", "x"}, config.SplitCommands("arm-ha\n\nx\n"))
}

func TestRulesSurviveTheirFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := map[string]*config.Rule{}
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			rule := &config.Rule{ID: "rule-" + string(rune('a'+i)), Order: i + 1,
				Kind:     config.ResourceAffinity,
				Affinity: rapid.SampledFrom([]string{config.Positive, config.Negative}).Draw(t, "affinity")}
			rule.Resources = []string{"ct:" + string(rune('1'+i)), "vm:1"}
			if rapid.Bool().Draw(t, "node rule") {
				rule.Kind, rule.Affinity = config.NodeAffinity, ""
				rule.Nodes = map[string]int{"a": rapid.IntRange(0, 9).Draw(t, "priority"), "b": 0}
				rule.Strict = rapid.SampledFrom([]config.Flag{config.FlagUnset, config.FlagOff,
					config.FlagOn}).Draw(t, "strict")
			}
			rule.Disable = rapid.SampledFrom([]config.Flag{config.FlagUnset, config.FlagOff,
				config.FlagOn}).Draw(t, "disable")
			rules[rule.ID] = rule
		}
		again, problems, err := config.ParseRules(config.FormatRules(rules))
		require.NoError(t, err)
		require.Empty(t, problems)
		for _, rule := range rules {
			if rule.Disable == config.FlagOff {
				rule.Disable = config.FlagUnset // it has the same meaning, and no line
			}
		}
		require.Equal(t, rules, again)
	})
}
