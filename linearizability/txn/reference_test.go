package txn_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// reference tries all orders of a small history, one transaction at a time. It shares no code with the
// checker.
type reference struct {
	kind  txn.Kind
	ops   []history.Operation
	steps [][][3]any
	// before has, for each operation, a bit for each operation that must come before it.
	before []uint64
	must   uint64 // ok operations
}

// newReference demands the order of processes and real time as far as the model does.
func newReference(t testing.TB, kind txn.Kind, ops []history.Operation, model txn.Consistency) *reference {
	r := &reference{kind: kind, ops: ops, steps: make([][][3]any, len(ops)), before: make([]uint64, len(ops))}
	for i := range ops {
		value := ops[i].Input
		if ops[i].Outcome == history.OK {
			value = ops[i].Output
			r.must |= 1 << i
		}
		require.NoError(t, json.Unmarshal(value, &r.steps[i]))
		for j := range ops {
			if ops[j].Outcome != history.OK || i == j {
				continue
			}
			process := ops[j].Process == ops[i].Process && ops[j].Index < ops[i].Index
			realtime := ops[j].Return < ops[i].Call
			if (process && model != txn.Serializable) || (realtime && model == txn.StrictSerializable) {
				r.before[i] |= 1 << j
			}
		}
	}
	return r
}

// exists reports whether some order explains all answers.
func (r *reference) exists(done uint64, state map[string][]any) bool {
	if done&r.must == r.must {
		return true
	}
	for i := range r.ops {
		if done&(1<<i) != 0 || r.ops[i].Outcome == history.Fail || r.before[i]&^done != 0 {
			continue
		}
		if next, ok := r.apply(i, state); ok && r.exists(done|1<<i, next) {
			return true
		}
	}
	return false
}

func (r *reference) apply(i int, state map[string][]any) (map[string][]any, bool) {
	next := make(map[string][]any, len(state))
	for k, v := range state {
		next[k] = v[:len(v):len(v)]
	}
	for _, step := range r.steps[i] {
		key := fmt.Sprint(step[1])
		switch {
		case step[0] != "r":
			next[key] = append(next[key], step[2])
		case r.ops[i].Outcome != history.OK:
		case r.kind == txn.RWRegister:
			var last any
			if n := len(next[key]); n > 0 {
				last = next[key][n-1]
			}
			if last != step[2] {
				return nil, false
			}
		default:
			list, _ := step[2].([]any)
			if !slices.Equal(list, next[key]) {
				return nil, false
			}
		}
	}
	return next, true
}

// corrupt changes what one read returned.
func corrupt(t testing.TB, rng *rand.Rand, kind txn.Kind, ops []history.Operation) {
	op := &ops[rng.IntN(len(ops))]
	if op.Outcome != history.OK {
		return
	}
	var steps [][3]any
	require.NoError(t, json.Unmarshal(op.Output, &steps))
	step := &steps[rng.IntN(len(steps))]
	if step[0] != "r" {
		return
	}
	if kind == txn.RWRegister {
		step[2] = 1 + rng.IntN(8)
		if rng.IntN(3) == 0 {
			step[2] = nil
		}
	} else {
		list, _ := step[2].([]any)
		switch n := len(list); {
		case n > 0 && rng.IntN(3) > 0:
			list = list[:n-1]
		case n > 1 && rng.IntN(2) > 0:
			list[0], list[n-1] = list[n-1], list[0]
		default:
			list = append(list, 1+rng.IntN(8))
		}
		step[2] = list
	}
	text, err := json.Marshal(steps)
	require.NoError(t, err)
	op.Output = text
}

// TestAgainstAllOrders compares the checker with a search over all orders. Where an order exists, no
// anomaly may be forbidden. Where none exists, the checker may miss it; the test counts how often.
func TestAgainstAllOrders(t *testing.T) {
	tiny := workload{clients: 3, txns: 5, keys: 2, maxSteps: 3, failPercent: 10, infoPercent: 15}
	models := []txn.Consistency{txn.Serializable, txn.SessionSerializable, txn.StrictSerializable}
	for _, kind := range txn.Kinds() {
		valid, found, missed := 0, 0, 0
		for seed := range 4 * *histories {
			rng := rand.New(rand.NewPCG(uint64(seed), 3))
			tiny.txns, tiny.keys = 2+rng.IntN(5), 1+rng.IntN(3)
			ops := simulate(uint64(seed), kind, isolation(seed%6), tiny)
			for range rng.IntN(3) {
				corrupt(t, rng, kind, ops)
			}
			for _, model := range models {
				exists := newReference(t, kind, ops, model).exists(0, nil)
				report := check(t, kind, ops, txn.WithConsistency(model))
				switch {
				case exists:
					valid++
					require.Empty(t, explained(report.Forbidden), "%s, %s, seed %d", kind, model, seed)
				case len(report.Forbidden) > 0:
					found++
				default:
					missed++
				}
			}
		}
		t.Logf("%s: %d with an order, none with a forbidden anomaly; %d without, %d found", kind,
			valid, found+missed,
			found)
		require.Greater(t, 100*found, 90*(found+missed), kind)
		require.Positive(t, valid)
	}
}
