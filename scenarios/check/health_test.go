package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

const member, server, helper = "member", "server", "helper"

// health is that of three machines with one vote each, all on from the beginning.
func health(faults ...scenarios.Applied) *check.Health {
	var power check.PowerLog
	for m := range env.MachineID(len(machines)) {
		power.Observe(at(0, m, scenarios.Power{On: true, Boot: 1}))
	}
	return check.NewHealth(minute(faults...), power, check.HealthModel{Votes: []uint32{1, 1, 1},
		MemberProcess: member, ServingProcess: server, Watched: []string{helper},
		LateAfter: 10 * time.Millisecond, LossMax: fault.Always / 10, DiskReturns: 5 * time.Second})
}

func cut(groups ...[]string) fault.Fault { return fault.Fault{Kind: fault.Partition, Groups: groups} }

// done is a fault that is done to one machine.
func done(kind fault.Kind, process string) fault.Fault {
	return fault.Fault{Kind: kind, Machines: []string{"n1"}, Process: process}
}

func TestHealthOfAMachine(t *testing.T) {
	for _, c := range []struct {
		name             string
		fault            fault.Fault
		present, healthy bool
		others           bool // the other machines are healthy
		unclear          bool
	}{
		{"nothing that concerns it", done(fault.ClockDrift, ""), true, true, true, false},
		{"cut off", cut([]string{"n1"}), true, false, true, false},
		{"cut off together with another", cut([]string{"n3"}), true, true, false, false},
		{"member process paused", done(fault.Pause, member), false, false, true, false},
		{"serving process killed", done(fault.Kill, server), true, false, true, false},
		{"helper killed", done(fault.Kill, helper), true, true, true, false},
		{"disk stalled", done(fault.DiskStall, ""), true, false, true, false},
		{"not transitive", fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"n2"}}, true,
			false, false, true},
		{"a link that loses much", fault.Fault{Kind: fault.Link, From: []string{"n3"},
			Loss: fault.Always / 5},
			true, false, false, true},
		{"may lose anything", done(fault.Buggify, ""), false, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := health(applied(10, 20, c.fault))
			for _, second := range []int{9, 25} {
				require.Equal(t, []bool{true, true, true}, h.At(seconds(second)).InMajority,
					"at %d s", second)
			}
			p := h.At(seconds(10))
			require.Equal(t, c.present, p.Present[0])
			require.Equal(t, c.healthy, p.InMajority[0])
			require.Equal(t, c.others, p.InMajority[1] && p.InMajority[2])
			require.Equal(t, c.unclear, p.Unclear)
		})
	}
}

// TestRelaysKeepMachinesTogether: with relays a cut pair, in both directions or in one, is no reason for
// anything as long as a third machine reaches both.
func TestRelaysKeepMachinesTogether(t *testing.T) {
	pair := fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"n2"}}
	oneWay := pair
	oneWay.OneWay = true
	relay := fault.Fault{Kind: fault.PowerCut, Machines: []string{"n3"}}
	broken := fault.Fault{Kind: fault.DiskError, Machines: []string{"n3"}}
	r := &scenarios.Run{Scenario: &scenarios.Scenario{Machines: machines}, Duration: time.Minute,
		Applied: []scenarios.Applied{applied(10, 20, pair), applied(30, 40, oneWay), applied(50, 55, pair),
			applied(50, 54, relay), applied(56, 59, pair), applied(56, 59, broken)}}
	var power check.PowerLog
	for m := range env.MachineID(3) {
		power.Observe(at(0, m, scenarios.Power{On: true}))
	}
	power.Observe(at(50, 2, scenarios.Power{}))
	power.Observe(at(54, 2, scenarios.Power{On: true}))
	h := check.NewHealth(r, power, check.HealthModel{Votes: []uint32{1, 1, 1}, MemberProcess: member,
		ServingProcess: server, LossMax: fault.Always / 10, Relays: true})
	for _, second := range []int{15, 35} {
		p := h.At(seconds(second))
		require.False(t, p.Unclear)
		require.Equal(t, []bool{true, true, true}, p.InMajority, "at %d s", second)
		require.Equal(t, seconds(second-5), p.From, "a change of the route is a change of the health")
		require.True(t, p.Relayed[1])
	}
	require.Equal(t, []bool{false, false, false}, h.At(seconds(52)).InMajority, "nothing can relay")
	require.False(t, h.At(seconds(52)).Unclear)
	require.Equal(t, []bool{false, false, false}, h.At(seconds(57)).InMajority, "its disk returns errors")
}

// TestHealthDetails: what phases note besides being healthy.
func TestHealthDetails(t *testing.T) {
	h := health(applied(10, 20, done(fault.Pause, helper)),
		applied(30, 32, fault.Fault{Kind: fault.Link, From: []string{"n1"}, Latency: 10 * time.Millisecond}),
		applied(40, 42, done(fault.DiskError, "")))
	require.True(t, h.At(seconds(10)).Stopped[0].Has(0))
	require.False(t, h.At(seconds(10)).Stopped[1].Has(0))
	require.True(t, h.At(seconds(30)).Late[0])
	require.True(t, h.At(seconds(40)).DiskFailing[0])
	require.False(t, h.At(seconds(43)).DiskFailing[0])
	require.False(t, h.At(seconds(46)).Serving[0], "a disk that failed may need 5 s more")
	require.True(t, h.At(seconds(47)).Serving[0])
	require.Len(t, h.Phases, 8)
}

// TestAPauseEndsWithAReset: what a machine runs after a reset was not paused.
func TestAPauseEndsWithAReset(t *testing.T) {
	f := check.Faults{Machines: machines, End: time.Minute,
		Applied: []scenarios.Applied{applied(10, 50, done(fault.Pause, member))}}
	require.True(t, f.Stopped(0, member, seconds(45)))
	for _, r := range []scenarios.Stamped{at(0, 0, scenarios.Power{On: true}), at(30, 0, scenarios.Power{}),
		at(40, 0, scenarios.Power{On: true})} {
		f.Power.Observe(r)
	}
	require.True(t, f.Stopped(0, member, seconds(39)))
	require.False(t, f.Stopped(0, member, seconds(45)))
	f.Applied[0] = applied(40, 50, done(fault.Pause, member))
	require.True(t, f.Stopped(0, member, seconds(45)), "the pause began when the machine was switched on")
}

// TestFaultsNearAnInstant: killed, stopped and paused, with how long after it counts.
func TestFaultsNearAnInstant(t *testing.T) {
	f := check.Faults{Machines: machines, End: time.Minute, Applied: []scenarios.Applied{
		applied(10, 20, done(fault.Kill, member)), applied(30, 40, done(fault.Pause, ""))}}
	require.True(t, f.Killed(0, member, seconds(15), seconds(5)))
	require.False(t, f.Killed(0, member, seconds(15), seconds(4)))
	require.False(t, f.Killed(0, server, seconds(15), seconds(5)))
	require.False(t, f.Killed(1, member, seconds(15), seconds(5)))
	f.Applied[0].Hits = new(uint64)
	require.False(t, f.Killed(0, member, seconds(15), seconds(5)), "it waited in vain for a disk call")
	f.Applied[0].Hits = nil
	require.True(t, f.StoppedSince(0, member, seconds(23), seconds(3)))
	require.False(t, f.StoppedSince(0, member, seconds(24), seconds(3)))
	require.Equal(t, seconds(11), f.PausedFor(0, server, seconds(41), seconds(1)))
	require.Zero(t, f.PausedFor(0, server, seconds(42), seconds(1)))
	require.True(t, f.AnyActed(seconds(20), seconds(25)))
	require.False(t, f.AnyActed(seconds(21), seconds(29)))
}

// TestSettled is the worked example of Health.Settled, and what comes before a span.
func TestSettled(t *testing.T) {
	first := func(p *check.Phase) bool { return p.InMajority[0] }
	for _, c := range []struct {
		name   string
		faults []scenarios.Applied
		want   int // -1: never
	}{
		{"no trouble", nil, 60},
		{"trouble until shortly before", []scenarios.Applied{applied(10, 35, cut([]string{"n1"}))}, -1},
		{"trouble that ended in time", []scenarios.Applied{applied(10, 29, cut([]string{"n1"}))}, 60},
		{"another machine goes early", []scenarios.Applied{applied(10, 29, cut([]string{"n1"})),
			applied(35, 60, cut([]string{"n2"}))}, 60},
		{"another machine goes late", []scenarios.Applied{applied(55, 60, cut([]string{"n2"}))}, 55},
		{"short trouble late", []scenarios.Applied{applied(55, 56, cut([]string{"n1"}))}, 55},
	} {
		t.Run(c.name, func(t *testing.T) {
			last, found := health(c.faults...).Settled(check.Span{From: seconds(40), To: seconds(60)},
				30*time.Second, 20*time.Second, first)
			require.Equal(t, c.want >= 0, found)
			if found {
				require.Equal(t, seconds(c.want), last)
			}
		})
	}
}
