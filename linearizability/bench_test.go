package linearizability_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
	"github.com/holdfast-sim/holdfast/linearizability/models"
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

// Small histories, as a simulator makes them by the hundred thousand, each with its own witness.
func BenchmarkSmall(b *testing.B) {
	for _, c := range []struct {
		name string
		gen.Config
	}{
		{"20ops/4clients/known", gen.Config{Ops: 20, Clients: 4, Keys: 3}},
		{"20ops/4clients/5%unknown", gen.Config{Ops: 20, Clients: 4, Keys: 3, UnknownPpm: 50_000}},
		{"60ops/4clients/5%unknown", gen.Config{Ops: 60, Clients: 4, Keys: 3, UnknownPpm: 50_000}},
		{"60ops/8clients/20%unknown", gen.Config{Ops: 60, Clients: 8, Keys: 3, UnknownPpm: 200_000}},
	} {
		histories := make([]*gen.History, 256)
		for i := range histories {
			c.Seed = uint64(i)
			histories[i] = gen.Store(c.Config)
		}
		b.Run(c.name+"/holdfast", func(b *testing.B) {
			benchmarkSmall(b, histories)
		})
		b.Run(c.name+"/porcupine", func(b *testing.B) {
			benchmarkPorcupine(b, histories)
		})
	}
}

func benchmarkSmall(b *testing.B, histories []*gen.History) {
	ctx := context.Background()
	checker := lin.NewChecker(storeModel(b), lin.WithArbiter(lin.ArbiterNever))
	var w lin.Witness
	worst := make([]time.Duration, 0, 1<<16)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		g := histories[i%len(histories)]
		if err := w.Load(g.Witness); err != nil {
			b.Fatal(err)
		}
		report, err := checker.Check(ctx, &lin.History{Ops: g.Ops, Witness: &w})
		if err != nil || report.Validity != lin.Valid {
			b.Fatalf("%v %+v", err, report)
		}
		if len(worst) < cap(worst) {
			worst = append(worst, report.Stats.Elapsed)
		}
		i++
	}
	slices.Sort(worst)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "histories/s")
	b.ReportMetric(float64(worst[len(worst)*999/1000].Microseconds()), "p99.9-µs")
}

// benchmarkPorcupine gives plain porcupine the same histories: whole store, revisions in the answers, unknown
// outcomes unresolved, at most two seconds each.
func benchmarkPorcupine(b *testing.B, histories []*gen.History) {
	m := storeModel(b)
	decoded := make([][]porcupine.Operation, len(histories))
	for i, g := range histories {
		for j := range g.Ops {
			if m.Role(&g.Ops[j]) == models.Ignored {
				continue
			}
			call, err := m.Decode(&g.Ops[j], nil)
			require.NoError(b, err)
			decoded[i] = append(decoded[i], porcupine.Operation{ClientId: g.Ops[j].Process, Input: call, Output: call,
				Call: g.Ops[j].Call, Return: g.Ops[j].Return})
		}
	}
	i, unknown := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		result := porcupine.CheckOperationsTimeout(m.Model, decoded[i%len(decoded)], 2*time.Second)
		if result == porcupine.Illegal {
			b.Fatal("a correct history is illegal")
		}
		if result == porcupine.Unknown {
			unknown++
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "histories/s")
	b.ReportMetric(float64(unknown), "timeouts")
}
