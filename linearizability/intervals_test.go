package linearizability_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// op is a short way to write an operation of a lock or service history.
func op(f, node string, call, ret int64, token uint64) history.Operation {
	o := history.Operation{Index: call, F: f, Key: "r", Node: node, Call: call, Return: ret,
		Outcome: history.OK,
		Rev:     token}
	if ret == history.Never {
		o.Outcome = history.Info
	}
	return o
}

func with(o history.Operation, change func(*history.Operation)) history.Operation {
	change(&o)
	return o
}

func ttl(n int64) func(*history.Operation) {
	return func(o *history.Operation) { o.Input = json.RawMessage(fmt.Sprintf(`{"ttl_ns":%d}`, n)) }
}

func failed(o *history.Operation) { o.Outcome, o.Error = history.Fail, "refused" }

func TestLocks(t *testing.T) {
	for _, test := range []struct {
		name string
		ops  []history.Operation
		want lin.Validity
		kind lin.Kind
	}{
		{"one after the other", []history.Operation{op("acquire", "a", 0, 1, 1), op("release", "a", 5, 6, 0),
			op("acquire", "b", 4, 7, 2)}, lin.Valid, ""},
		{"both hold", []history.Operation{op("acquire", "a", 0, 1, 1), op("acquire", "b", 2, 3, 2),
			op("release", "a", 5, 6, 0)}, lin.Invalid, lin.LeaseOverlap},
		{"release unknown", []history.Operation{op("acquire", "a", 0, 1, 1),
			op("release", "a", 2, history.Never, 0),
			op("acquire", "b", 3, 4, 2)}, lin.Valid, ""},
		{"release refused", []history.Operation{op("acquire", "a", 0, 1, 1),
			with(op("release", "a", 2, 3, 0), failed),
			op("acquire", "b", 4, 5, 2)}, lin.Invalid, lin.LeaseOverlap},
		{"acquire unknown", []history.Operation{op("acquire", "a", 0, history.Never, 0),
			op("acquire", "b", 2, 3, 1)},
			lin.Valid, ""},
		{"twice by one", []history.Operation{op("acquire", "a", 0, 1, 0), op("acquire", "a", 2, 3, 0)},
			lin.Invalid,
			lin.LeaseOverlap},
		{"lease over", []history.Operation{with(op("acquire", "a", 0, 1, 1), ttl(10)),
			op("acquire", "b", 9, 11, 2)},
			lin.Valid, ""},
		{"lease not over", []history.Operation{with(op("acquire", "a", 0, 1, 1), ttl(10)),
			with(op("acquire", "b", 3, 5, 2), ttl(10))}, lin.Invalid, lin.LeaseOverlap},
		{"lease renewed", []history.Operation{with(op("acquire", "a", 0, 1, 1), ttl(10)),
			op("renew", "a", 8, 9, 0),
			op("acquire", "b", 12, 13, 2)}, lin.Invalid, lin.LeaseOverlap},
		{"fenced", []history.Operation{op("acquire", "a", 0, 1, 1), op("fence", "a", 5, 8, 0),
			op("acquire", "b", 7, 9, 2)}, lin.Valid, ""},
		{"fence only asked for", []history.Operation{op("acquire", "a", 0, 1, 1), op("fence", "a", 5, 8, 0),
			op("acquire", "b", 6, 7, 2)}, lin.Invalid, lin.LeaseOverlap},
		{"token falls", []history.Operation{op("acquire", "a", 0, 1, 5), op("release", "a", 2, 3, 0),
			op("acquire", "b", 4, 5, 4)}, lin.Invalid, lin.TokenOrder},
		{"token twice", []history.Operation{op("acquire", "a", 0, 1, 5), op("release", "a", 2, 3, 0),
			op("acquire", "b", 2, 5, 5)}, lin.Invalid, lin.TokenOrder},
		{"old token refused", []history.Operation{fenced("a", 1, 2, 5, 10),
			with(fenced("b", 3, 4, 4, 0), failed)},
			lin.Valid, ""},
		{"old token accepted", []history.Operation{fenced("a", 1, 2, 5, 10), fenced("b", 1, 4, 4, 11)},
			lin.Invalid,
			lin.TokenOrder},
		{"old token accepted before", []history.Operation{fenced("a", 1, 2, 5, 10), fenced("b", 1, 4, 4, 9)},
			lin.Valid, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := lin.CheckLocks(test.ops)
			require.Equal(t, test.want, v.Validity, v.Summary)
			if test.want == lin.Invalid {
				require.Equal(t, test.kind, v.Violations[0].Kind)
				require.Len(t, v.Evidence, 2)
			}
		})
	}
}

func fenced(node string, call, ret int64, token, rev uint64) history.Operation {
	return with(op("fenced_write", node, call, ret, rev), func(o *history.Operation) { o.Expect = token })
}

func TestSingleRunner(t *testing.T) {
	all := func(o *history.Operation) { o.Key = "" }
	for _, test := range []struct {
		name string
		ops  []history.Operation
		want lin.Validity
	}{
		{"moved", []history.Operation{op("start", "a", 0, 1, 0), op("stop", "a", 5, 6, 0),
			op("start", "b", 6, 7, 0)}, lin.Valid},
		{"two places", []history.Operation{op("start", "a", 0, 1, 0), op("start", "b", 6, 7, 0)},
			lin.Invalid},
		{"restarted in place", []history.Operation{op("start", "a", 0, 1, 0), op("start", "a", 6, 7, 0)},
			lin.Valid},
		{"restarted, then elsewhere", []history.Operation{op("start", "a", 0, 1, 0),
			op("start", "a", 6, 7, 0),
			op("start", "b", 8, 9, 0)}, lin.Invalid},
		{"fenced first", []history.Operation{op("start", "a", 0, 1, 0), with(op("fence", "a", 3, 5, 0), all),
			op("start", "b", 5, 6, 0)}, lin.Valid},
		{"before the fence is confirmed", []history.Operation{op("start", "a", 0, 1, 0),
			with(op("fence", "a", 3, 9, 0), all), op("start", "b", 5, 6, 0)}, lin.Invalid},
		{"fence failed", []history.Operation{op("start", "a", 0, 1, 0),
			with(with(op("fence", "a", 3, 4, 0), all), failed), op("start", "b", 5, 6, 0)}, lin.Invalid},
		{"another machine lost power", []history.Operation{op("start", "a", 0, 1, 0),
			with(op("power_off", "c", 3, 4, 0), all), op("start", "b", 5, 6, 0)}, lin.Invalid},
		{"start unknown", []history.Operation{op("start", "a", 0, history.Never, 0),
			op("start", "b", 5, 6, 0)}, lin.Valid},
		{"stop called late", []history.Operation{op("start", "a", 0, 1, 0), op("start", "b", 3, 4, 0),
			op("stop", "a", 6, 7, 0)}, lin.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := lin.CheckSingleRunner(test.ops)
			require.Equal(t, test.want, v.Validity, v.Summary)
		})
	}
	v := lin.CheckSingleRunner([]history.Operation{op("start", "a", 0, history.Never, 0),
		op("start", "b", 5, 6, 0)})
	require.Contains(t, v.Details[0], "may have overlapped")
}

// A correct lock service gives valid histories, and each planted overlap is found.
func TestSeededLocks(t *testing.T) {
	for seed := range uint64(*faultSeeds) {
		rng := rand.New(rand.NewPCG(seed, 3))
		good := lockRun(rng, false)
		require.Equal(t, lin.Valid, lin.CheckLocks(good).Validity, "seed %d: %s", seed,
			lin.CheckLocks(good).Summary)
		require.Equal(t, lin.Valid, lin.CheckSingleRunner(asRuns(good)).Validity, "seed %d", seed)
		bad := lockRun(rng, true)
		require.Equal(t, lin.Invalid, lin.CheckLocks(bad).Validity, "seed %d", seed)
		require.Equal(t, lin.Invalid, lin.CheckSingleRunner(asRuns(bad)).Validity, "seed %d", seed)
	}
}

// lockRun takes the lock from node to node; overlap lets one holder come in before the last has gone.
func lockRun(rng *rand.Rand, overlap bool) []history.Operation {
	var ops []history.Operation
	now := int64(0)
	broken := -1
	const holds = 12
	if overlap {
		broken = rng.IntN(holds-1) + 1
	}
	for k := range holds {
		asked := now - rng.Int64N(20)
		got := now + 1 + rng.Int64N(5)
		if k == broken {
			asked -= 30
			got -= 25
		}
		node := string(rune('a' + k%3))
		ops = append(ops, op("acquire", node, min(asked, got), got, uint64(k+1)))
		back := now + 40 + rng.Int64N(20)
		ops = append(ops, op("release", node, back, back+5, 0))
		now = back + 6
	}
	return ops
}

func asRuns(locks []history.Operation) []history.Operation {
	runs := make([]history.Operation, len(locks))
	for i := range locks {
		runs[i] = locks[i]
		runs[i].F = map[string]string{"acquire": "start", "release": "stop"}[locks[i].F]
	}
	return runs
}
