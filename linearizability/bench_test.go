package linearizability_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/cputime"
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
	started := cputime.Used()
	for b.Loop() {
		w, err := lin.NewWitness(g.Witness)
		require.NoError(b, err)
		report, err := lin.Check(context.Background(), m, &lin.History{Ops: g.Ops, Witness: w})
		require.NoError(b, err)
		require.Equal(b, lin.Valid, report.Validity)
		require.Zero(b, report.Stats.Open)
	}
	b.ReportMetric((cputime.Used()-started).Seconds()/float64(b.N), "cpu-s/op")
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
	checker := lin.NewChecker(storeModel(b))
	var w lin.Witness
	worst := make([]time.Duration, 0, 1<<16)
	i := 0
	b.ReportAllocs()
	started := cputime.Used()
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
	if cpu := cputime.Used() - started; cpu > 0 {
		b.ReportMetric(float64(b.N)/cpu.Seconds(), "histories/cpu-s")
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
		decoded[i] = decodeAll(b, m, g.Ops)
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

// porcupineLimit is how long one search by porcupine may take in a benchmark. The metric "timeouts" counts
// the searches that reach it; their time means nothing.
const porcupineLimit = 5 * time.Second

// BenchmarkLarge compares on whole-store histories: the certificate, which has the log; porcupine as it is;
// and porcupine given the outcomes and revisions that the log resolves.
func BenchmarkLarge(b *testing.B) {
	for _, c := range []gen.Config{
		{Ops: 1_000, Clients: 5, Keys: 16},
		{Ops: 1_000, Clients: 5, Keys: 16, UnknownPpm: 50_000},
		{Ops: 1_000, Clients: 50, Keys: 16, UnknownPpm: 50_000},
		{Ops: 10_000, Clients: 5, Keys: 16},
		{Ops: 100_000, Clients: 50, Keys: 16, UnknownPpm: 50_000},
	} {
		c.Seed = 1
		g := gen.Store(c)
		name := fmt.Sprintf("%dops/%dclients/%dppm", c.Ops, c.Clients, c.UnknownPpm)
		b.Run(name+"/holdfast", func(b *testing.B) { benchmarkSmall(b, []*gen.History{g}) })
		if c.Ops > 10_000 {
			continue // porcupine's cache would take tens of gigabytes
		}
		b.Run(name+"/porcupine", func(b *testing.B) { benchmarkSearch(b, storeModel(b), g.Ops) })
		b.Run(name+"/porcupine-resolved",
			func(b *testing.B) { benchmarkSearch(b, storeModel(b), resolved(g)) })
	}
}

// resolved gives unknown calls the outcome and revision that the log has.
func resolved(g *gen.History) []history.Operation {
	revs := make(map[string]uint64)
	for i := range g.Witness {
		revs[g.Witness[i].ID] = g.Witness[i].Rev
	}
	var ops []history.Operation
	for _, op := range g.Ops {
		if op.Outcome == history.Info {
			if op.ID == "" || revs[op.ID] == 0 {
				continue
			}
			op.Outcome, op.Rev = history.OK, revs[op.ID]
		}
		ops = append(ops, op)
	}
	return ops
}

func decodeAll(b *testing.B, m *lin.Model, ops []history.Operation) []porcupine.Operation {
	var decoded []porcupine.Operation
	for i := range ops {
		if m.Role(&ops[i]) == models.Ignored {
			continue
		}
		call, err := m.Decode(&ops[i], nil)
		require.NoError(b, err)
		decoded = append(decoded, porcupine.Operation{ClientId: ops[i].Process, Input: call, Output: call,
			Call: ops[i].Call, Return: ops[i].Return})
	}
	return decoded
}

func benchmarkSearch(b *testing.B, m *lin.Model, ops []history.Operation) {
	decoded := decodeAll(b, m, ops)
	timeouts := 0
	b.ReportAllocs()
	for b.Loop() {
		switch porcupine.CheckOperationsTimeout(m.Model, decoded, porcupineLimit) {
		case porcupine.Illegal:
			b.Fatal("a correct history is illegal")
		case porcupine.Unknown:
			timeouts++
		}
	}
	b.ReportMetric(float64(timeouts), "timeouts")
}

// BenchmarkRegister compares on one register without versions or log, where everything must be searched.
func BenchmarkRegister(b *testing.B) {
	register, err := models.Register(nil)
	require.NoError(b, err)
	for _, c := range []struct{ ops, clients, ppm int }{
		{1_000, 5, 0}, {1_000, 5, 50_000}, {10_000, 5, 0}, {10_000, 5, 50_000}, {1_000, 20, 0},
		{100_000, 5, 0},
	} {
		ops := lin.RegisterRun(1, c.ops, c.clients, 5, c.ppm)
		name := fmt.Sprintf("%dops/%dclients/%dppm", c.ops, c.clients, c.ppm)
		b.Run(name+"/holdfast", func(b *testing.B) {
			b.ReportAllocs()
			unknown := 0
			for b.Loop() {
				report, err := lin.Check(context.Background(), register, &lin.History{Ops: ops},
					lin.WithTimeout(porcupineLimit))
				if err != nil || report.Validity == lin.Invalid {
					b.Fatalf("%v %+v", err, report)
				}
				if report.Validity == lin.Unknown {
					unknown++
				}
			}
			b.ReportMetric(float64(unknown), "unknown")
		})
		if c.ops <= 10_000 {
			b.Run(name+"/porcupine", func(b *testing.B) { benchmarkSearch(b, register, ops) })
		}
	}
}
