package hacheck

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// TestAResetNeedsItsOwnReason: what happens to others, or is over quickly, is none.
func TestAResetNeedsItsOwnReason(t *testing.T) {
	for _, c := range []struct {
		name     string
		prepare  func(x *made)
		validity linearizability.Validity
	}{
		{"nothing happened", func(*made) {}, invalid},
		{"it was cut off", func(x *made) { x.fault(120, 200, cut([]string{"n1"})) }, valid},
		{"it was cut off for some seconds", func(x *made) { x.fault(150, 160, cut([]string{"n1"})) },
			invalid},
		{"another one was cut off", func(x *made) { x.fault(120, 200, cut([]string{"n3"})) }, invalid},
		{"another one lost its power", func(x *made) {
			x.fault(120, 200, done(fault.PowerCut, "n3", ""))
		}, invalid},
		{"both others did, one after the other", func(x *made) {
			x.at(110, 1, scenarios.Power{Cause: scenarios.CauseFault})
			x.at(125, 1, scenarios.Power{On: true, Boot: 2})
			x.at(170, 2, scenarios.Power{Cause: scenarios.CauseFault})
		}, invalid},
		{"no partition had quorum", func(x *made) {
			x.fault(120, 200, cut([]string{"n1"}, []string{"n2"}, []string{"n3"}))
		}, valid},
		{"the network was not transitive", func(x *made) {
			x.fault(120, 200, fault.Fault{Kind: fault.Cut, From: []string{"n2"}, To: []string{"n3"}})
		}, valid},
		{"its guests were killed", func(x *made) {
			x.fault(120, 200, done(fault.Kill, "n1", resource.HostProcess))
		}, invalid},
		{"its agent was paused", func(x *made) {
			x.fault(120, 200, done(fault.Pause, "n1", haproc.LRMProcess))
		}, valid},
		{"its guests were paused, and then its agent", func(x *made) {
			x.fault(50, 200, done(fault.Pause, "n1", resource.HostProcess))
			x.fault(120, 200, done(fault.Pause, "n1", haproc.LRMProcess))
		}, valid},
		{"another one's agent was paused", func(x *made) {
			x.fault(120, 200, done(fault.Pause, "n3", haproc.LRMProcess))
		}, invalid},
		{"its disk was slow", func(x *made) {
			x.fault(120, 200, fault.Fault{Kind: fault.DiskSlow, Machines: []string{"n1"},
				Latency: 10 * time.Millisecond})
		}, invalid},
		{"another one's disk failed and its ring came back with it, then it was cut off", func(x *made) {
			x.fault(120, 140, done(fault.DiskError, "n3", ""))
			x.fault(150, 200, cut([]string{"n1"}))
		}, valid},
		{"another one was killed", func(x *made) {
			x.fault(110, 200, done(fault.Kill, "n3", ""))
		}, invalid},
		{"another one was killed and the ring is slow to notice it", func(x *made) {
			x.cluster.RingDelay = time.Minute
			x.fault(110, 200, done(fault.Kill, "n3", ""))
		}, valid},
		{"another one's disk failed for longer", func(x *made) {
			x.fault(120, 150, done(fault.DiskError, "n3", ""))
			x.fault(155, 200, cut([]string{"n1"}))
		}, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			c.prepare(x)
			x.reset(190, 0)
			x.require(resets{}, c.validity, UnjustifiedReset)
		})
	}
}

// TestStalledDisksOfOthers: they are a reason only when no majority is left, or when the machine was cut off.
func TestStalledDisksOfOthers(t *testing.T) {
	for _, c := range []struct {
		name     string
		prepare  func(x *made)
		validity linearizability.Validity
	}{
		{"another one's disk stalled", func(x *made) {
			x.fault(120, 200, done(fault.DiskStall, "n3", ""))
		}, invalid},
		{"the network was healed while another one's disk stalled", func(x *made) {
			x.fault(110, 147, cut([]string{"n1"}, []string{"n2"}, []string{"n3"}))
			x.fault(120, 200, done(fault.DiskStall, "n3", ""))
		}, invalid},
		{"the network was healed too late", func(x *made) {
			x.fault(110, 149, cut([]string{"n1"}, []string{"n2"}, []string{"n3"}))
			x.fault(120, 200, done(fault.DiskStall, "n3", ""))
		}, valid},
		{"the disks of both others stalled", func(x *made) {
			x.fault(120, 200, done(fault.DiskStall, "n2", ""))
			x.fault(125, 200, done(fault.DiskStall, "n3", ""))
		}, valid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			c.prepare(x)
			x.reset(190, 0)
			x.require(resets{}, c.validity, UnjustifiedReset)
		})
	}
}

// TestAKillIsAReasonWhenItHappened: one that waits for a disk call may come late in its time.
func TestAKillIsAReasonWhenItHappened(t *testing.T) {
	for call, want := range map[int]linearizability.Validity{0: invalid, 3: valid} {
		x := running(t)
		kill := done(fault.Kill, "n1", "")
		kill.AtDiskCall = call
		x.fault(100, 185, kill)
		x.at(190, 0, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog})
		x.require(resets{}, want, UnjustifiedReset)
	}
}

// TestAFrozenWatchdogStandsStill: the time for which a machine was frozen does not count between the end of
// what feeds its watchdog and the reset.
func TestAFrozenWatchdogStandsStill(t *testing.T) {
	for until, want := range map[int]linearizability.Validity{150: invalid, 187: valid} {
		x := running(t)
		x.fault(140, 141, done(fault.Kill, "n1", ""))
		x.fault(145, until, done(fault.Freeze, "n1", ""))
		x.at(190, 0, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog})
		x.require(resets{}, want, UnjustifiedReset)
	}
}

// TestAnAgentThatEndsByItselfIsNoReason: only a fault that kills it excuses the reset.
func TestAnAgentThatEndsByItselfIsNoReason(t *testing.T) {
	for killed, want := range map[string]linearizability.Validity{"": invalid, haproc.CRMProcess: invalid,
		haproc.LRMProcess: valid} {
		x := running(t)
		if killed != "" {
			x.fault(179, 185, done(fault.Kill, "n1", killed))
		}
		x.at(180, 0, watchdog.Expired{Client: haproc.LRMProcess, Reason: "gone"})
		x.at(190, 0, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog})
		x.require(resets{}, want, UnjustifiedReset)
	}
}

// TestAFenceNeedsAReason: a node that was there must not be given up.
func TestAFenceNeedsAReason(t *testing.T) {
	x := running(t)
	x.at(180, 1, haproc.FenceStep{Node: "n1", Step: ha.FenceStarted})
	x.require(resets{}, invalid, UnjustifiedFence)
	x.fault(110, 300, cut([]string{"n1"}))
	x.require(resets{}, valid, "")
}

// TestALateMachineHasAReason: what is late depends on the interval of the joins that the cluster is
// configured with.
func TestALateMachineHasAReason(t *testing.T) {
	for _, c := range []struct {
		join, latency time.Duration
		want          linearizability.Validity
	}{
		{50 * time.Millisecond, 24 * time.Millisecond, invalid},
		{50 * time.Millisecond, 25 * time.Millisecond, valid},
		{100 * time.Millisecond, 25 * time.Millisecond, invalid},
		{100 * time.Millisecond, 50 * time.Millisecond, valid},
	} {
		x := running(t)
		x.cluster.JoinInterval = c.join
		x.fault(120, 200, fault.Fault{Kind: fault.Link, From: []string{"n1"}, Latency: c.latency})
		x.reset(190, 0)
		x.require(resets{}, c.want, UnjustifiedReset)
	}
}

// TestALateNeighborWhoseRingsDoNotLast excuses a reset; without one of both there is no excuse.
func TestALateNeighborWhoseRingsDoNotLast(t *testing.T) {
	for _, c := range []struct {
		rings    int
		late     bool
		validity linearizability.Validity
	}{{20, true, valid}, {20, false, invalid}, {3, true, invalid}} {
		x := running(t)
		if c.late {
			x.fault(100, 190, fault.Fault{Kind: fault.Link, From: []string{"n3"}, Latency: time.Second})
		}
		for i := range c.rings {
			x.at(145+2*i, 0, totem.Membership{Kind: cpg.Regular, Ring: ring.ID{Rep: 1, Seq: uint64(4 + 4*i)}})
		}
		x.reset(200, 0)
		x.require(resets{}, c.validity, UnjustifiedReset)
	}
}

// TestAFreezeDelaysTheResetOfAFencedNode: the watchdog stands still with its machine, so a reset may come
// that much later after the master has given the node up for a reason.
func TestAFreezeDelaysTheResetOfAFencedNode(t *testing.T) {
	for frozen, want := range map[int]linearizability.Validity{0: invalid, 60: valid} {
		x := running(t)
		x.fault(20, 110, cut([]string{"n1"}))
		x.at(105, 1, haproc.FenceStep{Node: "n1", Step: ha.FenceStarted})
		if frozen > 0 {
			x.fault(120, 120+frozen, done(fault.Freeze, "n1", ""))
		}
		x.reset(300, 0)
		x.require(resets{}, want, UnjustifiedReset)
	}
}
