package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Each decoder gets arbitrary text. It must not panic, and what it accepted must survive being written
// and read again.

func FuzzParseSections(f *testing.F) {
	f.Add(someRules)
	f.Add("group: aa\n\tnodes x:1,y\n\nvm: 1\n")
	f.Add("a: b\r\n\tkey\r\n # no\n\n\tlost 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		sections, _, err := config.ParseSections(text)
		if err != nil {
			return
		}
		again, problems, err := config.ParseSections(config.FormatSections(sections))
		require.NoError(t, err)
		require.Empty(t, problems)
		require.Len(t, again, len(sections))
	})
}

func FuzzParseRules(f *testing.F) {
	f.Add(someRules)
	f.Add("node-affinity: aa\n\tnodes n:1,m\n\tresources vm:1\n\tstrict\n\tdisable no\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, _, err := config.ParseRules(text)
		if err != nil {
			return
		}
		again, problems, err := config.ParseRules(config.FormatRules(rules))
		require.NoError(t, err)
		require.Empty(t, problems)
		require.Len(t, again, len(rules))
		for id, rule := range rules {
			require.Equal(t, rule.Nodes, again[id].Nodes)
			require.Equal(t, rule.Resources, again[id].Resources)
			require.Equal(t, rule.Enabled(), again[id].Enabled())
		}
	})
}

func FuzzParseGroups(f *testing.F) {
	f.Add("group: aa\n\tnodes x:1,y\n\trestricted\n\tnofailback 1\n\tcomment two words\n\ngroup: aa\n" +
		"\tnodes z\n")
	f.Fuzz(func(t *testing.T, text string) {
		groups, _, err := config.ParseGroups(text)
		if err != nil {
			return
		}
		again, problems, err := config.ParseGroups(config.FormatGroups(groups))
		require.NoError(t, err)
		require.Empty(t, problems)
		require.Len(t, again, len(groups))
		for id, group := range groups {
			require.Equal(t, group.Nodes, again[id].Nodes)
			require.Equal(t, group.Restricted, again[id].Restricted)
			require.Equal(t, group.NoFailback, again[id].NoFailback)
		}
	})
}

func FuzzParseResources(f *testing.F) {
	f.Add("vm: 100\n\tstate enabled\n\tgroup g\n\tmax_restart 3\n\tfailback 0\n\nct: 101\n\tcomment c\n\n" +
		"vm: 100\n")
	f.Fuzz(func(t *testing.T, text string) {
		services, _, err := config.ParseResources(text)
		if err != nil {
			return
		}
		again, problems, err := config.ParseResources(config.FormatResources(services))
		require.NoError(t, err)
		require.Empty(t, problems)
		require.Equal(t, services, again)
	})
}

func FuzzParseServiceJSON(f *testing.F) {
	f.Add(`{"vm:1":{"node":"a","state":"started"}}`)
	f.Add(
		`{"ct:1":{"node":"a","max_restart":"2","max_relocate":0,"failback":false,"lock":"backup","other":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		services, err := config.ParseServiceJSON([]byte(text))
		if err != nil {
			return
		}
		for sid, service := range services {
			kind, _, err := ha.SplitSID(sid)
			require.NoError(t, err)
			require.Equal(t, kind, service.Type)
			require.NotEmpty(t, service.Node)
			_, err = config.NormalState(string(service.State))
			require.NoError(t, err)
		}
	})
}

func FuzzParseDatacenter(f *testing.F) {
	f.Add("crs: ha=static,ha-rebalance-on-start=1\nha: shutdown_policy=migrate\nmax_workers: 2\n" +
		"fencing: both\n")
	f.Add("crs:\ncrs: static\n# no\nkeyboard: de\n" +
		"crs: ha-auto-rebalance-threshold=30,ha-auto-rebalance-margin=0.25\n")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := config.ParseDatacenter(text)
		if err != nil {
			return
		}
		again, err := config.ParseDatacenter(config.FormatDatacenter(settings))
		require.NoError(t, err)
		require.Equal(t, settings, again)
	})
}

func FuzzParseDatacenterJSON(f *testing.F) {
	f.Add(`{"crs":{"ha":"static","ha-rebalance-on-start":1},"ha":{"shutdown_policy":"freeze"}}`)
	f.Add(`{"crs":"ha=dynamic,ha-auto-rebalance=1","ha":null}`)
	f.Add(`{"crs":{"ha-auto-rebalance-hold-duration":"0","ha-auto-rebalance-margin":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := config.ParseDatacenterJSON([]byte(text))
		if err != nil {
			return
		}
		require.NotEmpty(t, settings.CRS.Mode)
		require.NotEmpty(t, settings.ShutdownPolicy)
		require.GreaterOrEqual(t, settings.CRS.HoldRounds, 0)
		require.True(t, settings.CRS.Threshold >= 0 && settings.CRS.Threshold <= 1)
	})
}

func FuzzParseCommand(f *testing.F) {
	for _, line := range []string{
		"migrate vm:1 b", "stop vm:1 0", "enable-node-maintenance n", "disarm-ha freeze", "arm-ha",
		"relocate  ct:2\tn ",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, line := range config.SplitCommands(text) {
			cmd, err := config.ParseCommand(line)
			if err != nil {
				require.ErrorIs(t, err, config.ErrNoCommand)
				continue
			}
			require.Equal(t, line, cmd.Line)
			require.GreaterOrEqual(t, cmd.TimeoutSeconds, 0)
		}
	})
}

func TestDatacenterJSONForms(t *testing.T) {
	for text, want := range map[string]ha.CRS{
		`{"crs":{"ha":"static"}}`:                           {Mode: ha.SchedStatic},
		`{"crs":"static"}`:                                  {Mode: ha.SchedStatic},
		`{"crs":"ha=dynamic,ha-auto-rebalance=1"}`:          {Mode: ha.SchedDynamic, AutoRebalance: true},
		`{"crs":{"ha":"dynamic","ha-auto-rebalance":true}}`: {Mode: ha.SchedDynamic, AutoRebalance: true},
		`{"crs":{}}`: {Mode: ha.SchedBasic}, `{"crs":""}`: {Mode: ha.SchedBasic},
		`{"crs":null}`: {Mode: ha.SchedBasic},
		`{"crs":{"ha":null,"ha-auto-rebalance":""}}`: {Mode: ha.SchedBasic}, `{}`: {Mode: ha.SchedBasic},
	} {
		got, err := config.ParseDatacenterJSON([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want.Mode, got.CRS.Mode, text)
		require.Equal(t, want.AutoRebalance, got.CRS.AutoRebalance, text)
		require.Equal(t, 3, got.CRS.HoldRounds, text)
	}
}
