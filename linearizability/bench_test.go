package linearizability_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
)

const million = 1_000_000

func large(b *testing.B, ops int) *gen.History {
	b.Helper()
	return gen.Store(gen.Config{Seed: 1, Ops: ops, Clients: 50, Keys: 16, UnknownPpm: 50_000})
}

// peakHeap runs f and returns by how much the heap grew over what was live before, at most.
func peakHeap(f func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		for {
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(time.Millisecond):
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
			}
		}
	}()
	f()
	close(stop)
	if peak := <-done; peak > before.HeapAlloc {
		return peak - before.HeapAlloc
	}
	return 0
}

// A million operations of 50 clients, 5 % of them with an unknown outcome, judged by the log.
func BenchmarkMillion(b *testing.B) {
	g := large(b, million)
	m := storeModel(b)
	b.ReportAllocs()
	for b.Loop() {
		w, err := lin.NewWitness(g.Witness)
		require.NoError(b, err)
		report, err := lin.Check(context.Background(), m, &lin.History{Ops: g.Ops, Witness: w})
		require.NoError(b, err)
		require.Equal(b, lin.Valid, report.Validity)
		require.Zero(b, report.Stats.Open)
	}
	b.ReportMetric(float64(peakHeap(func() {
		w, _ := lin.NewWitness(g.Witness)
		_, _ = lin.Check(context.Background(), m, &lin.History{Ops: g.Ops, Witness: w})
	}))/(1<<20), "MiB-peak")
	b.ReportMetric(float64(million)*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

var _ = history.Never
var _ sync.Mutex
var _ porcupine.Operation
