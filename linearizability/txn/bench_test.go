package txn_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/cputime"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// usual is the workload of Jepsen's tests of transactions: ten keys at a time, 32 writes for each, one to
// four micro-operations; 5 % each fail or have an unknown outcome.
var usual = workload{clients: 20, keys: 10, maxSteps: 4, failPercent: 5, infoPercent: 5, writesPerKey: 32}

// BenchmarkCheck judges valid histories of a strict store, and those of stores with weaker isolation, which
// have thousands of cycles. It reports transactions for each second of processor time, and the memory that is
// in use at the end with the history.
func BenchmarkCheck(b *testing.B) {
	for _, kind := range txn.Kinds() {
		for _, level := range []struct {
			name string
			isolation
			sizes []int
		}{
			{"valid", strict, []int{10_000, 100_000, 1_000_000}},
			{"snapshot", snapshot, []int{20_000}},
			{"read-committed", readCommitted, []int{100_000}},
			{"unlocked", unlocked, []int{100_000}},
		} {
			for _, n := range level.sizes {
				b.Run(fmt.Sprintf("%s/%s/txns=%d", kind, level.name, n), func(b *testing.B) {
					w := usual
					w.txns = n
					benchmark(b, kind, simulate(1, kind, level.isolation, w), level.isolation == strict)
				})
			}
		}
	}
}

func benchmark(b *testing.B, kind txn.Kind, ops []history.Operation, valid bool) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	started := cputime.Used()
	for b.Loop() {
		report := check(b, kind, ops)
		require.Equal(b, valid, report.Satisfied(), report.Summary())
	}
	runtime.ReadMemStats(&after)
	if used := (cputime.Used() - started).Seconds(); used > 0 {
		b.ReportMetric(float64(len(ops))*float64(b.N)/used, "txns/cpu-s")
		b.ReportMetric(used/float64(b.N), "cpu-s/op")
	}
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/(1<<20), "MiB-allocated")
	b.ReportMetric(float64(after.Sys)/(1<<20), "MiB-from-system")
}
