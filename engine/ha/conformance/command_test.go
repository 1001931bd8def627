package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func commandWorld(t *testing.T) *world {
	t.Helper()
	s, err := Load(folder(map[string]string{
		"cmdlist": "[]", "hardware_status": twoNodes, "service_config": oneService,
	}), ".", "x")
	require.NoError(t, err)
	return newWorld(s)
}

// TestUnknownCommands: a command that the format does not have is an error that names it, and has no
// effect.
func TestUnknownCommands(t *testing.T) {
	for _, text := range []string{
		"", "power", "dance node1", "power node1", "power node1 maybe", "power node9 on",
		"network node1 half",
		"cfs node1 rw", "cfs node1 all fail", "cfs node1 update maybe", "reboot node9", "restart-lrm",
		"pve-manager-version node1 set", "pve-manager-version node1 get 9", "crm node1", "crm node1 dance",
		"skip-round", "skip-round cpu", "skip-round crm -1", "skip-round lrm x",
		"service", "service vm:1", "service 1 started", "service vm:1 paused", "service vm:2 started",
		"service vm:2 delete",
		"service vm:1 migrate", "service vm:1 relocate a b", "service vm:1 stop",
		"service vm:1 manual-migrate", "service vm:1 manual-migrate node2",
		"service vm:2 manual-migrate node2",
		"service vm:1 add node2", "service vm:2 add", "service vm:2 add node9",
		"service vm:2 add node1 paused",
		"service vm:1 set-static-stats maxcpu", "service vm:1 set-static-stats maxcpu many",
		"service vm:1 set-dynamic-stats colour 1",
	} {
		w := commandWorld(t)
		err := w.executeCommand(text, "cmdlist")
		require.ErrorIs(t, err, ErrCommand, text)
		require.ErrorContains(t, err, `execute "`+text+`"`)
		require.Equal(t, commandWorld(t).services, w.services, text)
		require.Empty(t, w.commands, text)
	}
	_, _, err := parseDelay("delay soon")
	require.ErrorIs(t, err, ErrCommand)
	_, _, err = parseDelay("delay -1")
	require.ErrorIs(t, err, ErrCommand)
}

func TestCommandsTakeEffect(t *testing.T) {
	w := commandWorld(t)
	for _, text := range []string{
		"power node1 on", "network  node1  off", "service vm:1 enabled", "service vm:9 migrate node2",
		"service vm:1 ignored",
		"service vm:1 manual-migrate node2", "service vm:2 add node1", "service vm:2 lock",
		"service vm:1 lock create",
		"service vm:1 unlock", "service vm:3 add node2 stopped 1", "service vm:3 delete", "skip-round crm",
		"skip-round lrm 3",
		"service vm:2 set-static-stats maxcpu 3 maxmem 5", "service vm:2 set-dynamic-stats cpu 0.5 mem 2",
		"crm node2 enable-node-maintenance", "crm node1 disarm-ha freeze", "crm node1 arm-ha",
		"pve-manager-version node2 set 9.1",
		"cfs node1 rw fail", "cfs node2 update fail",
	} {
		require.NoError(t, w.executeCommand(text, "cmdlist"), text)
	}
	node1, node2 := w.nodes["node1"], w.nodes["node2"]
	require.True(t, node1.hasPower && !node1.hasNetwork && node1.storeBroken && !node1.refreshBroken)
	require.True(t, !node2.hasPower && node2.refreshBroken)
	require.Equal(t, "9.1", node2.version)
	require.Equal(t, []string{"migrate vm:9 node2", "enable-node-maintenance node2", "disarm-ha freeze",
		"arm-ha"}, w.commands)
	require.Equal(t, "node2", w.services["vm:1"].Node)
	require.Equal(t, ha.WantStarted, w.services["vm:2"].State)
	require.NotContains(t, w.services, "vm:3")
	require.Equal(t, map[string]string{"vm:2": defaultGuestLock}, w.guestLocks)
	require.Equal(t, guestStats{maxCPU: 3, maxMem: 5 * mebibyte, cpu: 0.5, mem: 2 * mebibyte},
		*w.guestStats["vm:2"])
	require.Equal(t, []int{1, 3}, []int{w.skipCRM, w.skipLRM})
}

// TestNothingRunsOnAMachineThatIsOff: a guest that is added as running to a machine that is off only counts
// as running there. It never runs twice, also not when the machine is switched on while the guest runs
// elsewhere.
func TestNothingRunsOnAMachineThatIsOff(t *testing.T) {
	s, err := Load(folder(map[string]string{
		"cmdlist":         `[["power node1 on"]]`,
		"hardware_status": `{"node1":{"power":"on","network":"on"},"node2":{"power":"off","network":"off"}}`,
		"service_config":  `{}`,
	}), ".", "x")
	require.NoError(t, err)
	w := newWorld(s)
	require.NoError(t, w.executeCommand("service vm:1 add node2 started 1", "cmdlist"))
	require.NoError(t, w.executeCommand("power node2 on", "cmdlist"))
	require.True(t, (&guest{env: w.nodes["node2"].lrmEnv}).Running("vm:1"))
	w.setRunning("vm:1", w.nodes["node1"], true)
	require.Empty(t, w.doubleRuns)
	require.NoError(t, w.executeCommand("service vm:2 add node2 started 1", "cmdlist"))
	w.setRunning("vm:2", w.nodes["node1"], true)
	require.Len(t, w.doubleRuns, 1, "the machine is on")
}

// TestGuestsThatRunFromTheBeginning: the files service_status_<node> list them.
func TestGuestsThatRunFromTheBeginning(t *testing.T) {
	files := map[string]string{
		"cmdlist":              `[["power node1 on","power node2 on"]]`,
		"hardware_status":      `{"node1":{"power":"on","network":"on"},"node2":{"power":"off","network":"off"}}`,
		"service_config":       `{"vm:1":{"node":"node1","state":"started"},"vm:2":{"node":"node1","state":"started","lock":"backup"}}`,
		"service_status_node1": ` {"vm:1": "1", "vm:2": 0}` + "\n",
		"service_status_node2": "\n",
	}
	s, err := Load(folder(files), ".", "x")
	require.NoError(t, err)
	w := newWorld(s)
	require.Equal(t, map[string]bool{"vm:1": true}, w.nodes["node1"].runningGuests)
	require.Empty(t, w.nodes["node2"].runningGuests)
	require.Equal(t, "backup", w.guestLocks["vm:2"])
	files["service_status_node2"] = "{"
	_, err = Load(folder(files), ".", "x")
	require.ErrorContains(t, err, "guests of node node2")
}
