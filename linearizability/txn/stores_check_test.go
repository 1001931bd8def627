package txn_test

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

var histories = flag.Int("txn.histories", historiesFromEnv(), "random histories of each test")

// historiesFromEnv returns how many histories the tests judge; make thorough asks for more than the default.
func historiesFromEnv() int {
	if n, err := strconv.Atoi(os.Getenv("HOLDFAST_TXN_HISTORIES")); err == nil {
		return n
	}
	return 120
}

// small are workloads that make conflicts likely.
var small = []workload{
	{clients: 3, txns: 6, keys: 2, maxSteps: 3, failPercent: 10, infoPercent: 10},
	{clients: 4, txns: 12, keys: 2, maxSteps: 4, failPercent: 5, infoPercent: 5},
	{clients: 6, txns: 40, keys: 3, maxSteps: 5, failPercent: 5, infoPercent: 5},
}

func check(t testing.TB, kind txn.Kind, ops []history.Operation, opts ...txn.Option) *txn.Report {
	t.Helper()
	report, err := txn.Check(context.Background(), kind, ops, opts...)
	require.NoError(t, err)
	return report
}

func explained(findings []txn.Finding) (texts []string) {
	for _, f := range findings {
		texts = append(texts, string(f.Anomaly)+": "+f.Explain)
	}
	return texts
}

// TestStoresKeepTheirPromise simulates stores of each isolation. No anomaly may be reported that the
// isolation forbids, and every class of anomaly that it allows must be found in some history.
func TestStoresKeepTheirPromise(t *testing.T) {
	want := map[isolation][]txn.Anomaly{
		strict:          nil,
		staleReads:      {"G-single-realtime"},
		snapshot:        {txn.G2Item},
		readCommitted:   {txn.GSingle, txn.LostUpdate, txn.Internal},
		readUncommitted: {txn.G1a, txn.G1b, txn.G1c},
	}
	for _, kind := range txn.Kinds() {
		for level, promise := range promises {
			counts := map[txn.Anomaly]int{}
			for seed := range *histories {
				ops := simulate(uint64(seed), kind, level, small[seed%len(small)])
				report := check(t, kind, ops, txn.WithConsistency(promise))
				require.Empty(t, explained(report.Forbidden), "%s, isolation %d, seed %d", kind, level, seed)
				for a, n := range report.Counts {
					counts[a] += n
				}
			}
			t.Logf("%s, promise %s: %v", kind, promise, counts)
			for _, a := range want[level] {
				require.Positive(t, counts[a], "%s on %s", a, promise)
			}
			if level == strict {
				require.Empty(t, counts)
			}
		}
	}
}

// TestStrictRegistersByKey promises the checker what a strict store keeps.
func TestStrictRegistersByKey(t *testing.T) {
	for seed := range *histories {
		ops := simulate(uint64(seed), txn.RWRegister, strict, small[seed%len(small)])
		for _, promise := range []txn.Option{txn.WithSequentialKeys(), txn.WithLinearizableKeys()} {
			report := check(t, txn.RWRegister, ops, promise)
			require.Empty(t, report.Counts, "seed %d", seed)
		}
	}
}

// TestUnlockedStore finds cycles of writes and dirty updates.
func TestUnlockedStore(t *testing.T) {
	counts := map[txn.Anomaly]int{}
	for seed := range *histories {
		report := check(t, txn.ListAppend, simulate(uint64(seed), txn.ListAppend, unlocked,
			small[seed%len(small)]))
		for a, n := range report.Counts {
			counts[a] += n
		}
	}
	t.Log(counts)
	for _, a := range []txn.Anomaly{txn.G0, txn.G1a, txn.G1b, txn.G1c, txn.GSingle} {
		require.Positive(t, counts[a], a)
	}
}

// TestOneStaleRead adds one read of the first state to a long history that is right. It entangles all
// transactions, and the shortest cycle is found among them.
func TestOneStaleRead(t *testing.T) {
	for _, kind := range txn.Kinds() {
		w := usual
		w.txns = 20_000
		ops := simulate(1, kind, strict, w)
		last := history.Operation{Index: int64(len(ops)), Process: 1 << 20, Outcome: history.OK, F: "txn",
			Output: []byte(`[["r",0,null]]`)}
		for i := range ops {
			last.Call = max(last.Call, ops[i].Call, ops[i].Ended)
			if ops[i].Return != history.Never {
				last.Call = max(last.Call, ops[i].Return)
			}
		}
		last.Call++
		last.Return = last.Call
		report := check(t, kind, append(ops, last))
		require.Equal(t, map[txn.Anomaly]int{"G-single-realtime": 1}, report.Counts, report.Summary())
		require.Len(t, report.Forbidden[0].Cycle.Steps, 2)
	}
}
