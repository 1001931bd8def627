package manager

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// noDog is a node whose watchdog cannot be opened.
type noDog struct{ *bench }

func (noDog) OpenWatchdog() (ha.Watchdog, error) { return nil, errors.New("all clients are taken") }

func TestNoMasterWithoutAWatchdog(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	c := NewCRM(noDog{b})
	for range 3 {
		c.Round()
		require.NotEqual(t, ha.CRMMaster, c.State())
		require.False(t, b.locked, "the lock is given back, so that another node can be master")
	}
	require.Empty(t, b.manager.ServiceStatus)
	require.Contains(t, b.text(), "unable to open watchdog - all clients are taken")
}

// flicker is a lock that fails once, for all attempts of one call.
type flicker struct {
	*bench
	fail int
}

func (f *flicker) AcquireManagerLock() bool {
	if f.fail > 0 {
		f.fail--
		return false
	}
	return f.bench.AcquireManagerLock()
}

func TestALockThatComesBackAtOnce(t *testing.T) {
	f := &flicker{bench: newBench("a", "b")}
	f.add("vm:1", "b", ha.WantStarted)
	c := NewCRM(f)
	c.Round()
	require.Equal(t, ha.CRMMaster, c.State())
	f.fail = lockAttempts
	c.Round()
	require.Equal(t, ha.CRMMaster, c.State(), f.text())
	require.Contains(t, f.text(), "status change lost_manager_lock => master")
	require.True(t, f.open)
	require.Equal(t, ha.Started, f.state("vm:1"))
}

// TestIdleRoundsOfAMasterAreScaled: without services a master goes idle after ninety rounds, or so many times
// as many.
func TestIdleRoundsOfAMasterAreScaled(t *testing.T) {
	for factor, rounds := range map[int]int{0: 90, 1: 90, 2: 180} {
		b := newBench("a", "b")
		b.add("vm:1", "a", ha.WantStarted)
		c := master(t, b)
		c.IdleFactor = factor
		delete(b.services, "vm:1")
		idle := 0
		for ; c.State() == ha.CRMMaster && idle <= 2*rounds; idle++ {
			c.Round()
		}
		// One round removes the service, and the master goes idle in the first one beyond the limit.
		require.Equal(t, ha.CRMWaitForQuorum, c.State(), b.text())
		require.InDelta(t, rounds+1, idle, 1, b.text())
	}
}

func TestDroppedRulesAreTold(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	b.add("vm:2", "a", ha.WantStarted)
	b.rules = "resource-affinity: rr\n\taffinity negative\n\tresources vm:1\n\n" +
		"resource-affinity: ss\n\taffinity negative\n\tresources vm:1,vm:2\n\tcolour red\n"
	c := master(t, b)
	require.Contains(t, b.text(), "info Drop rule 'rr', because rule is ineffective as there are less than "+
		"two resources.")
	require.Contains(t, b.text(), "warning ignoring part of the rules config, line 8: rule ss, property "+
		"colour: unknown property")
	c.Round()
	require.Equal(t, ha.Migrate, b.state("vm:1"), "the other rule is in force")
}

func TestCommandsOfTheStatusThatMakeNoSense(t *testing.T) {
	for name, cmd := range map[string][]string{
		"unknown": {"dance"}, "migrate without a node": {"migrate"}, "stop without a time": {"stop", "soon"},
	} {
		b := newBench("a", "b")
		b.add("vm:1", "a", ha.WantStarted)
		b.add("vm:2", "b", ha.WantStopped)
		c := master(t, b)
		for sid, sd := range b.manager.ServiceStatus {
			if sid == "vm:2" {
				sd.State = ha.Stopped
			}
			sd.Cmd = cmd
		}
		c = NewCRM(b) // reads the status
		c.Round()
		c.Round()
		require.Equal(t, ha.Started, b.state("vm:1"), name)
		require.Equal(t, ha.Stopped, b.state("vm:2"), name)
		for sid, sd := range b.manager.ServiceStatus {
			require.Empty(t, sd.Cmd, "%s %s", name, sid)
		}
		require.Equal(t, ha.WantStarted, b.services["vm:1"].State, name)
	}
}

func TestAnUnrecoverableAnswerEndsInError(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	c := master(t, b)
	b.answer("vm:1", ha.ExitUnknownType)
	c.Round()
	require.Equal(t, ha.Error, b.state("vm:1"))
	require.Equal(t, []string{"a"}, b.manager.ServiceStatus["vm:1"].FailedNodes)
}

func TestAStopThatCannotBeWrittenIsNotForgotten(t *testing.T) {
	f := &faulty{bench: newBench("a", "b"), left: -1}
	f.add("vm:1", "a", ha.WantStarted)
	c := NewCRM(f)
	c.Round()
	require.Equal(t, ha.Started, f.state("vm:1"))
	f.queue = []string{"stop vm:1 5"}
	before := f.calls
	f.obey()
	c.Round()
	require.Equal(t, ha.RequestStop, f.state("vm:1"), f.text())
	require.Greater(t, f.calls, before)
	require.EqualValues(t, 5, *f.manager.ServiceStatus["vm:1"].TimeoutSeconds)

	// The same with a store that refuses exactly the write of the requested state.
	g := &refusing{bench: newBench("a", "b"), refuse: 1}
	g.add("vm:1", "a", ha.WantStarted)
	d := NewCRM(g)
	d.Round()
	g.queue = []string{"stop vm:1 5"}
	d.Round()
	require.Equal(t, ha.Started, g.state("vm:1"))
	require.Equal(t, ha.WantStarted, g.services["vm:1"].State)
	require.Contains(t, g.text(), "err service 'vm:1': got unexpected error - refused")
	d.Round()
	require.Equal(t, ha.RequestStop, g.state("vm:1"))
	require.Equal(t, ha.WantStopped, g.services["vm:1"].State)
}

// refusing is a store that refuses to change a service a number of times.
type refusing struct {
	*bench
	refuse int
}

func (r *refusing) UpdateServiceState(sid string, requested ha.RequestedState) error {
	if r.refuse--; r.refuse >= 0 {
		return errors.New("refused")
	}
	return r.bench.UpdateServiceState(sid, requested)
}

func TestAMasterThatIsOfflineDecidesNothing(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.info["a"] = ha.NodeInfo{}
	b.services["vm:1"].State = ha.WantStopped
	written := b.manager.Timestamp
	b.now += masterRoundSeconds
	c.Round()
	require.Contains(t, b.text(), "master seems offline")
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Equal(t, written, b.manager.Timestamp)
}

func TestGroupsWaitForEveryLRM(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	b.services["vm:1"].Group = "gg"
	b.groups = "group: gg\n\tnodes a\n"
	b.lrm["b"].State = "lost_agent_lock"
	c := master(t, b)
	for range 12 {
		c.Round()
	}
	require.Contains(t, b.text(), "abort ha groups migration: lrm 'b' is not in state 'active' or 'idle'")
	require.NotEmpty(t, b.groups)
	b.lrm["b"].State = "wait_for_agent_lock"
	for range 6 {
		c.Round()
	}
	require.Empty(t, b.groups)
	require.Contains(t, b.rules, "ha-group-g")
}

// measured is a cluster of equal nodes whose services are measured once they run.
type measured struct{ *bench }

func (m *measured) ServiceStats() (map[string]ha.ServiceStats, error) {
	out := map[string]ha.ServiceStats{}
	for sid := range m.services {
		out[sid] = ha.ServiceStats{MaxCPU: 8, MaxMemBytes: 8, CPU: 2, MemBytes: 2, HasMeasure: true}
	}
	return out, nil
}

func (m *measured) NodeStats() (map[string]ha.NodeStats, error) {
	out := map[string]ha.NodeStats{}
	for node := range m.info {
		started := map[string]bool{}
		for _, result := range m.lrm[node].Results {
			started[result.SID] = true
		}
		use := 2 * float64(len(started))
		out[node] = ha.NodeStats{MaxCPU: 32, MaxMemBytes: 32, CPU: use, MemBytes: use}
	}
	return out, nil
}

func TestBalancingWaitsForStarts(t *testing.T) {
	m := &measured{newBench("a", "b")}
	m.settings.CRS.Mode, m.settings.CRS.AutoRebalance, m.settings.CRS.HoldRounds = ha.SchedDynamic, true, 0
	for _, sid := range []string{"vm:1", "vm:2", "vm:3"} {
		m.add(sid, "a", ha.WantStarted)
	}
	c := NewCRM(m)
	c.Round()
	m.answer("vm:1", ha.ExitSuccess)
	m.answer("vm:2", ha.ExitSuccess)
	for range 5 {
		c.Round()
		require.NotContains(t, m.text(), "auto rebalance", "one service is in no measurement yet")
	}
	m.answer("vm:3", ha.ExitSuccess)
	c.Round()
	c.Round()
	require.Contains(t, m.text(), "auto rebalance - migrate vm:1 to b (expected change for imbalance from "+
		"1.00 to 0.33)")
	require.Equal(t, ha.Migrate, m.state("vm:1"))
}

// A service leaves a dead node only after the published status shows that it is in recovery. The next
// master then finds the service with its configuration, and not in error because an LRM does not have
// it.
func TestRecoveryIsPublishedBeforeItHappens(t *testing.T) {
	b := newBench("a", "b", "c")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.answer("vm:1", ha.ExitSuccess)
	c.Round()
	b.info["b"], b.dead["b"], b.statusErr = ha.NodeInfo{}, true, errAway
	b.now += FenceDelaySeconds
	for range 3 {
		c.Round()
	}
	require.Empty(t, b.stolen, "the status cannot be written")
	require.Equal(t, ha.Started, b.state("vm:1"))

	b.statusErr, b.stuck = nil, "vm:1"
	c.Round()
	require.Equal(t, ha.Recovery, b.state("vm:1"))
	b.statusErr = errAway // after this the published status is unknown
	c.Round()
	b.stuck = ""
	c.Round()
	require.Empty(t, b.stolen)
	b.statusErr, b.stuck = nil, "vm:1"
	c.Round()
	b.services["vm:1"].Node = "a" // it moved there, and the master ended
	b.stuck = ""
	NewCRM(b).Round()
	require.Empty(t, b.stolen)
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Equal(t, "a", b.manager.ServiceStatus["vm:1"].Node)
}

// A service that was removed and added again before any master noticed is requested again.
func TestAServiceThatWasPutBackIsAskedForAgain(t *testing.T) {
	for _, state := range []ha.RequestedState{ha.WantStarted, ha.WantStopped} {
		b := newBench("a", "b")
		b.add("vm:1", "b", ha.WantStarted)
		c := master(t, b)
		b.answer("vm:1", ha.ExitSuccess)
		b.services["vm:1"].State = state
		c.Round()
		before := b.manager.ServiceStatus["vm:1"].UID
		if state == ha.WantStarted {
			delete(b.lrm["b"].Results, before)
		}
		b.answer("vm:1", ha.ExitUnknownService)
		was := b.state("vm:1")
		c.Round()
		require.Equal(t, was, b.state("vm:1"), b.text())
		require.NotEqual(t, before, b.manager.ServiceStatus["vm:1"].UID)
		require.Contains(t, b.text(), "service 'vm:1' was taken out and put back")
	}
}
