package pve

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// etcFiles writes a copy of /etc/pve with two nodes hv1 and hv2, and these files.
func etcFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	_, conf := topologyOf(t, "hv1", "hv2")
	files["corosync.conf"] = string(conf)
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

const rulesCfg = "node-affinity: prefer\n\tresources vm:100\n\tnodes hv1:2,hv2\n\nodd: x\n\ta b\n"

func TestEtcPVE(t *testing.T) {
	dir := etcFiles(t, map[string]string{
		"ha/resources.cfg": "vm: 100\n\tstate started\n\tmax_restart 2\n\nct: 200\n\tstate stopped\n\n" +
			"vm: 404\n\nvm: 101\n",
		"ha/rules.cfg":                       rulesCfg,
		"ha/fence.cfg":                       "device agent\n",
		"ha/manager_status":                  "{}",
		"datacenter.cfg":                     "crs: ha=static\n",
		"nodes/hv1/qemu-server/100.conf":     "cores: 2\nsockets: 2\nmemory: 4096\n[before]\ncores: 9\n",
		"nodes/hv1/qemu-server/notes.txt":    "",
		"nodes/hv2/lxc/200.conf":             "memory: 512\nlock: backup\n",
		"nodes/gone/qemu-server/101.conf":    "memory: 512\n",
		"nodes/hv2/qemu-server/unmanaged.md": "",
		"nodes/hv2/qemu-server/300.conf":     "memory: many\n",
		"user.cfg":                           "",
	})
	s := parsed(t, threeMachines+"subject: {kind: pve, ha: {services: {\"vm:1\": n1}, "+
		"commands: [{at: 1s, on: n1, run: \"migrate vm:1 n2\"}]}}\n")
	report, err := EtcPVE(s, dir)
	require.NoError(t, err)
	require.Equal(t, []string{
		"left out: services, commands, rules and bounds of the scenario three",
		"took corosync.conf: nodes hv1, hv2",
		"could not take nodes/hv1/qemu-server/notes.txt: it is no configuration of a guest",
		`could not take memory of vm:300: "many"`,
		"could not take nodes/hv2/qemu-server/unmanaged.md: it is no configuration of a guest",
		"could not take vm:101: its configuration is on gone, which corosync.conf does not list",
		"could not take vm:404: no node has its configuration",
		"left out: 2 guests that the HA manager does not manage",
		"took ha/resources.cfg: ct:200 on hv2, vm:100 on hv1",
		"could not take of ha/rules.cfg: line 5: rule x: unknown type odd",
		"took ha/rules.cfg",
		"took datacenter.cfg",
	}, report[:12])
	require.Contains(t, report[12], "could not take ha/fence.cfg: fence: ")
	require.Equal(t, []string{
		"left out: ha/manager_status, because the run begins with a manager that knows nothing",
		"assumed: 24 CPUs and 128 GiB for each node; their sizes are not in /etc/pve",
		"not needed: user.cfg",
	}, report[13:])
	require.Equal(t, 270*time.Second, s.Quiescence)
	require.Contains(t, s.Story, "took datacenter.cfg", "the page says it as well")

	subject, err := Decode(s)
	require.NoError(t, err)
	ha := subject.(*Subject).spec.HA
	require.Equal(t, map[string]string{"vm:100": "hv1", "ct:200": "hv2"}, ha.Services)
	require.Equal(t, map[string]haspec.Guest{"vm:100": {Cores: 4, MemoryMiB: 4096},
		"ct:200": {MemoryMiB: 512, Lock: "backup"}}, ha.Guests)
	require.Contains(t, ha.Resources, "max_restart 2")
	require.NotContains(t, ha.Resources, "404")
	require.Contains(t, ha.Rules, "nodes hv1:2,hv2")
	require.Empty(t, ha.Commands)
}

func TestEtcPVEWithoutServices(t *testing.T) {
	s := parsed(t, threeMachines+"subject: {kind: pve}\n")
	report, err := EtcPVE(s, etcFiles(t, map[string]string{"nodes/hv1/lxc/7.conf": "memory: 1\n"}))
	require.NoError(t, err)
	require.Equal(t, []string{"took corosync.conf: nodes hv1, hv2",
		"left out: 1 guests that the HA manager does not manage",
		"no resources for the HA manager, so the nodes run without it"}, report)
	subject, err := Decode(s)
	require.NoError(t, err)
	require.Nil(t, subject.(*Subject).spec.HA)
}

func TestWhatIsNoCopyOfEtcPVE(t *testing.T) {
	s := func() string { return threeMachines + "subject: {kind: pve}\n" }
	_, err := EtcPVE(parsed(t, s()), t.TempDir())
	require.ErrorContains(t, err, "it has no corosync.conf")
	dir := etcFiles(t, map[string]string{"nodes/hv1/qemu-server/5.conf": "", "nodes/hv2/lxc/5.conf": ""})
	_, err = EtcPVE(parsed(t, s()), dir)
	require.ErrorContains(t, err, "guest 5 has two configurations, nodes/hv1/qemu-server/5.conf and "+
		"nodes/hv2/lxc/5.conf")
	dir = etcFiles(t, map[string]string{"ha/resources.cfg": strings.Repeat("#", maxEtcFileBytes+1)})
	_, err = EtcPVE(parsed(t, s()), dir)
	require.ErrorContains(t, err, "reading ha/resources.cfg: 1048577 bytes, more than 1048576")
	dir = etcFiles(t, map[string]string{"ha/resources.cfg/x": ""})
	_, err = EtcPVE(parsed(t, s()), dir)
	require.ErrorContains(t, err, "reading ha/resources.cfg: it is no regular file")
}

// TestTwoNodesGetFaults: a nemesis that keeps a majority alive would draw no fault that matters for two
// nodes.
func TestTwoNodesGetFaults(t *testing.T) {
	const nemesis = "nemesis: {kinds: [kill, partition], every: 5s, for_min: 1s, for_max: 5s}\n" +
		"subject: {kind: pve}\n"
	for names, beyond := range map[string]bool{"a,b": true, "a": true, "a,b,c": false} {
		s := parsed(t, threeMachines+nemesis)
		path, data := topologyOf(t, strings.Split(names, ",")...)
		require.NoError(t, Topology(s, path, data))
		require.Equal(t, beyond, s.Nemesis.BeyondSurvival, names)
		require.Equal(t, beyond, strings.Contains(s.Story, noMachineToLose), names)
	}
	s := parsed(t, threeMachines+nemesis)
	path, data := topologyOf(t, "a", "b", "c")
	data = []byte(strings.Replace(string(data), "quorum {", "quorum {\n expected_votes: 5", 1))
	require.NoError(t, Topology(s, path, data))
	require.True(t, s.Nemesis.BeyondSurvival, "three of five expected votes are needed")
}

// TestEtcPVEReportsSettings: a value that means nothing and a byte that is no text are reported; the run does
// as
// without them.
func TestEtcPVEReportsSettings(t *testing.T) {
	s := parsed(t, threeMachines+"subject: {kind: pve}\n")
	report, err := EtcPVE(s, etcFiles(t, map[string]string{
		"ha/resources.cfg":               "vm: 100\n\tcomment B\xfcro\n",
		"nodes/hv1/qemu-server/100.conf": "memory: 1\n",
		"datacenter.cfg": "description: B\xfcro\nha: shutdown_policy=migrte\n" +
			"migration: secure,network=10.2.0.0/16\n",
	}))
	require.NoError(t, err)
	for _, line := range []string{
		`could not take the bytes of ha/resources.cfg that are not UTF-8; each is taken as '�'`,
		`could not take the bytes of datacenter.cfg that are not UTF-8; each is taken as '�'`,
		`could not take of datacenter.cfg: line 2: shutdown_policy: "migrte" is none of conditional, freeze, ` +
			`failover, migrate`,
		"could not take of datacenter.cfg: a network of its own for migrations",
		"took datacenter.cfg",
	} {
		require.Contains(t, report, line)
	}
	require.True(t, utf8.ValidString(s.Subject.Value.(Spec).HA.Resources), "run folders keep it as YAML")
}
