package linearizability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// The picture shows the operations that prove the violation, its surroundings and the faults, and stays small
// for a large history.
func TestPicture(t *testing.T) {
	g := gen.Store(gen.Config{Seed: 3, Ops: 20_000, Clients: 20, Keys: 8, UnknownPpm: 50_000})
	require.True(t, plant[lin.StaleRead](rand.New(rand.NewPCG(3, 1)), g))
	report, err := lin.Check(context.Background(), storeModel(t), witnessed(t, g),
		lin.WithAnnotations(lin.Annotation{Tag: "nemesis", Text: "partition n1 | n2,n3",
			Start: 5000, End: 9000}))
	require.NoError(t, err)
	require.Equal(t, lin.Invalid, report.Validity)
	require.LessOrEqual(t, len(report.Violations[0].Ops), 3)
	require.Less(t, report.Stats.Elapsed, time.Second)
	var page bytes.Buffer
	require.NoError(t, report.WriteHTML(&page))
	require.Less(t, page.Len(), 1<<20)
	for _, part := range []string{"partition n1 | n2,n3", "returned revision", "#e4e4e4"} {
		require.Contains(t, page.String(), part)
	}

	require.True(t, plant[lin.SplitBrain](rand.New(rand.NewPCG(3, 1)), g))
	report.Violations = report.Violations[:0]
	require.ErrorIs(t, report.WriteHTML(&page), lin.ErrNothingToShow)
	report.Violations = []lin.Violation{{Kind: lin.SplitBrain, Explain: "n1 <differs> from n2"}}
	page.Reset()
	require.NoError(t, report.WriteHTML(&page))
	require.Contains(t, page.String(), "n1 &lt;differs&gt; from n2")
}

// A branch that another epoch won over is no split brain, local reads of it are legal, and what it
// acknowledged is lost.
func TestEpochs(t *testing.T) {
	entry := func(node string, rev, epoch uint64, id string) history.WitnessEntry {
		return history.WitnessEntry{Node: node, Rev: rev, Epoch: epoch, ID: id, F: "write", Key: "a",
			Value: quote(id)}
	}
	log := []history.WitnessEntry{entry("n1", 1, 1, "x"), entry("n2", 1, 1, "x"), entry("n1", 2, 1, "lost"),
		entry("n2", 2, 2, "won"), {Kind: history.WitnessInstall, Node: "n1", Rev: 1, Keep: 1, Epoch: 2},
		entry("n1", 2, 2, "won")}
	local := history.Operation{Index: 8, Process: 7, F: "read_local", Key: "a", Node: "n1",
		Call: 50, Return: 60,
		Outcome: history.OK, Rev: 2, Mod: 2, Output: quote("lost")}
	ops := []history.Operation{write(0, "x", 1, 0, 10), write(2, "won", 2, 20, 80), local,
		{Index: 4, Process: 9, F: "write", Key: "a", Input: quote("lost"), ID: "lost", Call: 15,
			Return:  history.Never,
			Outcome: history.Info}}
	check := func(ops []history.Operation, log []history.WitnessEntry) *lin.Report {
		w, err := lin.NewWitness(log)
		require.NoError(t, err)
		report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Ops: ops, Witness: w})
		require.NoError(t, err)
		return report
	}
	require.Equal(t, lin.Valid, check(ops, log).Validity, "%+v", check(ops, log))

	early := slices.Clone(ops)
	early[2].Call, early[2].Return = 16, 18 // before the change that won the revision was asked for
	require.Equal(t, lin.Valid, check(early, log).Validity, "%+v", check(early, log))
	early[2].Key, early[2].Mod, early[2].Output = "b", 0, nil
	require.Equal(t, lin.Valid, check(early, log).Validity, "%+v", check(early, log))

	stray := slices.Clone(ops)
	stray[2].Node = "n2" // that node never held it
	require.Equal(t, lin.WrongAnswer, check(stray, log).Violations[0].Kind)

	acked := slices.Clone(ops)
	acked[3] = write(4, "lost", 2, 15, 18)
	report := check(acked, log)
	require.Equal(t, lin.Invalid, report.Validity)
	require.True(t, slices.ContainsFunc(report.Violations, func(v lin.Violation) bool {
		return v.Kind == lin.LostWrite || v.Kind == lin.DuplicateRevision
	}))

	same := slices.Clone(log)
	same[3].Epoch, same[5].Epoch, same[4] = 1, 1, same[1]
	require.Equal(t, lin.SplitBrain, check(ops, same).Violations[0].Kind)

	trees := append(slices.Clone(log), history.WitnessEntry{Kind: history.WitnessTree, Node: "n1", Rev: 2,
		Epoch: 2, Tree: "aa"},
		history.WitnessEntry{Kind: history.WitnessTree, Node: "n2", Rev: 2, Epoch: 2, Tree: "bb"})
	require.Equal(t, lin.TreeDivergence, check(ops, trees).Violations[0].Kind)

	writers := slices.Clone(log)
	writers[0].Writer, writers[2].Writer = "n1", "n3"
	require.Equal(t, lin.TwoWriters, check(ops, writers).Violations[0].Kind)
}

// TestADroppedBranchShowsWhatWasRenamed: a local read of a branch that lost shows content that was written
// under another name before, and nothing else. Branches that the node dropped earlier do not matter.
func TestADroppedBranchShowsWhatWasRenamed(t *testing.T) {
	entry := func(node string, rev uint64, f, key, value string) history.WitnessEntry {
		return history.WitnessEntry{Node: node, Rev: rev, Epoch: 2, ID: value, F: f, Key: key,
			Value: quote(value)}
	}
	var log []history.WitnessEntry
	for _, node := range []string{"n1", "n2"} {
		log = append(log, entry(node, 1, "write", "a", "x"), entry(node, 2, "rename", "a", "c"))
	}
	earlier := entry("n1", 1, "write", "z", "earlier")
	earlier.Epoch = 1
	log = append([]history.WitnessEntry{earlier,
		{Kind: history.WitnessInstall, Node: "n1", Rev: 0, Keep: 0, Epoch: 2}}, log...)
	log = append(log, entry("n1", 3, "write", "b", "lost"),
		history.WitnessEntry{Kind: history.WitnessInstall, Node: "n1", Rev: 2, Keep: 2, Epoch: 3})
	check := func(output string) *lin.Report {
		w, err := lin.NewWitness(log)
		require.NoError(t, err)
		ops := []history.Operation{
			write(0, "x", 1, 0, 10),
			{Index: 1, Process: 1, F: "rename", Key: "a", Input: quote("c"), ID: "c", Call: 20, Return: 30,
				Outcome: history.OK, Rev: 2, Mod: 2},
			{Index: 2, Process: 2, F: "write", Key: "b", Input: quote("lost"), ID: "lost", Call: 40,
				Return: history.Never, Outcome: history.Info},
			{Index: 3, Process: 3, F: "read_local", Key: "c", Node: "n1", Call: 50, Return: 60,
				Outcome: history.OK, Rev: 3, Mod: 2, Output: quote(output)}}
		report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Witness: w, Ops: ops})
		require.NoError(t, err)
		return report
	}
	require.Equal(t, lin.Valid, check("x").Validity, "%+v", check("x"))
	require.Equal(t, lin.WrongAnswer, check("y").Violations[0].Kind)
}

// TestADroppedBranchRenamesAndRemoves: a local read of a branch that lost shows what the branch itself
// brought from another key, and misses what it took away. The same requests are in the branch that won,
// later.
func TestADroppedBranchRenamesAndRemoves(t *testing.T) {
	entry := func(node string, rev, epoch uint64, f, key, to string) history.WitnessEntry {
		return history.WitnessEntry{Node: node, Rev: rev, Epoch: epoch, ID: f + key, F: f, Key: key, To: to}
	}
	log := []history.WitnessEntry{entry("n1", 1, 1, "write", "a", ""), entry("n2", 1, 1, "write", "a", ""),
		entry("n1", 2, 1, "rename", "a", "c"), entry("n1", 3, 1, "delete", "b", ""),
		{Kind: history.WitnessInstall, Node: "n1", Rev: 1, Keep: 1, Epoch: 2}}
	for _, node := range []string{"n1", "n2"} {
		log = append(log, entry(node, 2, 2, "write", "b", ""), entry(node, 3, 2, "rename", "a", "c"))
	}
	check := func(key, output string, mod uint64) lin.Validity {
		w, err := lin.NewWitness(log)
		require.NoError(t, err)
		read := history.Operation{Index: 3, Process: 3, F: "read_local", Key: key, Node: "n1", Call: 50,
			Return: 60, Outcome: history.OK, Rev: 3, Mod: mod}
		if output != "" {
			read.Output = quote(output)
		}
		unknown := history.Operation{Index: 2, Process: 2, F: "rename", Key: "a", Input: quote("c"),
			ID: "renamea", Call: 20, Return: history.Never, Outcome: history.Info}
		first := write(0, "x", 1, 0, 10)
		first.ID = "writea"
		other := history.Operation{Index: 1, Process: 1, F: "write", Key: "b", Input: quote("other"),
			ID: "writeb", Call: 15, Return: 80, Outcome: history.OK, Rev: 2, Mod: 2}
		report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Witness: w,
			Ops: []history.Operation{first, other, unknown, read}})
		require.NoError(t, err)
		return report.Validity
	}
	require.Equal(t, lin.Valid, check("c", "x", 2))
	require.Equal(t, lin.Invalid, check("c", "y", 2), "no one wrote that")
	require.Equal(t, lin.Invalid, check("d", "x", 2), "nothing was renamed to that")
	require.Equal(t, lin.Valid, check("b", "", 0))
	require.Equal(t, lin.Valid, check("a", "", 0))
}

func quote(s string) json.RawMessage { return json.RawMessage(fmt.Sprintf("%q", s)) }

func write(index int64, id string, rev uint64, call, ret int64) history.Operation {
	return history.Operation{Index: index, Process: int(index), F: "write", Key: "a",
		Input: quote(id), ID: id,
		Call: call, Return: ret, Outcome: history.OK, Rev: rev, Mod: rev}
}

// What only the system itself wrote is replayed from the log.
func TestInternalMutations(t *testing.T) {
	w, err := lin.NewWitness([]history.WitnessEntry{{Rev: 1, F: "mkdir", Key: "locks", Internal: true},
		{Rev: 2, F: "write", Key: "locks/a", Value: quote("n1"), Internal: true}})
	require.NoError(t, err)
	ops := []history.Operation{{F: "list", Key: "locks", Output: json.RawMessage(`["a"]`), Rev: 2,
		Call: 1, Return: 2,
		Outcome: history.OK}}
	report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Ops: ops, Witness: w})
	require.NoError(t, err)
	require.Equal(t, lin.Valid, report.Validity, "%+v", report)
	ops[0].Output = json.RawMessage(`[]`)
	report, err = lin.Check(context.Background(), storeModel(t), &lin.History{Ops: ops, Witness: w})
	require.NoError(t, err)
	require.Equal(t, lin.WrongAnswer, report.Violations[0].Kind)
}

// A log that was cut off proves nothing about what is missing.
func TestPartialWitness(t *testing.T) {
	g := gen.Store(gen.Config{Seed: 4, Ops: 60, Clients: 3, Keys: 3})
	w, err := lin.NewWitness(g.Witness[:len(g.Witness)-3])
	require.NoError(t, err)
	report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Ops: g.Ops, Witness: w})
	require.NoError(t, err)
	require.Equal(t, lin.LostWrite, report.Violations[0].Kind)
	w.Partial = true
	report, err = lin.Check(context.Background(), storeModel(t), &lin.History{Ops: g.Ops, Witness: w})
	require.NoError(t, err)
	require.Equal(t, lin.Valid, report.Validity, "%+v", report)
}

// TestLimits: a search that reaches a limit returns unknown with the reason, and the limit holds.
func TestLimits(t *testing.T) {
	g := gen.Store(gen.Config{Seed: 1, Ops: 1500, Clients: 40, Keys: 4, UnknownPpm: 100_000})
	for i := range g.Ops { // without revisions nothing but a search can place a write
		if mutation(&g.Ops[i]) && i%10 == 0 {
			g.Ops[i].Rev, g.Ops[i].Mod = 0, 0
		}
	}
	ctx := context.Background()
	const limit = 300 * time.Millisecond
	start := time.Now()
	report, err := lin.Check(ctx, storeModel(t), &lin.History{Ops: g.Ops}, lin.WithTimeout(limit))
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity, "%.300v", report.Violations)
	require.Contains(t, report.Reason, "time limit")
	t.Logf("a limit of %v took %v", limit, time.Since(start))
	require.Less(t, time.Since(start), limit+2*time.Second, "far beyond the limit, even on a busy machine")

	report, err = lin.Check(ctx, storeModel(t), &lin.History{Ops: g.Ops}, lin.WithMemoryLimit(1<<20))
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity)
	require.Contains(t, report.Reason, "memory limit")

	report, err = lin.Check(ctx, storeModel(t), &lin.History{Ops: g.Ops}, lin.WithSearchLimit(100))
	require.NoError(t, err)
	require.Contains(t, report.Reason, "too many operations")
	require.Equal(t, lin.Unknown, report.Verdict().Validity)

	report, err = lin.Check(ctx, storeModel(t), &lin.History{Ops: g.Ops}, lin.WithMemoryLimit(100_000))
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity)
	require.Regexp(t, `too many operations for a search: \d+ need \d+ KiB, and the memory limit is 97 KiB`,
		report.Reason)
	require.Contains(t, report.Reason, "--memory")

	gone, cancel := context.WithCancel(ctx)
	cancel()
	report, err = lin.Check(gone, storeModel(t), &lin.History{Ops: g.Ops})
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity)
}

// Whatever the options, porcupine agrees with the certificate on correct histories.
func TestArbiterAlways(t *testing.T) {
	checker := lin.NewChecker(storeModel(t), lin.WithArbiter(lin.ArbiterAlways))
	for seed := range uint64(100) {
		g := gen.Store(gen.Config{Seed: seed, Ops: 40, Clients: 4, Keys: 3, UnknownPpm: 50_000, Tree: true})
		report, err := checker.Check(context.Background(), witnessed(t, g))
		require.NoError(t, err)
		require.Equal(t, lin.Valid, report.Validity, "%+v", report)
		require.Equal(t, 1, report.Stats.Rejudged)
	}
}

// The append log is certified by positions.
func TestAppendLogHistory(t *testing.T) {
	m, err := models.AppendLog(nil)
	require.NoError(t, err)
	add := func(v string, pos uint64, call, ret int64) history.Operation {
		return history.Operation{Index: call, Process: int(call), F: "append", Input: json.RawMessage(v),
			Rev: pos, Call: call,
			Return: ret, Outcome: history.OK}
	}
	ops := []history.Operation{add("1", 1, 0, 9), add("2", 2, 1, 3),
		{Index: 20, F: "read", Output: json.RawMessage("[1,2]"),
			Rev: 2, Call: 10, Return: 12, Outcome: history.OK}}
	report, err := lin.Check(context.Background(), m, &lin.History{Ops: ops})
	require.NoError(t, err)
	require.Equal(t, lin.Valid, report.Validity)
	ops[0].Call, ops[0].Return = 5, 9 // now the second was there before the first was asked for
	report, err = lin.Check(context.Background(), m, &lin.History{Ops: ops})
	require.NoError(t, err)
	require.Equal(t, lin.ReorderedRevisions, report.Violations[0].Kind)
}

// Interval checks are reachable by name, from a file in Jepsen's form.
func TestCheckFileIntervalsAndMutex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks.edn")
	text := strings.Join([]string{
		`{:process 0, :type :invoke, :f :acquire, :value nil}`,
		`{:process 0, :type :ok, :f :acquire, :value nil}`,
		`{:process 1, :type :invoke, :f :acquire, :value nil}`,
		`{:process 1, :type :ok, :f :acquire, :value nil}`}, "\n")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	for _, model := range []string{"mutex", lin.LocksModel} {
		report, err := lin.CheckFile(context.Background(), path, model)
		require.NoError(t, err)
		require.Equal(t, lin.Invalid, report.Validity, model)
		require.Equal(t, lin.Invalid, report.Verdict().Validity)
	}
	_, err := lin.CheckFile(context.Background(), path, "")
	require.ErrorIs(t, err, lin.ErrNoModel)
	require.Contains(t, lin.ModelNames(), "single-runner")
}

// An acknowledged write whose revision is unknown must not be forgotten: without a log the search decides.
func TestAcknowledgedWithoutRevision(t *testing.T) {
	ops := []history.Operation{write(0, "x", 1, 0, 10), write(2, "y", 0, 20, 30),
		{Index: 4, Process: 4, F: "read", Key: "a", Output: quote("x"), Mod: 1, Rev: 1, Call: 40, Return: 50,
			Outcome: history.OK}}
	report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Ops: ops})
	require.NoError(t, err)
	require.Equal(t, lin.Invalid, report.Validity, "%+v", report)
	require.Equal(t, lin.BySearch, report.Method)
}

// Counterexamples from large histories name few operations.
func TestCounterexamplesAreSmall(t *testing.T) {
	var sizes []int
	for kind, breakIt := range plant {
		g := gen.Store(gen.Config{Seed: 5, Ops: 100 * *faultSeeds, Clients: 50, Keys: 16, UnknownPpm: 50_000})
		if !breakIt(rand.New(rand.NewPCG(5, 1)), g) {
			continue
		}
		report, err := lin.Check(context.Background(), storeModel(t), witnessed(t, g))
		require.NoError(t, err)
		require.Equal(t, lin.Invalid, report.Validity, kind)
		for i := range report.Violations {
			sizes = append(sizes, len(report.Violations[i].Ops))
			require.NotEmpty(t, report.Violations[i].Explain)
		}
	}
	slices.Sort(sizes)
	require.LessOrEqual(t, sizes[len(sizes)/2], 6)
	require.LessOrEqual(t, sizes[len(sizes)-1], 12)
}

// Nothing checked is never a pass.
func TestEmptyHistoryIsUnknown(t *testing.T) {
	report, err := lin.Check(context.Background(), storeModel(t), &lin.History{})
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity)
	require.Contains(t, report.Verdict().Summary, "nothing was checked")
}

// TestSameHistorySameReport: of several keys with a violation the first is reported, also when the
// search of another one is done long before.
func TestSameHistorySameReport(t *testing.T) {
	m, err := models.Register(nil)
	require.NoError(t, err)
	var ops []history.Operation
	add := func(f, key string, at int64, in, out int) {
		op := history.Operation{Index: int64(len(ops)), ID: fmt.Sprint(len(ops)), F: f, Key: key,
			Outcome: history.OK, Call: at, Return: at + 5}
		if f == "write" {
			op.Input = json.RawMessage(fmt.Sprint(in))
		} else {
			op.Output = json.RawMessage(fmt.Sprint(out))
		}
		ops = append(ops, op)
	}
	// the second and those behind it end with an old value
	for key, rounds := range []int{10, 1000, 1, 1, 1} {
		for i := range rounds {
			add("write", fmt.Sprint("k", key), int64(key+20*i), i+1, 0)
			add("read", fmt.Sprint("k", key), int64(key+20*i+10), 0, i+1)
		}
		if key > 0 {
			add("write", fmt.Sprint("k", key), int64(key+20*rounds), 0, 0)
			add("read", fmt.Sprint("k", key), int64(key+20*rounds+10), 0, rounds)
		}
	}
	for range 4 {
		report, err := lin.Check(t.Context(), m, &lin.History{Ops: ops}, lin.WithParallelism(5))
		require.NoError(t, err)
		require.Equal(t, lin.Invalid, report.Validity)
		require.Len(t, report.Violations, 1)
		require.Equal(t, "k1", report.Violations[0].Ops[0].Key)
	}
}

// Without a log, gaps in the revisions are filled by calls with unknown outcome, also where a search could
// not.
func TestGapsAreFilled(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(*faultSeeds / 6) {
		g := gen.Store(gen.Config{Seed: seed, Ops: 3000, Clients: 40, Keys: 8, UnknownPpm: 50_000,
			Tree: seed%2 == 0})
		report, err := lin.Check(ctx, storeModel(t), witnessed(t, g))
		require.NoError(t, err)
		require.Equal(t, lin.Valid, report.Validity, "seed %d: %v", seed, report.Violations)
		report, err = lin.Check(ctx, storeModel(t), &lin.History{Ops: g.Ops})
		require.NoError(t, err)
		require.NotEqual(t, lin.Invalid, report.Validity, "seed %d: %v", seed, report.Violations)
		if seed%2 == 1 {
			require.Equal(t, lin.Valid, report.Validity, "seed %d: %s", seed, report.Reason)
		}
		found := 0
		for _, kind := range []lin.Kind{lin.StaleRead, lin.FutureRead} {
			bad := gen.Store(gen.Config{Seed: seed, Ops: 3000, Clients: 40, Keys: 8, UnknownPpm: 50_000})
			if plant[kind](rand.New(rand.NewPCG(seed, 1)), bad) {
				report, err := lin.Check(ctx, storeModel(t), &lin.History{Ops: bad.Ops},
					lin.WithTimeout(time.Second))
				require.NoError(t, err)
				require.NotEqual(t, lin.Valid, report.Validity)
				if report.Validity == lin.Invalid {
					found++
				}
			}
		}
		require.Positive(t, found)
	}
}

// Where the system writes by itself, a gap in its log may be its own, so nothing is proved.
func TestGapOfASystemThatWritesByItself(t *testing.T) {
	w, err := lin.NewWitness([]history.WitnessEntry{{Rev: 1, F: "mkdir", Key: "d", Internal: true}})
	require.NoError(t, err)
	w.Partial = true
	ops := []history.Operation{write(0, "x", 3, 0, 10)}
	report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Ops: ops, Witness: w})
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity, "%+v", report)
	require.Contains(t, report.Reason, "by itself")
}
