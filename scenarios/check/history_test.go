package check_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// leads is the record of a process that leads, or no longer leads.
type leads struct{ On bool }

func (leads) RecordKind() string { return "leads" }

func readLeads(r scenarios.Stamped) (service string, running, concerns bool) {
	rec, is := r.Record.(leads)
	return "leader", rec.On, is
}

var machines = scenarios.Machines{"n1", "n2", "n3"}

// at is a record of a machine at a second.
func at(second int, m env.MachineID, r env.Record) scenarios.Stamped {
	return scenarios.Stamped{At: seconds(second), Machine: m, Record: r}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// applied is a fault from one second to another; 0 is never.
func applied(from, to int, f fault.Fault) scenarios.Applied {
	return scenarios.Applied{Fault: f, Begun: [2]time.Duration{seconds(from), seconds(from)},
		Ended: [2]time.Duration{seconds(to), seconds(to)}}
}

// minute is a run of a minute.
func minute(faults ...scenarios.Applied) *scenarios.Run {
	return &scenarios.Run{Scenario: &scenarios.Scenario{Machines: machines, Quiescence: time.Second},
		Duration: time.Minute, Applied: faults}
}

func TestExclusion(t *testing.T) {
	on, off := leads{true}, leads{}
	lost, back := scenarios.Power{Cause: scenarios.CauseFault}, scenarios.Power{On: true}
	for _, c := range []struct {
		name    string
		records []scenarios.Stamped
		says    string // nothing when the history is valid
	}{
		{"one after the other", []scenarios.Stamped{at(1, 0, on), at(9, 0, off), at(9, 1, on)}, ""},
		{"two at once", []scenarios.Stamped{at(1, 0, on), at(8, 1, on), at(9, 0, off)},
			"at 8s service leader begins to run on n2 while it runs on n1"},
		{"twice on one machine", []scenarios.Stamped{at(1, 0, on), at(3, 0, on)}, ""},
		{"after a power cut", []scenarios.Stamped{at(1, 0, on), at(3, 0, lost), at(4, 1, on)}, ""},
		{"without power", []scenarios.Stamped{at(3, 0, lost), at(4, 0, on)},
			"at 4s service leader shows life on n1, which was switched off at 3s by a power cut"},
		{"with power again", []scenarios.Stamped{at(3, 0, lost), at(4, 0, back), at(5, 0, on)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			watch := check.NewWatch(check.OfRun, check.NewExclusion("one-leader", machines, readLeads))
			for _, r := range c.records {
				require.NoError(t, watch.Record(r))
			}
			v := watch.Check(t.Context(), minute())[0]
			require.Equal(t, "one-leader", v.Checker)
			if c.says == "" {
				require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
				return
			}
			require.Equal(t, linearizability.Invalid, v.Validity)
			require.Equal(t, linearizability.DoubleRun, v.Violations[0].Kind)
			require.Equal(t, c.says, v.Summary)
		})
	}
}

func TestOutagesAndDowntime(t *testing.T) {
	v := check.NewIntervals(3)
	v.Set("a", 0, seconds(10), true)
	v.Set("a", 1, seconds(20), true) // while it moves
	v.Set("a", 0, seconds(21), false)
	v.EndAll(1, seconds(30))
	v.Set("a", 2, seconds(45), true)
	require.Equal(t, []check.Span{{0, seconds(10)}, {seconds(30), seconds(45)}},
		check.Outages(v.All(), "a", time.Minute))
	require.Equal(t, seconds(15), check.Downtime(v.All(), "a", time.Minute), "not before its first start")
	require.Equal(t, time.Minute, check.Downtime(v.All(), "b", time.Minute), "never started")
	require.Equal(t, []env.MachineID{2}, v.Machines("a"))
	f := check.Faults{Machines: machines, End: time.Minute,
		Applied: minute(applied(50, 0, fault.Fault{Kind: fault.Kill, Machines: []string{"n3"}})).Applied}
	require.Equal(t, seconds(25), check.Downtime(f.EndAtKills(v.All(), "host"), "a", time.Minute))
	f.Applied[0].Ended[1], f.Applied[0].Hits = seconds(55), new(uint64)
	require.Equal(t, v.All(), f.EndAtKills(v.All(), "host"), "a kill without effect ends nothing")
}

func TestPowerLog(t *testing.T) {
	var l check.PowerLog
	for _, r := range []scenarios.Stamped{at(0, 0, scenarios.Power{On: true}), at(10, 0, scenarios.Power{}),
		at(15, 1, scenarios.Power{}), at(20, 0, scenarios.Power{On: true})} {
		l.Observe(r)
	}
	require.True(t, l.On(0, seconds(9)))
	require.False(t, l.On(0, seconds(10)))
	require.False(t, l.On(2, seconds(10)), "nothing is known of it")
	require.True(t, l.WasOff(0, seconds(20), seconds(30)))
	require.False(t, l.WasOff(0, seconds(21), seconds(30)))
	require.False(t, l.WasOff(0, 0, seconds(9)))
	require.True(t, l.WasOff(1, seconds(40), seconds(50)), "it never came back")
	require.True(t, l.Started(0, seconds(10), seconds(20)))
	require.False(t, l.Started(0, seconds(1), seconds(19)))
	require.True(t, l.LostPower(1))
	require.False(t, l.LostPower(2))
}

// TestCommonChecks: checks that need nothing but the run.
func TestCommonChecks(t *testing.T) {
	watch := check.NewWatch(check.OfRun, check.Recovery())
	run := minute()
	require.Equal(t, linearizability.Unknown, watch.Check(t.Context(), run)[0].Validity,
		"no machine was asked")
	run.Finals = []scenarios.Final{{Machine: 0}, {Machine: 1}}
	require.Equal(t, linearizability.Valid, watch.Check(t.Context(), run)[0].Validity)
	run.Finals[1].Err = context.DeadlineExceeded
	v := watch.Check(t.Context(), run)[0]
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, "recovery", v.Checker)
}
