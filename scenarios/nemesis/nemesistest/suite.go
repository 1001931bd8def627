// Package nemesistest is the conformance suite for backends that inject faults: the same cases run
// against the simulator and against real nodes.
//
// It never tests what a fault does inside of a process; tests of the backend do.
package nemesistest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Backend is what the suite tests.
type Backend struct {
	Runner scenarios.Runner
	// Subject makes the replicated register that the cases run on.
	Subject func(t testing.TB, s *scenarios.Scenario) scenarios.Subject
	// Unsupported reports why the backend cannot inject a fault; "" when it can.
	Unsupported func(f *fault.Fault) string
}

// Times of the cases, from the start of the faults.
const (
	warmup    = 500 * time.Millisecond
	beginAt   = 700 * time.Millisecond
	lasts     = 1500 * time.Millisecond
	duration  = 3500 * time.Millisecond
	tolerance = 300 * time.Millisecond // operations that were under way when the fault began
	slack     = time.Second            // how late real nodes may begin or end a fault
)

// example is a fault and what clients must see of it.
type example struct {
	fault.Fault
	// silences is true for a fault during which n1 cannot complete an operation.
	silences bool
	// inert is true for a fault that affects nothing in a healthy run.
	inert bool
}

// examples returns one fault of every kind, all against n1.
func examples() []example {
	one, all := []string{"n1"}, []string{fault.All}
	return []example{
		{fault.Fault{Kind: fault.Partition, Groups: [][]string{one}}, true, false},
		{fault.Fault{Kind: fault.Cut, From: one, To: all}, true, false},
		{fault.Fault{Kind: fault.Link, From: one, To: all, Loss: fault.Always}, true, false},
		{fault.Fault{Kind: fault.Flap, From: one, To: all, Down: 2 * lasts, Up: time.Second}, true, false},
		{fault.Fault{Kind: fault.Kill, Machines: one}, true, false},
		{fault.Fault{Kind: fault.Pause, Machines: one}, true, false},
		{fault.Fault{Kind: fault.PowerCut, Machines: one}, true, false},
		{fault.Fault{Kind: fault.PowerOn, Machines: one}, false, true},
		{fault.Fault{Kind: fault.DiskStall, Machines: one}, true, false},
		{fault.Fault{Kind: fault.DiskSlow, Machines: one, Latency: 10 * time.Second}, true, false},
		{fault.Fault{Kind: fault.DiskFull, Machines: one}, false, false},
		{fault.Fault{Kind: fault.DiskError, Machines: one, Operation: "sync"}, false, false},
		{fault.Fault{Kind: fault.DiskWipe, Machines: one}, true, false},
		{fault.Fault{Kind: fault.DiskRollback, Machines: one}, false, false},
		{fault.Fault{Kind: fault.DiskCut, Machines: one, File: "no such file"}, true, false},
		{fault.Fault{Kind: fault.ClockStep, Machines: one, Step: time.Hour}, false, false},
		{fault.Fault{Kind: fault.ClockDrift, Machines: one, DriftPPM: 500}, false, false},
		{fault.Fault{Kind: fault.Slow, Machines: one, Latency: 10 * time.Second}, true, false},
		{fault.Fault{Kind: fault.Freeze, Machines: one}, true, false},
		{fault.Fault{Kind: fault.Clog, From: one, To: all}, true, false},
		{fault.Fault{Kind: fault.Bandwidth, From: one, To: all, BytesPerSecond: 5}, true, false},
		{fault.Fault{Kind: fault.MTU, From: one, To: all, MTUBytes: fault.HeaderBytes}, true, false},
		{fault.Fault{Kind: fault.Corrupt, From: one, To: all, Share: fault.Always / 4}, false, false},
		{fault.Fault{Kind: fault.DiskCorrupt, Machines: one}, false, false},
		{fault.Fault{Kind: fault.DiskLatent, Machines: one}, false, true},
		{fault.Fault{Kind: fault.DiskLostWrite, Machines: one}, false, false},
		{fault.Fault{Kind: fault.DiskMisdirect, Machines: one}, false, false},
		{fault.Fault{Kind: fault.Buggify, Machines: one, Share: fault.Always}, false, false},
	}
}

// Run tests a backend.
func Run(t *testing.T, b Backend) {
	covered := map[fault.Kind]bool{}
	for _, e := range examples() {
		covered[e.Kind] = true
		t.Run(string(e.Kind), func(t *testing.T) { b.beginsAndEnds(t, e) })
	}
	for _, k := range fault.Kinds() {
		require.True(t, covered[k], "the suite has no case for %s", k)
	}
	t.Run("faults of one kind overlap", b.overlap)
	t.Run("a fault finds the machine with its role", b.findsTheRole)
	t.Run("a fault follows a role", b.followsTheRole)
	t.Run("a fault whose role no machine has acts on none", b.findsNoRole)
	t.Run("what a clogged link holds back arrives", b.unclogs)
	t.Run("a fault without an end lasts until the end of faults", b.untilTheEnd)
	t.Run("an unknown kind is a problem", func(t *testing.T) {
		b.refuses(t, fault.Fault{Kind: "moon-phase", Machines: []string{"n1"}}, "moon-phase")
	})
	t.Run("an unknown machine is a problem", func(t *testing.T) {
		b.refuses(t, fault.Fault{Kind: fault.Pause, Machines: []string{"n9"}}, `no machine is called "n9"`)
	})
}

func (b Backend) run(t *testing.T, faults ...fault.Fault) *scenarios.Run {
	t.Helper()
	s := scenarios.New("conformance").Story("Faults begin and end.").Machines(3).
		Warmup(warmup).Duration(duration).Quiescence(time.Second).
		Workload(workload.Spec{Clients: 3, Operations: 180, Timeout: time.Second}).
		Subject(register.Kind, nil).MustBuild()
	s.Faults = faults // some are invalid on purpose: a backend must not rely on validation
	run, err := b.Runner.Run(t.Context(), s, b.Subject(t, s), scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(run.Applied), len(faults), "each place of a fault that moves is one more")
	return run
}

func (b Backend) beginsAndEnds(t *testing.T, e example) {
	f := e.Fault
	f.At, f.For = beginAt, lasts
	run := b.run(t, f)
	a := run.Applied[0]
	if why := b.Unsupported(&f); why != "" {
		require.NotEmpty(t, a.Problem, "a fault that cannot be injected must be reported")
		require.Equal(t, linearizability.Unknown, run.Verdict())
		return
	}
	require.Empty(t, a.Problem)
	requireTimes(t, a, warmup+beginAt, lasts)
	require.Equal(t, e.inert && a.Hits != nil, a.WithoutEffect(), "what the fault affected is counted")
	if e.silences {
		during := okOf(run, "n1", a.Begun[1]+tolerance, a.Ended[0])
		require.Zero(t, during, "n1 served during the fault")
	}
	others := okOf(run, "n2", a.Begun[1], a.Ended[0]) + okOf(run, "n3", a.Begun[1], a.Ended[0])
	require.NotZero(t, others, "the fault hit machines that it does not name")
	requireHealthy(t, run)
}

// overlap begins two equal faults, one later than the other: the machine is silent until the
// second one ends, because effects are counted.
func (b Backend) overlap(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Pause, fault.Kill, fault.DiskStall} {
		first := fault.Fault{Kind: kind, At: beginAt, For: lasts / 2, Machines: []string{"n1"}}
		if b.Unsupported(&first) != "" {
			continue // beginsAndEnds requires that this is reported
		}
		second := first
		second.At = beginAt + lasts/4
		second.For = lasts
		run := b.run(t, first, second)
		one, two := run.Applied[0], run.Applied[1]
		require.Empty(t, one.Problem+two.Problem, kind)
		require.Less(t, one.Ended[1], two.Ended[0], kind)
		require.Zero(t, okOf(run, "n1", one.Begun[1]+tolerance, two.Ended[0]),
			"%s: n1 served before the second ended", kind)
		requireHealthy(t, run)
	}
}

// findsTheRole aims at the machine that has made a value durable last, and at the machine that a client
// called last.
func (b Backend) findsTheRole(t *testing.T) {
	for _, role := range []string{register.RoleWriter, scenarios.RoleServing} {
		run := b.run(t, fault.Fault{Kind: fault.Pause, At: beginAt, For: lasts, Role: role},
			fault.Fault{Kind: fault.Partition, At: beginAt + 2*lasts/3, For: lasts / 3, Role: role})
		for _, a := range run.Applied {
			require.Empty(t, a.Problem, role)
			require.False(t, a.WithoutEffect(), role)
			require.Equal(t, role, a.Fault.Role)
			require.False(t, a.Fault.IsAimed(), "the machine that was hit is known")
		}
		hit := run.Applied[0].Fault.Machines
		require.Len(t, hit, 1)
		require.Zero(t, okOf(run, hit[0], run.Applied[0].Begun[1]+tolerance, run.Applied[0].Ended[0]))
		requireHealthy(t, run)
	}
}

// followsTheRole pauses whichever machine a client has called last, beside a fault of all links that must end
// although the other one moves.
func (b Backend) followsTheRole(t *testing.T) {
	const every = lasts / 10
	run := b.run(t, fault.Fault{Kind: fault.Link, At: beginAt, For: 2 * lasts, From: []string{fault.All},
		To: []string{fault.All}, Latency: time.Millisecond},
		fault.Fault{Kind: fault.Pause, At: beginAt, For: lasts, Role: scenarios.RoleServing, Follow: every})
	requireTimes(t, run.Applied[0], warmup+beginAt, 2*lasts)
	places := run.Applied[1:]
	require.Greater(t, len(places), 1, "the clients have called others")
	for i, a := range places {
		require.Empty(t, a.Problem)
		require.False(t, a.Fault.IsAimed())
		if i > 0 {
			require.NotEqual(t, places[i-1].Fault.Machines, a.Fault.Machines)
			require.GreaterOrEqual(t, a.Begun[0], places[i-1].Ended[0])
			require.GreaterOrEqual(t, a.Begun[0]-places[i-1].Begun[0], every-tolerance)
		}
	}
	end := places[len(places)-1].Ended[0]
	require.GreaterOrEqual(t, end, warmup+beginAt+lasts)
	require.Less(t, end, warmup+beginAt+lasts+tolerance)
	requireHealthy(t, run)
}

// findsNoRole aims at the writer before anything was written.
func (b Backend) findsNoRole(t *testing.T) {
	run := b.run(t, fault.Fault{Kind: fault.Pause, For: lasts, Role: register.RoleWriter},
		fault.Fault{Kind: fault.Cut, For: lasts, Role: register.RoleWriter, To: []string{fault.All}})
	for _, a := range run.Applied {
		require.Empty(t, a.Problem)
		require.True(t, a.WithoutEffect(), "no machine had the role: %+v", a)
		require.True(t, a.Fault.IsAimed())
	}
	requireHealthy(t, run)
}

// unclogs requires that the operations of a clogged machine are completed after the clog: nothing was
// dropped.
func (b Backend) unclogs(t *testing.T) {
	clog := fault.Fault{Kind: fault.Clog, At: beginAt, For: lasts / 3, From: []string{"n1"},
		To: []string{fault.All}}
	run := b.run(t, clog)
	over := run.Applied[0].Ended[1]
	require.NotZero(t, okOf(run, "n1", over, over+tolerance))
	requireHealthy(t, run)
}

func (b Backend) untilTheEnd(t *testing.T) {
	run := b.run(t, fault.Fault{Kind: fault.Pause, At: beginAt, Machines: []string{"n1"}},
		fault.Fault{Kind: fault.Partition, At: beginAt, Groups: [][]string{{"n1"}}})
	for _, a := range run.Applied {
		require.Empty(t, a.Problem)
		requireTimes(t, a, warmup+beginAt, duration-beginAt)
	}
	requireHealthy(t, run)
}

func (b Backend) refuses(t *testing.T, f fault.Fault, problem string) {
	f.At, f.For = beginAt, lasts
	run := b.run(t, f)
	require.Contains(t, run.Applied[0].Problem, problem)
	require.Equal(t, linearizability.Unknown, run.Verdict(),
		"what was not injected must not count as survived")
}

// requireTimes requires that a fault began and ended when it was due, each within an interval.
func requireTimes(t *testing.T, a scenarios.Applied, begin, lasts time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, a.Begun[0], begin)
	require.GreaterOrEqual(t, a.Begun[1], a.Begun[0])
	require.GreaterOrEqual(t, a.Ended[0], a.Begun[1])
	require.GreaterOrEqual(t, a.Ended[1], a.Ended[0])
	require.InDelta(t, lasts, a.Ended[0]-a.Begun[0], float64(slack))
}

// requireHealthy requires that nothing of a fault is left after quiescence: every machine answers.
func requireHealthy(t *testing.T, run *scenarios.Run) {
	t.Helper()
	require.Len(t, run.Finals, 3*workload.DefaultKeys, "every machine reads every key")
	for _, f := range run.Finals {
		require.NoError(t, f.Err, "%s does not answer after the fault", run.Scenario.Machines[f.Machine])
	}
}

// okOf counts the operations that a machine completed in a span of the run.
func okOf(run *scenarios.Run, machine string, from, to time.Duration) int {
	count := 0
	for _, e := range run.Events {
		if at := time.Duration(e.Time); e.Node == machine && e.Type == history.OK && at >= from && at < to {
			count++
		}
	}
	return count
}
