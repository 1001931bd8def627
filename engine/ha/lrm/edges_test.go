package lrm_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
)

// noDog is a node whose watchdog cannot be opened.
type noDog struct{ *bench }

func (noDog) OpenWatchdog() (ha.Watchdog, error) { return nil, errors.New("all clients are taken") }

func TestWithoutAWatchdogTheLockIsGivenBack(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := lrm.New(noDog{b}, b, nil)
	for range 3 {
		l.Round()
		require.Equal(t, ha.LRMWaitForAgentLock, l.State())
		require.False(t, b.locked)
	}
	require.Empty(t, b.started)
	require.Contains(t, b.text(), "unable to open watchdog - all clients are taken")
}

// maintained is an LRM in maintenance with one service that is still there.
func maintained(t *testing.T, b *bench) *lrm.LRM {
	t.Helper()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitSuccess)
	b.manager.NodeRequest["n1"] = ha.NodeRequest{Maintenance: 1}
	l.Round()
	l.Round()
	require.Equal(t, ha.LRMMaintenance, l.State(), b.text())
	require.Equal(t, ha.ModeMaintenance, b.written.Mode)
	require.True(t, b.locked && b.open)
	return l
}

// HA is disarmed while a node goes into maintenance: its agent releases lock and watchdog before the manager
// has frozen a service that has just come here.
func TestADisarmingNodeInMaintenanceStartsNothing(t *testing.T) {
	b := newBench()
	l := maintained(t, b)
	started := len(b.started)
	b.manager.Disarm = &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming}
	b.want("vm:2", ha.Started, "u2")
	l.Round()
	require.Equal(t, ha.LRMMaintenance, l.State(), b.text())
	require.False(t, b.locked || b.open, "a node that is being disarmed needs no protection")
	require.Len(t, b.started, started, "what starts now has no protection")
	b.manager.Disarm = nil
	l.Round()
	require.True(t, b.locked && b.open, b.text())
	require.Len(t, b.started, started+1, "the service starts once HA is armed again")
}

func TestMaintenanceEndsInFencing(t *testing.T) {
	b := newBench()
	l := maintained(t, b)
	b.manager.NodeStatus["n1"] = ha.NodeFence
	l.Round()
	require.Equal(t, ha.LRMLostAgentLock, l.State())
	require.True(t, b.open, "the watchdog stays and runs out")
	before := b.fed
	for range 5 {
		b.now += 5
		l.Round()
	}
	require.Equal(t, before, b.fed)
}

func TestMaintenanceLosesItsLock(t *testing.T) {
	b := newBench()
	l := maintained(t, b)
	b.lockFree = false
	l.Round()
	require.Equal(t, ha.LRMLostAgentLock, l.State())
	require.True(t, b.open)
}

func TestMaintenanceEndsWithoutALock(t *testing.T) {
	b := newBench()
	l := maintained(t, b)
	delete(b.manager.ServiceStatus, "vm:1")
	l.Round()
	require.False(t, b.locked || b.open, "nothing is left to guard")
	b.manager.NodeRequest = map[string]ha.NodeRequest{}
	b.lockFree = false
	l.Round()
	l.Round()
	require.Equal(t, ha.LRMLostAgentLock, l.State())
	require.False(t, b.open)
	b.lockFree = true
	l.Round()
	require.Equal(t, ha.LRMActive, l.State())
}

func TestMaintenanceWithoutTheStoreStandsStill(t *testing.T) {
	b := newBench()
	l := maintained(t, b)
	b.want("vm:1", ha.Migrate, "u2")
	b.storeErr = errors.New("away")
	l.Round()
	require.Len(t, b.started, 1)
	b.storeErr = nil
	l.Round()
	require.Len(t, b.started, 2)
}

func TestAnUnknownPolicyIsTheUsualOne(t *testing.T) {
	for _, reboot := range []bool{false, true} {
		b := newBench()
		b.want("vm:1", ha.Started, "u1")
		l := active(t, b)
		b.policy, b.down, b.reboot = "whatever", true, reboot
		l.RequestShutdown()
		l.RequestShutdown() // a second request changes nothing
		require.Contains(t, b.text(), "unknown shutdown policy 'whatever', fall back to conditional")
		want := ha.ModeShutdown
		if reboot {
			want = ha.ModeRestart
		}
		require.Equal(t, want, l.Mode())
		require.True(t, l.WatchdogOpen())
	}
}

// shop is a resource type that counts its calls.
type shop struct{ on, moved bool }

func (s *shop) Running(string) bool            { return s.on }
func (s *shop) Start(string)                   { s.on = true }
func (s *shop) Stop(string, *ha.Int)           { s.on = false }
func (s *shop) Move(string, string, bool) bool { s.on, s.moved = false, true; return true }

func TestCommandsThatMakeNoSense(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	guest := &shop{}
	lookup := func(kind string) lrm.Resource {
		if kind != "vm" {
			return nil
		}
		return guest
	}
	run := func(cmd lrm.Command) ha.ExitCode { return lrm.RunCommand(b, lookup, cmd) }
	require.Equal(t, ha.ExitUnknownType, run(lrm.Command{SID: "cow:1", State: ha.Started}))
	require.Equal(t, ha.ExitUnknownService, run(lrm.Command{SID: "vm:2", State: ha.Started}))
	require.Equal(t, ha.ExitUnknownCommand, run(lrm.Command{SID: "vm:1", State: ha.Fence}))
	require.Equal(t, ha.ExitInvalidParameter, run(lrm.Command{SID: "vm:1", State: ha.Relocate}))
	require.Equal(t, ha.ExitSuccess, run(lrm.Command{SID: "vm:1", State: ha.Relocate, Target: "n1"}))
	require.False(t, guest.moved, "it is there already")
	b.services["vm:1"].Node = "n2"
	require.Equal(t, ha.ExitWrongNode, run(lrm.Command{SID: "vm:1", State: ha.Started}))
	require.False(t, guest.on)
	b.storeErr = errors.New("away")
	require.Equal(t, ha.ExitTryAgain, run(lrm.Command{SID: "vm:1", State: ha.Started}))
}
