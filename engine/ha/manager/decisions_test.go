package manager

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// bothSettings runs a test with each setting of decisions.
func bothSettings(t *testing.T, test func(t *testing.T, b *bench, strict bool)) {
	for _, setting := range []ha.Decisions{ha.DecisionsStrict, ha.DecisionsUpstream} {
		t.Run(string(setting), func(t *testing.T) {
			b := newBench("a", "b", "c")
			b.settings.Decisions = setting
			test(t, b, setting == ha.DecisionsStrict)
		})
	}
}

func TestAPartnerOnItsWayIsInTheWay(t *testing.T) {
	bothSettings(t, func(t *testing.T, b *bench, strict bool) {
		b.rules = "resource-affinity: apart\n\taffinity negative\n\tresources vm:1,vm:2\n"
		b.add("vm:1", "a", ha.WantStarted)
		b.add("vm:2", "b", ha.WantStarted)
		b.manager.ServiceStatus["vm:1"] = &ha.ServiceStatus{State: ha.Started, Node: "a", UID: "u1"}
		b.manager.ServiceStatus["vm:2"] = &ha.ServiceStatus{State: ha.Migrate, Node: "b",
			Target: "c", UID: "u2"}
		b.queue = []string{"migrate vm:1 c"}
		master(t, b)
		want := []ha.CommandDecision{{Command: b.decisions[0].Command}}
		if strict {
			want[0].Refused = ha.RefusedKeptApart
		}
		require.Equal(t, want, b.decisions)
	})
}

func TestAServiceWithoutFailbackIsKeptTogether(t *testing.T) {
	bothSettings(t, func(t *testing.T, b *bench, strict bool) {
		b.rules = "resource-affinity: together\n\taffinity positive\n\tresources vm:1,vm:2,vm:3\n"
		for i, sid := range []string{"vm:1", "vm:2", "vm:3"} {
			node := []string{"a", "b", "b"}[i]
			b.add(sid, node, ha.WantStarted)
			b.services[sid].Failback = false
			b.manager.ServiceStatus[sid] = &ha.ServiceStatus{State: ha.Started, Node: node,
				UID: sid, Running: 1}
		}
		master(t, b)
		want := ha.Started
		if strict {
			want = ha.Migrate
		}
		require.Equal(t, want, b.manager.ServiceStatus["vm:1"].State)
		require.Equal(t, ha.Started, b.manager.ServiceStatus["vm:2"].State)
	})
}

func TestAStoppedPartnerIsInTheWay(t *testing.T) {
	bothSettings(t, func(t *testing.T, b *bench, _ bool) {
		b.rules = "resource-affinity: apart\n\taffinity negative\n\tresources vm:1,vm:2\n"
		b.add("vm:1", "a", ha.WantStarted)
		b.add("vm:2", "b", ha.WantStopped)
		b.manager.ServiceStatus["vm:1"] = &ha.ServiceStatus{State: ha.Started, Node: "a", UID: "u1"}
		b.manager.ServiceStatus["vm:2"] = &ha.ServiceStatus{State: ha.Stopped, Node: "b", UID: "u2"}
		b.queue = []string{"migrate vm:1 b"}
		master(t, b)
		require.Equal(t, ha.RefusedKeptApart, b.decisions[0].Refused)
	})
}

func TestDisarmingInTheMiddleOfAMoveBeforeAStart(t *testing.T) {
	bothSettings(t, func(t *testing.T, b *bench, strict bool) {
		b.add("vm:1", "a", ha.WantStarted)
		b.manager.ServiceStatus["vm:1"] = &ha.ServiceStatus{State: ha.RequestStartBalance,
			Node: "a", Target: "b",
			UID: "u1"}
		b.queue = []string{"disarm-ha freeze"}
		master(t, b)
		want := ha.Freeze // although its LRM moves it
		if strict {
			want = ha.RequestStartBalance
		}
		require.Equal(t, want, b.state("vm:1"))
	})
}

// A command that was accepted while HA was disarmed outlives the master that accepted it.
func TestACommandWhileDisarmed(t *testing.T) {
	bothSettings(t, func(t *testing.T, b *bench, strict bool) {
		b.add("vm:1", "a", ha.WantStarted)
		b.manager.ServiceStatus["vm:1"] = &ha.ServiceStatus{State: ha.Started, Node: "a", UID: "u1"}
		b.manager.Disarm = &ha.Disarm{Mode: ha.DisarmIgnore, State: ha.DisarmDisarmed}
		b.queue = []string{"stop vm:1 5"}
		master(t, b)
		c := master(t, b)
		require.Equal(t, strict, len(b.manager.ServiceStatus["vm:1"].Cmd) > 0)
		b.queue = []string{"arm-ha"}
		c.Round()
		require.Equal(t, strict, b.state("vm:1") == ha.RequestStop, b.text())
	})
}

func TestAnErrorWithOneService(t *testing.T) {
	bothSettings(t, func(t *testing.T, b *bench, strict bool) {
		for _, sid := range []string{"vm:1", "vm:2"} {
			b.add(sid, "b", ha.WantStarted)
			b.manager.ServiceStatus[sid] = &ha.ServiceStatus{State: ha.Recovery, Node: "b", UID: "u" + sid}
		}
		b.manager.NodeStatus = map[string]ha.NodeState{"a": ha.NodeOnline, "b": ha.NodeUnknown,
			"c": ha.NodeOnline}
		b.info["b"], b.stuck = ha.NodeInfo{}, "vm:1"
		master(t, b)
		require.Contains(t, b.text(), "is stuck")
		if strict {
			require.Equal(t, ha.Started, b.state("vm:2"), "it is not delayed")
		} else {
			require.Equal(t, ha.Recovery, b.state("vm:2"))
		}
	})
}

func TestAnUnknownSettingIsStrictAndReported(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	b.settings.Decisions = "loose"
	c := master(t, b)
	require.Contains(t, b.text(), "unknown setting 'decisions=loose' in datacenter.cfg, using 'strict'")
	require.True(t, c.manager.deviates(ha.DiffUnprotected))
}
