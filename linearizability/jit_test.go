package linearizability

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sort"
	"strconv"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// registerRun makes a history of one correct register with few values, so that they are written again
// and again.
func registerRun(rng *rand.Rand, ops, clients, values, unknownPpm int) []history.Operation {
	type timed struct {
		op    history.Operation
		point int64
	}
	var run []timed
	next := clients
	for c := range clients {
		now, process := rng.Int64N(500), c
		for range ops / clients {
			op := history.Operation{Process: process, Call: now, Outcome: history.OK}
			op.Return = now + 50 + rng.Int64N(500)
			point := now + rng.Int64N(op.Return-now+1)
			now = op.Return + 1 + rng.Int64N(200)
			if rng.IntN(1_000_000) < unknownPpm {
				op.Ended, op.Return, op.Outcome = op.Return, history.Never, history.Info
				point = op.Call + rng.Int64N(3000)
				process, next = next, next+1
				if rng.IntN(2) == 0 {
					point = history.Never // never
				}
			}
			run = append(run, timed{op, point})
		}
	}
	sort.SliceStable(run, func(i, j int) bool { return run[i].point < run[j].point })
	state := "null"
	list := make([]history.Operation, 0, len(run))
	for i := range run {
		executeRegister(rng, &run[i].op, &state, values, run[i].point != history.Never)
		list = append(list, run[i].op)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Call < list[j].Call })
	for i := range list {
		list[i].Index = int64(2 * i)
	}
	return list
}

func executeRegister(rng *rand.Rand, op *history.Operation, state *string, values int, happens bool) {
	value := func() string { return strconv.Itoa(rng.IntN(values)) }
	switch rng.IntN(3) {
	case 0:
		op.F = "read"
		if op.Outcome == history.OK {
			op.Output = json.RawMessage(*state)
		}
	case 1:
		op.F, op.Input = "write", json.RawMessage(value())
		if happens {
			*state = string(op.Input)
		}
	default:
		expected, written := value(), value()
		op.F, op.Input = "cas", json.RawMessage("["+expected+","+written+"]")
		switch {
		case *state == expected && happens:
			*state = written
		case *state != expected && op.Outcome == history.OK:
			op.Outcome = history.Fail
		}
	}
}

// corruptRegister changes one answer or one time.
func corruptRegister(rng *rand.Rand, ops []history.Operation, values int) {
	op := &ops[rng.IntN(len(ops))]
	switch rng.IntN(4) {
	case 0:
		if op.F == "read" {
			op.Output = json.RawMessage(strconv.Itoa(rng.IntN(values)))
		}
	case 1:
		if op.F == "cas" && op.Outcome != history.Info {
			op.Outcome = history.OK + history.Fail - op.Outcome
		}
	case 2:
		if op.Return != history.Never {
			op.Return = op.Call + rng.Int64N(100)
		}
	case 3:
		shift := rng.Int64N(1500) - 700
		op.Call += shift
		if op.Return != history.Never {
			op.Return += shift
		}
	}
}

// The just-in-time search and porcupine agree about random registers and versioned keys, good and broken; and
// whatever is minimised is still invalid to porcupine.
func TestJITAgreesWithPorcupine(t *testing.T) {
	register, err := models.Register(nil)
	require.NoError(t, err)
	versioned, err := models.VersionedKV(nil)
	require.NoError(t, err)
	ctx := context.Background()
	var good, bad, silent int
	sizes := map[int]int{}
	for n := *crossFrom; n < *crossFrom+*crossHistories; n++ {
		rng := rand.New(rand.NewPCG(uint64(n), 11))
		values, unknown := 2+rng.IntN(4), []int{0, 50_000, 200_000}[rng.IntN(3)]
		m, ops := register, registerRun(rng, 8+rng.IntN(30), 2+rng.IntN(5), values, unknown)
		if n%2 == 0 {
			m = versioned
			ops = gen.Store(gen.Config{Seed: uint64(n), Ops: 8 + rng.IntN(30), Clients: 2 + rng.IntN(4),
				Keys:       1,
				UnknownPpm: unknown, Idle: rng.IntN(500)}).Ops
		}
		for range rng.IntN(3) {
			if m == versioned {
				corrupt(rng, ops)
			} else {
				corruptRegister(rng, ops, values)
			}
		}
		list := raw(t, m, ops)
		want := porcupine.CheckOperationsTimeout(m.Model, list, arbiterTimeout)
		got, reason := (&budget{ctx: ctx, memory: DefaultMemoryBytes}).searchBlind(m, list, 0)
		require.NoError(t, reason)
		switch want {
		case porcupine.Ok:
			require.Equal(t, Valid, got, "history %d", n)
			good++
		case porcupine.Illegal:
			require.Equal(t, Invalid, got, "history %d", n)
			bad++
			if n%8 == 0 || n%8 == 1 {
				sizes[len(checkMinimal(t, m, ops))]++
			}
		default:
			silent++
		}
	}
	t.Logf("agreed good %d, agreed bad %d, porcupine too slow %d; sizes of counterexamples %v", good,
		bad, silent, sizes)
	require.Greater(t, good, *crossHistories/5)
	require.Greater(t, bad, *crossHistories/20)
}

// checkMinimal minimises ops and has porcupine confirm the result, and that it is 1-minimal in observations.
func checkMinimal(t *testing.T, m *Model, ops []history.Operation) []history.Operation {
	small, err := Minimize(context.Background(), m, &History{Ops: ops})
	require.NoError(t, err)
	if small.AnyStart {
		m = fromAnything(m)
	}
	require.False(t, porcupine.CheckOperations(m.Model, raw(t, m, small.Ops)))
	for i := range small.Ops {
		if m.Role(&small.Ops[i]) == models.Observation {
			rest := without(small.Ops, []int{i})
			require.True(t, porcupine.CheckOperations(m.Model, raw(t, m, rest)), "operation %d is not needed",
				i)
		}
	}
	return small.Ops
}
