package scenarios_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// drawn is a chooser whose values a test generates, per stream and label.
type drawn struct {
	t     *rapid.T
	label string
}

func (d drawn) Choose(n uint64) uint64 { return rapid.Uint64Range(0, n-1).Draw(d.t, d.label) }

func drawnFrom(t *rapid.T) draw.Lists {
	return func(stream, label string) draw.Chooser {
		require.Equal(t, scenarios.NemesisStream, stream)
		return drawn{t, label}
	}
}

// fixed gives the same value, as far as the range allows, to every draw of a label.
type fixed uint64

func (f fixed) Choose(n uint64) uint64 { return min(uint64(f), n-1) }

func stormy(t *rapid.T) *scenarios.Scenario {
	n := rapid.IntRange(2, 7).Draw(t, "machines")
	kinds := rapid.SliceOfNDistinct(rapid.SampledFrom(fault.Kinds()), 1, 13, rapid.ID).Draw(t, "kinds")
	b := scenarios.New("stormy").Story("Everything at once.").Subject("toy", nil).
		Machines(n).Duration(60 * time.Second).
		Nemesis(scenarios.Nemesis{Kinds: kinds, Every: 4 * time.Second, ForMin: time.Second,
			ForMax: 9 * time.Second,
			AtOnce: rapid.IntRange(1, 4).Draw(t, "at once")})
	if n > 2 && rapid.Bool().Draw(t, "scheduled") {
		b.At(20 * time.Second).PowerCut("n1").For(10 * time.Second)
	}
	return b.MustBuild()
}

// instants are the times at which the damage of a schedule may change.
func instants(s *scenarios.Scenario, schedule []fault.Fault) []time.Duration {
	out := []time.Duration{0, s.Duration - 1}
	for _, f := range schedule {
		out = append(out, f.At, f.At+f.For)
		if f.At > 0 {
			out = append(out, f.At-1)
		}
	}
	return out
}

func TestExpandStaysWithinBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := stormy(t)
		schedule := scenarios.Expand(s, nil, drawnFrom(t))
		for _, at := range instants(s, schedule) {
			require.True(t, scenarios.MajoritySurvives(s.DamageAt(schedule, at)), "at %s: %+v", at, schedule)
			acting, clogged := 0, false
			for _, f := range schedule {
				if clogged && f.Kind == fault.Clog {
					continue // the clogs of a swizzle count as one
				}
				clogged = clogged || f.Kind == fault.Clog && f.At <= at && at < f.At+f.For
				if f.At <= at && at < f.At+f.For && !slices.ContainsFunc(s.Faults,
					func(g fault.Fault) bool { return g.At == f.At }) {
					acting++
				}
			}
			require.LessOrEqual(t, acting, s.Nemesis.AtOnce)
		}
	})
}

// TestExpandMakesSoundFaults puts the schedule into a file: whatever is drawn could have been
// written by hand.
func TestExpandMakesSoundFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := stormy(t)
		resolved := s.Resolved(nil, drawnFrom(t))
		require.NoError(t, resolved.Validate())
		text, err := scenarios.Marshal(resolved)
		require.NoError(t, err)
		_, _, err = scenarios.Parse("resolved.yaml", text, toyKinds())
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(resolved.Faults,
			func(a, b fault.Fault) int { return int(a.At - b.At) }))
	})
}

func TestExpandOfZerosIsQuiet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := stormy(t)
		schedule := scenarios.Expand(s, nil, func(_, _ string) draw.Chooser { return fixed(0) })
		require.Equal(t, len(s.Faults), len(schedule))
	})
}

func TestExpandLeavesTheScenarioAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := stormy(t)
		before := slices.Clone(s.Faults)
		scenarios.Expand(s, nil, drawnFrom(t))
		require.Equal(t, before, s.Faults)
	})
}

// strict survives nothing, counting how often it was asked.
type strict struct {
	scenarios.Judge
	asked *int
}

func (j strict) Survives(scenarios.Damage) bool { *j.asked++; return false }

func TestExpandAsksTheJudge(t *testing.T) {
	asked := 0
	s := scenarios.New("x").Story("s").Subject("toy", nil).Machines(3).Duration(time.Minute).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.Kill, fault.ClockStep}, Every: 4 * time.Second,
			ForMin: time.Second, ForMax: time.Second, AtOnce: 3}).MustBuild()
	pick := func(kind uint64) func(_, label string) draw.Chooser {
		return func(_, label string) draw.Chooser {
			if label == "kind" {
				return fixed(kind)
			}
			return fixed(1)
		}
	}
	require.Empty(t, scenarios.Expand(s, strict{asked: &asked}, pick(0)))
	require.Positive(t, asked)
	require.Len(t, scenarios.Expand(s, strict{asked: &asked}, pick(1)), 16,
		"a clock that steps takes nothing away")
}

func TestDamage(t *testing.T) {
	s := scenarios.New("x").Story("s").Subject("toy", nil).Machines(5).Duration(time.Minute).MustBuild()
	at := func(f fault.Fault) scenarios.Damage {
		f.At, f.For = time.Second, time.Second
		return s.DamageAt([]fault.Fault{f}, 1500*time.Millisecond)
	}
	for _, kind := range []fault.Kind{fault.Kill, fault.Pause, fault.PowerCut, fault.DiskStall,
		fault.DiskFull, fault.DiskError} {
		d := at(fault.Fault{Kind: kind, Machines: []string{"n2", "n4"}})
		require.Equal(t, []env.MachineID{1, 3}, d.Down, kind)
		require.True(t, scenarios.MajoritySurvives(d))
		d = at(fault.Fault{Kind: kind, Machines: []string{"n2", "n4", "n5"}})
		require.False(t, scenarios.MajoritySurvives(d), kind)
	}
	d := at(fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"all"}, OneWay: true})
	require.False(t, d.Reaches(0, 3))
	require.True(t, d.Reaches(3, 0))
	require.True(t, scenarios.MajoritySurvives(d), "the other four are whole")
	d = at(fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n1", "n2"}, {"n3", "n4"}}})
	require.False(t, scenarios.MajoritySurvives(d))
	d = at(fault.Fault{Kind: fault.Link, From: []string{"n1", "n2", "n3"}, To: []string{"all"},
		Loss: fault.Always})
	require.False(t, scenarios.MajoritySurvives(d))
	d = at(fault.Fault{Kind: fault.Flap, From: []string{"n1", "n2"}, To: []string{"n3", "n4", "n5"},
		Up: 1, Down: 1})
	require.True(t, scenarios.MajoritySurvives(d), "n3, n4 and n5 are whole")

	late := []fault.Fault{{Kind: fault.DiskFull, At: 1, For: 1, Machines: []string{"n1"}}}
	require.NotEmpty(t, s.DamageAt(late, time.Minute-1).Down, "a store that could not write may stay down")
	late[0].Kind = fault.DiskStall
	require.Empty(t, s.DamageAt(late, time.Minute-1).Down)
}

// TestMajorityAgainstEverySubset compares the search with a plain one over all sets of machines.
func TestMajorityAgainstEverySubset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "machines")
		cut := rapid.SliceOfN(rapid.Bool(), n*n, n*n).Draw(t, "cut")
		d := scenarios.Damage{Machines: n,
			Reaches: func(from, to env.MachineID) bool { return from == to || !cut[int(from)*n+int(to)] }}
		for m := range n {
			if rapid.Bool().Draw(t, "down") {
				d.Down = append(d.Down, env.MachineID(m))
			}
		}
		require.Equal(t, plainMajority(d), scenarios.MajoritySurvives(d))
	})
}

func plainMajority(d scenarios.Damage) bool {
	for set := range 1 << d.Machines {
		size, whole := 0, true
		for a := range d.Machines {
			if set>>a&1 == 0 {
				continue
			}
			size++
			whole = whole && !slices.Contains(d.Down, env.MachineID(a))
			for b := range d.Machines {
				whole = whole && (set>>b&1 == 0 || d.Reaches(env.MachineID(a), env.MachineID(b)))
			}
		}
		if whole && size > d.Machines/2 {
			return true
		}
	}
	return false
}

func TestMajorityOfManyMachinesIsQuick(t *testing.T) {
	d := scenarios.Damage{Machines: scenarios.MaxMachines,
		Reaches: func(from, to env.MachineID) bool { return (from+to)%3 != 0 }}
	begun := time.Now()
	require.False(t, scenarios.MajoritySurvives(d))
	require.Less(t, time.Since(begun), 10*time.Second, "the search is bounded")
}

// aimedStorm is a storm in which every fault may be aimed at a role or wait for a disk call.
func aimedStorm(t *rapid.T) *scenarios.Scenario {
	s := stormy(t)
	s.Nemesis.Roles = []string{scenarios.RoleServing, "leader"}
	if slices.Contains(s.Nemesis.Kinds, fault.Kill) || slices.Contains(s.Nemesis.Kinds, fault.PowerCut) {
		s.Nemesis.DiskCalls = 9
	}
	return s
}

// TestExpandAimsWithinBudget: whichever machines have the roles, the rest survives.
func TestExpandAimsWithinBudget(t *testing.T) {
	aimed, waiting := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := aimedStorm(t)
		schedule := scenarios.Expand(s, nil, drawnFrom(t))
		holder := rapid.SampledFrom(s.Machines)
		for i := range schedule {
			f := &schedule[i]
			require.NoError(t, f.Validate(s.Machines))
			if f.AtDiskCall > 0 {
				waiting++
			}
			if f.IsAimed() {
				aimed++
				*f = f.AimedAt(holder.Draw(t, "holder"))
			}
		}
		for _, at := range instants(s, schedule) {
			require.True(t, scenarios.MajoritySurvives(s.DamageAt(schedule, at)), "at %s: %+v", at, schedule)
		}
	})
	require.NotZero(t, aimed)
	require.NotZero(t, waiting)
}

// TestSwizzleFreesInAnotherOrder: several machines are clogged one after the other, and not freed in that
// order.
func TestSwizzleFreesInAnotherOrder(t *testing.T) {
	s := scenarios.New("swizzle").Story("s").Subject("toy", nil).Machines(9).Duration(10 * time.Minute).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.Clog}, Every: 30 * time.Second,
			ForMin: 10 * time.Second,
			ForMax: 20 * time.Second}).MustBuild()
	together, reordered := 0, 0
	for seed := range uint64(20) {
		schedule := scenarios.Expand(s, nil, draw.Derive(seed))
		for i, a := range schedule {
			for _, b := range schedule[i+1:] {
				if b.At < a.At+a.For {
					together++
				}
				if b.At > a.At && b.At+b.For < a.At+a.For {
					reordered++
				}
			}
		}
	}
	require.Greater(t, together, 20)
	require.Greater(t, reordered, 5)
}

func TestPairLatencyIsSymmetricAndOfTheSeed(t *testing.T) {
	s := scenarios.New("x").Story("s").Subject("toy", nil).Machines(5).Duration(time.Minute).
		Network(scenarios.Network{PairLatency: 40 * time.Millisecond}).MustBuild()
	latencies := func(seed uint64) []time.Duration {
		net := fault.NewNet(s.Machines, s.Base())
		net.SetBase(s.ChangeBase(draw.Derive(seed)))
		var all []time.Duration
		for a := range s.Machines {
			for b := range a {
				require.Equal(t, net.Condition(a, b), net.Condition(b, a))
				require.Less(t, net.Condition(a, b).Latency, s.Network.Latency+s.Network.PairLatency)
				all = append(all, net.Condition(a, b).Latency)
			}
		}
		return all
	}
	require.Equal(t, latencies(1), latencies(1))
	require.NotEqual(t, latencies(1), latencies(2))
	require.Nil(t, (&scenarios.Scenario{}).ChangeBase(draw.Derive(1)))
}

func TestUnknownRolesAreRefused(t *testing.T) {
	leader := scenarios.RoleTable{}
	subject := scenarios.Define(scenarios.Definition{Kind: "led", Driver: noDriver{},
		Encode: func(workload.Op) (string, []byte) { return "", nil },
		Decode: func(workload.Op, []byte) (workload.Result, error) { return workload.OK(), nil },
		Check:  func(context.Context, *scenarios.Run) []linearizability.Verdict { return nil },
		Roles:  []string{"leader"}, WatchRoles: func(*scenarios.Scenario) scenarios.RoleWatch {
			return watchTable{&leader}
		}})
	require.Equal(t, []string{"leader", scenarios.RoleServing}, scenarios.RolesOf(subject))
	s := scenarios.New("x").Story("s").Subject("led", nil).Machines(3).Duration(time.Minute).
		At(1).PauseMachine().AtRole("leader").For(5).At(10).PauseMachine().AtRole("laeder").For(5).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.Kill}, Every: time.Second, ForMin: 1, ForMax: 1,
			Roles: []string{"serving", "boss"}}).MustBuild()
	err := scenarios.CheckProcesses(s, subject)
	require.ErrorContains(t, err,
		`faults[1].role: the subject led has no role "laeder"; did you mean "leader"?`)
	require.ErrorContains(t, err, `nemesis.roles[1]: the subject led has no role "boss"`)
	require.NotContains(t, err.Error(), "faults[0]")

	watch := scenarios.WatchRoles(s, subject, s.Faults)
	_, found := watch.Holder("leader")
	require.False(t, found)
	leader.Give("leader", 1)
	leader.Give("leader", 2)
	leader.Take("leader", 1) // has it no longer
	m, found := watch.Holder("leader")
	require.True(t, found)
	require.EqualValues(t, 2, m)
	leader.Take("leader", 2)
	_, found = watch.Holder("leader")
	require.False(t, found)
	require.Nil(t, scenarios.WatchRoles(s, subject, nil), "no fault needs it")
}

type watchTable struct{ *scenarios.RoleTable }

func (watchTable) Observe(scenarios.Stamped) {}

type noDriver struct{ scenarios.Driver }
