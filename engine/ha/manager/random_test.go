package manager

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// drawBench makes a master's world of random but well-formed files.
func drawBench(t *rapid.T) *bench {
	nodes := []string{"a", "b", "c"}
	b := newBench(nodes...)
	node := rapid.SampledFrom(append(nodes, "ghost"))
	for i := range rapid.IntRange(0, 6).Draw(t, "services") {
		sid := fmt.Sprintf("%s:%d", rapid.SampledFrom([]ha.RequestedState{"vm", "ct"}).Draw(t, "type"), i)
		if rapid.IntRange(0, 4).Draw(t, "configured") > 0 {
			b.add(sid, node.Draw(t, "home"),
				rapid.SampledFrom([]ha.RequestedState{"started", "stopped", "disabled", "ignored"}).Draw(t,
					"want"))
			b.services[sid].MaxRelocate = rapid.IntRange(0, 2).Draw(t, "max")
		}
		if rapid.IntRange(0, 4).Draw(t, "known") == 0 {
			continue
		}
		sd := &ha.ServiceStatus{
			State: rapid.SampledFrom(ha.ServiceStates()).Draw(t, "state"), Node: node.Draw(t, "node"),
			UID: b.NewUID(), Unprotected: ha.Int(rapid.IntRange(0, 1).Draw(t, "unguarded")),
			FailedNodes: rapid.SliceOfN(node, 0, 2).Draw(t, "failed"),
		}
		if sd.State.Moving() {
			sd.Target = node.Draw(t, "target")
		}
		if rapid.Bool().Draw(t, "maintenance node") {
			sd.MaintenanceNode = node.Draw(t, "fallback")
		}
		if rapid.Bool().Draw(t, "command") {
			sd.Cmd = []string{rapid.SampledFrom([]string{"migrate", "relocate", "stop", "odd"}).Draw(
				t, "name"), "b"}
		}
		if rapid.Bool().Draw(t, "answered") {
			b.lrm["a"].Results[sd.UID] = ha.LRMResult{SID: sid,
				ExitCode: ha.ExitCode(rapid.IntRange(0, 8).Draw(t, "code"))}
		}
		b.manager.ServiceStatus[sid] = sd
	}
	for _, name := range nodes {
		b.manager.NodeStatus[name] = rapid.SampledFrom([]ha.NodeState{
			ha.NodeOnline, ha.NodeMaintenance, ha.NodeUnknown, ha.NodeFence, ha.NodeGone, "odd"}).Draw(
			t, "node state")
		b.info[name] = ha.NodeInfo{Online: rapid.Bool().Draw(t, "online")}
		b.dead[name] = rapid.Bool().Draw(t, "dead")
		b.lrm[name].Mode = rapid.SampledFrom([]ha.Mode{"", ha.ModeActive, ha.ModeRestart, ha.ModeShutdown,
			ha.ModeMaintenance, ha.ModeDisarm}).Draw(t, "mode")
		b.lrm[name].State = rapid.SampledFrom([]ha.LRMState{"", "active", "wait_for_agent_lock"}).Draw(t,
			"lrm state")
	}
	b.info["a"] = ha.NodeInfo{Online: true}
	b.settings.CRS.RebalanceOnStart = rapid.Bool().Draw(t, "rebalance")
	b.settings.CRS.Mode = rapid.SampledFrom([]ha.SchedMode{"basic", "static", "dynamic", "odd"}).Draw(t,
		"scheduler")
	if rapid.IntRange(0, 3).Draw(t, "disarm") == 0 {
		b.manager.Disarm = &ha.Disarm{Mode: rapid.SampledFrom([]ha.DisarmMode{"freeze", "ignore"}).Draw(t,
			"disarm mode"),
			State: rapid.SampledFrom([]ha.DisarmState{"disarming", "disarmed"}).Draw(t, "disarm state")}
	}
	b.queue = rapid.SliceOfN(rapid.SampledFrom([]string{"migrate vm:1 b", "relocate ct:2 c",
		"stop vm:1 0", "arm-ha",
		"disarm-ha freeze", "disarm-ha ignore", "enable-node-maintenance b", "disable-node-maintenance c",
		"nonsense"}), 0, 4).Draw(t, "queue")
	b.rules = rapid.SampledFrom([]string{"", "resource-affinity: xx\n\taffinity positive\n" +
		"\tresources vm:1,ct:2\n",
		"node-affinity: yy\n\tnodes b\n\tresources vm:0\n\tstrict 1\n", "garbage\n"}).Draw(t, "rules")
	return b
}

// TestRandomStatus: whatever status a master finds, its rounds end, every service keeps a node and a
// known state, a moving service has a target, a configured service is not forgotten, and nothing is
// taken over without proof.
func TestRandomStatus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBench(t)
		c := NewCRM(b)
		for range 6 {
			before := b.manager.Clone()
			stolen := len(b.stolen)
			c.Round()
			b.now += 10
			data, err := b.manager.Encode()
			require.NoError(t, err)
			_, err = ha.DecodeManagerStatus(data)
			require.NoError(t, err, b.text())
			for sid := range before.ServiceStatus {
				if cd := b.services[sid]; cd != nil && cd.State != ha.WantIgnored {
					require.Contains(t, b.manager.ServiceStatus, sid)
				}
			}
			for _, entry := range b.stolen[stolen:] {
				words := strings.Fields(entry)
				was := before.ServiceStatus[words[0]]
				proven := b.dead[words[1]] || was != nil && was.State == ha.Recovery
				require.True(t, proven, "%s was taken over without proof\n%s", entry, b.text())
			}
		}
	})
}

// TestDecisionsAreDeterministic: two masters that find the same world decide the same.
func TestDecisionsAreDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBench(t)
		clone := *b
		clone.services, _ = b.ReadServiceConfig()
		clone.manager = b.manager.Clone()
		clone.queue = append([]string(nil), b.queue...)
		for _, bench := range []*bench{b, &clone} {
			c := NewCRM(bench)
			for range 3 {
				c.Round()
				bench.now += 30
			}
		}
		require.Equal(t, b.text(), clone.text())
		first, err := b.manager.Encode()
		require.NoError(t, err)
		second, err := clone.manager.Encode()
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}
