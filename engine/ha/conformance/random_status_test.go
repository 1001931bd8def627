package conformance

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// drawStrange adds to a random scenario what no administrator would configure: services that fail in many
// ways, guest locks, and a status that an earlier master may or may not have left.
func drawStrange(t *rapid.T) *Scenario {
	s := drawScenario(t)
	node := rapid.SampledFrom(sortedKeys(s.Nodes))
	digit := rapid.IntRange(0, 3)
	for i := range rapid.IntRange(0, 3).Draw(t, "fakes") {
		sid := fmt.Sprintf("fa:%d%d%d%d0%d", i+1, digit.Draw(t, "starts"), digit.Draw(t, "moves"),
			rapid.IntRange(0, 1).Draw(t, "no stop"), digit.Draw(t, "only"))
		cd := config.DefaultService("fa")
		cd.Node, cd.State = node.Draw(t, "home"), ha.WantStarted
		cd.MaxRestart, cd.MaxRelocate = digit.Draw(t, "restarts"), digit.Draw(t, "relocations")
		s.Services[sid], s.Stats[sid] = cd, defaultGuestStats()
	}
	for _, sid := range sortedKeys(s.Services) {
		if lock := rapid.SampledFrom([]string{"", "", "", "backup", "create"}).Draw(t, "lock"); lock != "" {
			s.GuestLocks[sid] = lock
		}
		if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
			continue
		}
		sd := &ha.ServiceStatus{
			State: rapid.SampledFrom(ha.ServiceStates()).Draw(t, "state"), Node: s.Services[sid].Node,
			UID: "old-" + sid,
		}
		if rapid.IntRange(0, 5).Draw(t, "elsewhere") == 0 {
			sd.Node = node.Draw(t, "known node")
		}
		if sd.State.Moving() {
			sd.Target = node.Draw(t, "target")
		}
		if rapid.IntRange(0, 4).Draw(t, "maintained") == 0 {
			sd.MaintenanceNode = node.Draw(t, "maintenance node")
		}
		if rapid.IntRange(0, 4).Draw(t, "commanded") == 0 {
			sd.Cmd = rapid.SampledFrom([][]string{{"migrate", "node1"}, {"relocate", "nowhere"},
				{"stop", "0"}, {"stop", "x"}, {"dance"}}).
				Draw(t, "command")
		}
		s.Manager.ServiceStatus[sid] = sd
	}
	states := rapid.SampledFrom([]ha.NodeState{ha.NodeOnline, ha.NodeUnknown, ha.NodeFence,
		ha.NodeMaintenance, ha.NodeGone, ""})
	for _, name := range sortedKeys(s.Nodes) {
		if state := states.Draw(t, "node state"); state != "" {
			s.Manager.NodeStatus[name] = state
		}
		if rapid.IntRange(0, 6).Draw(t, "wish") == 0 {
			s.Manager.NodeRequest[name] = ha.NodeRequest{Maintenance: 1}
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "disarm") == 0 {
		s.Manager.Disarm = &ha.Disarm{
			Mode: rapid.SampledFrom([]ha.DisarmMode{ha.DisarmFreeze, ha.DisarmIgnore}).Draw(t, "mode"),
			State: rapid.SampledFrom([]ha.DisarmState{ha.DisarmDisarming, ha.DisarmDisarmed}).Draw(t,
				"progress"),
		}
	}
	return s
}

// TestRandomStatus: whatever an earlier master left, a run ends, no service runs on two machines, and
// none is forgotten.
func TestRandomStatus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStrange(t)
		w := newWorld(s)
		err := w.runUntilQuiet(context.Background(), s.Commands)
		log := (&Run{Log: w.log}).Text()
		require.NoError(t, err, log)
		require.Empty(t, w.doubleRuns, log)
		require.Empty(t, ExtractOutcome(w.log).Double, log)
		if !masterPossible(w) {
			return
		}
		for _, sid := range sortedKeys(w.services) {
			require.NotNil(t, w.manager.ServiceStatus[sid], "%s is forgotten\n%s", sid, log)
		}
	})
}

// masterPossible reports whether some node neither must be fenced nor has a service that waits for that.
// Otherwise the nodes would wait for each other.
func masterPossible(w *world) bool {
	fenced := map[string]bool{}
	for node, state := range w.manager.NodeStatus {
		fenced[node] = state == ha.NodeFence
	}
	for _, sd := range w.manager.ServiceStatus {
		fenced[sd.Node] = fenced[sd.Node] || sd.State == ha.Fence
	}
	for _, name := range w.nodeNames {
		if !fenced[name] {
			return true
		}
	}
	return false
}
