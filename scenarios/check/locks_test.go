package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// lockRun is a run of two clients and one lock, whose operations a test adds.
type lockRun struct{ *scenarios.Run }

func newLockRun() *lockRun {
	r := &lockRun{Run: &scenarios.Run{Scenario: &scenarios.Scenario{Warmup: 10 * time.Second,
		Duration: 1000 * time.Second, Quiescence: 20 * time.Second, Workload: workload.Spec{Clients: 2,
			Mix: map[string]int{workload.Acquire: 1}}}}}
	r.Scenario.Workload.SetDefaults(r.Scenario.Duration)
	return r
}

// op adds an operation of a client that takes one second.
func (r *lockRun) op(atSeconds, client int, f string, outcome history.Type) *lockRun {
	for i, kind := range []history.Type{history.Invoke, outcome} {
		r.Events = append(r.Events, history.Event{Process: client, Type: kind, F: f, Key: "lock",
			Time: int64(time.Duration(atSeconds+i) * time.Second), Rev: uint64(len(r.Events))})
	}
	return r
}

func (r *lockRun) look(at, client int) *lockRun {
	return r.op(at, client, workload.ReadLocal, history.OK)
}
func (r *lockRun) take(at, client int) *lockRun {
	return r.op(at, client, workload.Acquire, history.OK)
}
func (r *lockRun) give(at, client int) *lockRun {
	return r.op(at, client, workload.Release, history.OK)
}

// unreadable adds an answer without a call.
func (r *lockRun) unreadable() *lockRun {
	r.Events = append(r.Events, history.Event{Type: history.OK, F: workload.Acquire})
	return r
}

// fault adds a fault of five seconds.
func (r *lockRun) fault(atSeconds int) *lockRun {
	at := time.Duration(atSeconds) * time.Second
	end := at + 5*time.Second
	r.Applied = append(r.Applied, scenarios.Applied{Begun: [2]time.Duration{at, at},
		Ended: [2]time.Duration{end, end}})
	return r
}

func (r *lockRun) verdict(t *testing.T, c check.Check[*scenarios.Run]) linearizability.Verdict {
	return c.Judge(t.Context(), r.Run)
}

func TestLocksOfClients(t *testing.T) {
	v := newLockRun().look(20, 0).take(22, 0).look(24, 1).give(30, 0).take(32, 1).verdict(t, check.Locks())
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	v = newLockRun().take(22, 0).look(24, 1).take(26, 1).give(30, 0).verdict(t, check.Locks())
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, linearizability.LeaseOverlap, v.Violations[0].Kind)
	v = newLockRun().look(24, 1).verdict(t, check.Locks())
	require.Equal(t, linearizability.Unknown, v.Validity, "no client held a lock")
	v = newLockRun().unreadable().verdict(t, check.Locks())
	require.Equal(t, linearizability.Unknown, v.Validity, "no history")
}

func TestLockWaits(t *testing.T) {
	// Client 1 waits while client 0 takes the lock again and again.
	passed := func(times int) *lockRun {
		r := newLockRun().look(20, 1)
		for i := range times {
			r.take(30+4*i, 0).give(32+4*i, 0)
		}
		return r
	}
	half, all := fault.Always/2, fault.Always
	asks := func(r *lockRun, share fault.PPM) *lockRun {
		r.Scenario.Workload.Locks.Served = &share
		return r
	}
	for name, c := range map[string]struct {
		r        *lockRun
		validity linearizability.Validity
		text     string
	}{
		"no client waits": {newLockRun(), linearizability.Unknown, "no client waited for a lock"},
		"served": {newLockRun().look(20, 0).take(22, 0).look(24, 1).give(27, 0).take(40, 1).give(44, 1),
			linearizability.Valid,
			"2 of 2 waits were served, 1 of them within 10s; half of them within 3s, the longest took 17s"},
		"passed over too often": {passed(40).take(900, 1).give(902, 1), linearizability.Invalid,
			"client 1 waited for lock lock from 20s to 15m1s while others got it 40 times"},
		"passed over while something failed": {passed(40).fault(100).take(900, 1).give(902, 1),
			linearizability.Valid, "41 of 41 waits were served"},
		"passed over a few times": {passed(39).take(900, 1).give(902, 1), linearizability.Valid,
			"40 of 40 waits were served"},
		"free and not taken": {newLockRun().take(22, 0).look(30, 1).give(900, 0), linearizability.Invalid,
			"lock lock was free from 15m1s on, and client 1, which had waited since 30s, did not get it " +
				"until 16m50s"},
		"free, and something failed": {newLockRun().take(22, 0).look(30, 1).give(900, 0).fault(1000),
			linearizability.Valid, "1 of 2 waits were served"},
		"free at the end": {newLockRun().take(22, 0).look(30, 1).give(995, 0), linearizability.Valid,
			"1 of 2 waits were served"},
		"perhaps held": {newLockRun().take(22, 0).look(30, 1).op(900, 0, workload.Release, history.Info),
			linearizability.Valid, "1 of 2 waits were served"},
		"half of them are enough": {asks(newLockRun().take(22, 0).look(30, 1).give(995, 0), half),
			linearizability.Valid, "1 of 2 waits were served"},
		"all of them are wanted": {asks(newLockRun().take(22, 0).look(30, 1).give(995, 0), all),
			linearizability.Invalid,
			"1 of 2 waits were served, 1 of them within 10s; half of them within 1s, " +
				"the longest took 1s; the scenario asks for 100%"},
	} {
		v := c.r.verdict(t, check.LockWaits())
		require.Equal(t, c.validity, v.Validity, "%s: %s", name, v.Summary)
		require.Contains(t, v.Summary, c.text, name)
		require.Equal(t, check.LockWaitsChecker, v.Checker)
	}
	r := newLockRun()
	r.Scenario.Workload.Locks = nil
	require.Equal(t, linearizability.Unknown, r.verdict(t, check.LockWaits()).Validity)
	require.Equal(t, linearizability.Unknown,
		newLockRun().unreadable().verdict(t, check.LockWaits()).Validity, "no history")
}
