package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// huge is larger than any file of the store.
var huge = strings.Repeat("#\n", 1<<19+1)

func TestFilesThatAreTooLarge(t *testing.T) {
	_, _, err := config.ParseRules(huge)
	require.ErrorIs(t, err, config.ErrTooLarge)
	_, _, err = config.ParseGroups(huge)
	require.ErrorIs(t, err, config.ErrTooLarge)
	_, _, err = config.ParseResources(huge)
	require.ErrorIs(t, err, config.ErrTooLarge)
	_, err = config.ParseDatacenter(huge)
	require.ErrorIs(t, err, config.ErrTooLarge)
	_, err = config.ParseFence(huge)
	require.ErrorIs(t, err, config.ErrTooLarge)
}

func TestDatacenterSettingsThatMakeNoSense(t *testing.T) {
	for _, setting := range []string{
		"ha-rebalance-on-start=maybe", "ha-auto-rebalance=2", "ha-auto-rebalance-hold-duration=-1",
		"ha-auto-rebalance-hold-duration=long", "ha-auto-rebalance-threshold=101",
		"ha-auto-rebalance-margin=NaN",
	} {
		_, err := config.ParseDatacenter("fencing: both\ncrs: ha=static," + setting + "\n")
		require.ErrorContains(t, err, "line 2")
		name, value, _ := strings.Cut(setting, "=")
		require.ErrorContains(t, err, name)
		_, err = config.ParseDatacenterJSON([]byte(`{"crs":{"` + name + `":"` + value + `"}}`))
		require.ErrorContains(t, err, name)
		_, err = config.ParseDatacenterJSON([]byte(`{"crs":"` + setting + `"}`))
		require.ErrorContains(t, err, name)
	}
	_, err := config.ParseDatacenter("max_workers: some\n")
	require.ErrorContains(t, err, "line 1")
	for _, text := range []string{"[]", "{", `{"crs":[]}`, `{"ha":{"shutdown_policy":{}}}`} {
		_, err = config.ParseDatacenterJSON([]byte(text))
		require.Error(t, err, text)
	}
}

func TestGroupsReportWhatTheySkip(t *testing.T) {
	groups, problems, err := config.ParseGroups(`group: aa
	nodes n3

group: aa
	nodes n1:2,n2
	type group
	colour red
	restricted maybe
	nofailback

vm: 1
	nodes n1

group: empty
	comment nowhere

group: odd
	nodes n1:high
`)
	require.NoError(t, err)
	require.Len(t, groups, 1)
	require.Equal(t, map[string]int{"n1": 2, "n2": 0}, groups["aa"].Nodes)
	require.True(t, groups["aa"].NoFailback)
	require.False(t, groups["aa"].Restricted)
	var all []string
	for _, problem := range problems {
		all = append(all, problem.String())
	}
	require.Equal(t, []string{
		"line 4: duplicate group aa, which replaces the earlier one",
		"line 7: group aa, property colour: unknown property",
		`line 8: group aa, property restricted: "maybe" is not a boolean`,
		"line 11: group 1: unknown type vm",
		"line 14: group empty has no nodes",
		`line 18: group odd, property nodes: "n1:high" is not of the form node or node:priority`,
		"line 17: group odd has no nodes",
	}, all)
}

func TestResourcesReportWhatTheySkip(t *testing.T) {
	services, problems, err := config.ParseResources("vm: 1\n\tmax_relocate 7\n\n" +
		"vm: 1\n\tmax_restart lots\n\tstate paused\n\tmax_relocate 5\n\nVM: 2\n")
	require.NoError(t, err)
	require.Len(t, services, 1)
	require.Equal(t, ha.WantStarted, services["vm:1"].State)
	require.Equal(t, ha.DefaultMaxRestart, services["vm:1"].MaxRestart)
	require.Equal(t, 5, services["vm:1"].MaxRelocate)
	require.Len(t, problems, 4)
	again, problems, err := config.ParseResources(config.FormatResources(services))
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Equal(t, services, again)
}

func TestServicesInJSON(t *testing.T) {
	services, err := config.ParseServiceJSON(
		[]byte("\t {\n\"vm:1\": {\"node\":\"a\"}, \"ct:2\":{\"node\":\"b\",\"state\":\"enabled\"," +
			"\"failback\":0,\"max_restart\":\"2\",\"max_relocate\":0," +
			"\"group\":null,\"lock\":\"backup\",\"type\":\"ct\",\"tags\":\"x;y\"}}\n\n"))
	require.NoError(t, err)
	require.Equal(t, ha.WantDisabled, services["vm:1"].State)
	require.True(t, services["vm:1"].Failback)
	ct := services["ct:2"]
	require.Equal(t, ha.ServiceConfig{Type: "ct", Node: "b", State: ha.WantStarted, MaxRestart: 2}, *ct)
	for _, text := range []string{
		"[]", `{"vm:1":{}}`, `{"1":{"node":"a"}}`, `{"vm:1":{"node":"a","state":"paused"}}`,
		`{"vm:1":{"node":"a","max_restart":-1}}`,
		`{"vm:1":{"node":["a"]}}`,
	} {
		_, err := config.ParseServiceJSON([]byte(text))
		require.Error(t, err, text)
	}
	none, err := config.ParseServiceJSON([]byte(" \n"))
	require.NoError(t, err)
	require.Empty(t, none)
}
