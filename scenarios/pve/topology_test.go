package pve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// topologyOf writes a configuration with these nodes and gives its path and text.
func topologyOf(t *testing.T, names ...string) (string, []byte) {
	var b strings.Builder
	b.WriteString("totem {\n version: 2\n cluster_name: c\n config_version: 3\n secauth: on\n}\n" +
		"quorum {\n provider: corosync_votequorum\n}\nnodelist {\n")
	for i, name := range names {
		fmt.Fprintf(&b, " node {\n  name: %s\n  nodeid: %d\n  quorum_votes: 1\n  ring0_addr: 10.0.0.%d\n }\n",
			name, len(names)-i, i+1)
	}
	b.WriteString("}\n")
	path := filepath.Join(t.TempDir(), "corosync.conf")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path, []byte(b.String())
}

const threeMachines = `name: three
story: Three machines.
machines: 3
duration: 60s
`

func parsed(t *testing.T, text string) *scenarios.Scenario {
	s, _, err := scenarios.Parse("three.yaml", []byte(text), scenarios.Kinds{Kind: Decode})
	require.NoError(t, err)
	return s
}

func TestTopologyKeepsTheServices(t *testing.T) {
	s := parsed(t, threeMachines+`subject:
  kind: pve
  token: 2s
  ha:
    services: {"vm:100": n1, "vm:101": n3}
    ends_on: {"vm:101": n2}
    rules: |
      node-affinity: prefer-n1
          resources vm:100,vm:101
          nodes n1:2,n2
    commands:
      - {at: 10s, on: n2, run: "migrate vm:101 n2"}
      - {at: 20s, on: n1, run: "create vm:200 n3 started"}
    nodes: {n3: {cpus: 8}}
    flaws: {"vm:100": {starts: 1, on: [n2]}}
    disabled: [n1]
    manager_status: '{"master_node":"n1","node_status":{"n1":"online"},"service_status":{}}'
`)
	path, data := topologyOf(t, "east", "west", "north", "south")
	require.NoError(t, Topology(s, path, data))
	subject, err := Decode(s)
	require.NoError(t, err)
	ha := subject.(*Subject).spec.HA
	require.NotNil(t, ha)
	require.Equal(t, map[string]string{"vm:100": "east", "vm:101": "north"}, ha.Services)
	require.Equal(t, map[string]string{"vm:101": "west"}, ha.EndsOn)
	require.Contains(t, ha.Rules, "node-affinity: prefer-n1\n")
	require.Contains(t, ha.Rules, "    nodes east:2,west\n")
	require.Equal(t, "west", ha.Commands[0].On)
	require.Equal(t, "migrate vm:101 west", ha.Commands[0].Run)
	require.Equal(t, "create vm:200 north started", ha.Commands[1].Run)
	require.Equal(t, map[string]haspec.Node{"north": {CPUs: 8}}, ha.Nodes)
	require.Equal(t, []string{"west"}, ha.Flaws["vm:100"].On)
	require.Equal(t, []string{"east"}, ha.Disabled)
	require.Equal(t, `{"master_node":"east","node_status":{"east":"online"},"service_status":{}}`,
		ha.ManagerStatus)

	path, data = topologyOf(t, "east", "west")
	require.ErrorContains(t, Topology(parsed(t, threeMachines+
		`subject: {kind: pve, ha: {services: {"vm:100": n3}}}`), path, data),
		"has no node for machine n3 of service vm:100")
}

// TestTheFileDecidesAboutRelays: the engine and the judge follow the topology, not the scenario that it is
// for.
func TestTheFileDecidesAboutRelays(t *testing.T) {
	for line, want := range map[string]bool{"": true, " relay: off\n": false} {
		s := parsed(t, threeMachines+"subject: {kind: pve, relay: off, ha: {services: {'vm:100': n1}}}\n")
		path, data := topologyOf(t, "a", "b", "c")
		data = []byte(strings.Replace(string(data), " version: 2\n", " version: 2\n"+line, 1))
		require.NoError(t, os.WriteFile(path, data, 0o600))
		require.NoError(t, Topology(s, path, data))
		subject, err := Decode(s)
		require.NoError(t, err)
		require.Equal(t, want, subject.(*Subject).haCluster(s).Relays, line)
	}
}

func TestTopologyMakesNoNewGroupOfFurtherNodes(t *testing.T) {
	const partition = "faults:\n  - {kind: partition, at: 5s, for: 20s, groups: %s}\nsubject: {kind: pve}\n"
	for groups, want := range map[string][][]string{
		"[[n1], [n2, n3]]": {{"a"}, {"b", "c", "d", "e"}},
		"[[n1]]":           {{"a"}},
		"[[n1], [n2]]":     {{"a"}, {"b"}},
	} {
		s := parsed(t, threeMachines+fmt.Sprintf(partition, groups))
		path, data := topologyOf(t, "a", "b", "c", "d", "e")
		require.NoError(t, Topology(s, path, data))
		require.Equal(t, want, s.Faults[0].Groups, groups)
	}
}
