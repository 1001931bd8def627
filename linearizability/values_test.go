package linearizability_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// A value that nothing wrote is found by rules alone, in a history that no search can decide.
func TestUnwrittenValueNeedsNoSearch(t *testing.T) {
	ops := lin.RegisterRun(1, 5000, 10, 5, 100_000)
	last := ops[len(ops)-1].Call
	read := done("read", "", "99", last+10_000, last+10_001)
	report := judge(t, "register", "", append(ops, read)...)
	require.Equal(t, lin.Invalid, report.Validity)
	require.Equal(t, lin.ByRules, report.Method)
	require.Equal(t, lin.UnwrittenValue, report.Violations[0].Kind)
	require.Equal(t, []history.Operation{read}, report.Violations[0].Ops)
	require.Contains(t, report.Violations[0].Explain, "found 99")
}

func TestUnwrittenValues(t *testing.T) {
	fail := func(o history.Operation) history.Operation { return ended(o, history.Fail) }
	info := func(o history.Operation) history.Operation { return ended(o, history.Info) }
	for name, c := range map[string]struct {
		model, initial string
		ops            []history.Operation
		want           lin.Kind // empty: valid
	}{
		"register": {"register", "", []history.Operation{done("write", "1", "", 1, 2),
			done("read", "", "2", 3, 4)}, lin.UnwrittenValue},
		"register from the start": {"register", "2", []history.Operation{done("read", "", "2", 3, 4)}, ""},
		"register with null":      {"register", "", []history.Operation{done("read", "", "", 3, 4)}, ""},
		"register, another initial": {"register", "2", []history.Operation{done("read", "", "", 3, 4)},
			lin.UnwrittenValue},
		"write of unknown outcome": {"register", "", []history.Operation{info(done("write", "2", "", 1, 2)),
			done("read", "", "2", 3, 4)}, ""},
		"write that comes later": {"register", "", []history.Operation{done("read", "", "2", 3, 4),
			done("write", "2", "", 5, 6)}, lin.FutureRead},
		"write at the same time": {"register", "", []history.Operation{done("read", "", "2", 3, 5),
			done("write", "2", "", 5, 6)}, ""},
		"write that failed": {"register", "", []history.Operation{fail(done("write", "2", "", 1, 2)),
			done("read", "", "2", 3, 4)}, lin.AbortedWrite},
		"written by a cas": {"register", "1", []history.Operation{done("cas", "[1,2]", "", 1, 2),
			done("read", "", "2", 3, 4)}, ""},
		"found by a cas": {"register", "1", []history.Operation{done("cas", "[7,2]", "", 1, 2)},
			lin.UnwrittenValue},
		"another key": {"register", "",
			[]history.Operation{{F: "write", Key: "a", Input: json.RawMessage("1"), Outcome: history.OK},
				{F: "read", Key: "b", Output: json.RawMessage("1"), Outcome: history.OK, Call: 3, Return: 4}},
			lin.UnwrittenValue},
		"versioned": {"versioned-kv", "", []history.Operation{done("write", "1", "", 1, 2),
			done("read", "", "2", 3, 4)}, lin.UnwrittenValue},
		"versioned, empty": {"versioned-kv", "", []history.Operation{done("read", "", `""`, 3, 4)}, ""},
		"versioned, escaped": {"versioned-kv", "", []history.Operation{done("write", `"a\/b"`, "", 1, 2),
			done("read", "", `"a/b"`, 3, 4)}, ""},
		"kv": {"kv", "", []history.Operation{done("put", `"ab"`, "", 1, 2),
			done("get", "", `"b"`, 3, 4)}, lin.UnwrittenValue},
		"kv, put together": {"kv", "", []history.Operation{done("append", `"ab"`, "", 1, 2),
			done("append", `"b"`, "", 1, 2), done("get", "", `"bab"`, 3, 4)}, ""},
		"kv, cut": {"kv", "", []history.Operation{done("append", `"ab"`, "", 1, 2),
			done("append", `"b"`, "", 1, 2), done("get", "", `"ba"`, 3, 4)}, lin.UnwrittenValue},
		"log": {"append-log", "[1]", []history.Operation{done("append", "2", "", 1, 2),
			done("read", "", "[1,3]", 3, 4)}, lin.UnwrittenValue},
		"log from the start": {"append-log", "[1]", []history.Operation{done("append", "2", "", 1, 2),
			done("read", "", "[1,2]", 3, 4)}, ""},
		"set": {"set", "", []history.Operation{done("add", "2", "", 1, 2),
			done("read", "", "[2,3]", 3, 4)}, lin.UnwrittenValue},
		"queue": {"fifo-queue", "", []history.Operation{done("enqueue", "2", "", 1, 2),
			done("dequeue", "", "3", 3, 4)}, lin.UnwrittenValue},
		"unordered queue": {"unordered-queue", "[3]", []history.Operation{done("dequeue", "", "3", 3, 4)},
			""},
	} {
		report := judge(t, c.model, c.initial, c.ops...)
		if c.want == "" {
			require.Equal(t, lin.Valid, report.Validity, "%s: %+v", name, report)
			continue
		}
		require.Equal(t, lin.Invalid, report.Validity, name)
		require.Equal(t, c.want, report.Violations[0].Kind, name)
	}
}

// From an unknown state any value can be there.
func TestUnwrittenValueAfterAnyStart(t *testing.T) {
	m, err := models.Register(nil)
	require.NoError(t, err)
	report, err := lin.Check(context.Background(), m, &lin.History{AnyStart: true,
		Ops: []history.Operation{done("read", "", "99", 1, 2)}})
	require.NoError(t, err)
	require.Equal(t, lin.Valid, report.Validity)
}

// A drain takes its values one after the other; also where times are negative.
func TestDrainsTakeOneAfterTheOther(t *testing.T) {
	report := judge(t, "unordered-queue", "", done("enqueue", "0", "", -13, 10),
		done("dequeue", "", "", 20, 44),
		done("drain", "", "[1,0]", 39, 66), done("enqueue", "1", "", 50, 68))
	require.Equal(t, lin.Invalid, report.Validity, "0 is in the queue until 1 has come")
	require.Equal(t, lin.ByRules, report.Method)
	report = judge(t, "unordered-queue", "[1]", done("drain", "", "[1]", -17, -5),
		done("enqueue", "2", "", 6, 33))
	require.Equal(t, lin.Valid, report.Validity)
}

// planted is a fault in a correct history of a collection; ok is false where the history has no place for it.
type planted struct {
	model string
	kind  lin.Kind
	plant func(rng *rand.Rand, ops []history.Operation) (ok bool)
}

// changeAnswer changes the answer of a random operation of a function; change returns false to try another.
func changeAnswer(f string, change func(rng *rand.Rand, ops []history.Operation, at int) bool) func(
	*rand.Rand,
	[]history.Operation) bool {
	return func(rng *rand.Rand, ops []history.Operation) bool {
		start := rng.IntN(len(ops))
		for k := range ops {
			at := (start + k) % len(ops)
			if ops[at].F == f && ops[at].Outcome == history.OK && change(rng, ops, at) {
				return true
			}
		}
		return false
	}
}

// changeList changes the array that an operation returned.
func changeList(change func(rng *rand.Rand, list []int) []int) func(*rand.Rand,
	[]history.Operation, int) bool {
	return func(rng *rand.Rand, ops []history.Operation, at int) bool {
		var list []int
		if json.Unmarshal(ops[at].Output, &list) != nil || len(list) < 2 {
			return false
		}
		ops[at].Output, _ = json.Marshal(change(rng, list))
		return true
	}
}

var collectionFaults = map[string]planted{
	"set: element from nowhere": {"set", lin.UnwrittenValue, changeAnswer("read",
		changeList(func(_ *rand.Rand, list []int) []int { return append(list, -1) }))},
	"set: element lost": {"set", "", changeAnswer("read",
		changeList(func(_ *rand.Rand, list []int) []int { return list[1:] }))},
	"set: element twice": {"set", lin.ImpossibleAnswer, changeAnswer("read",
		changeList(func(_ *rand.Rand, list []int) []int { return append(list, list[0]) }))},
	"counter: too much": {"counter", "",
		changeAnswer("read", func(_ *rand.Rand, ops []history.Operation, at int) bool {
			ops[at].Output = json.RawMessage("1000000")
			return true
		})},
	"counter: an old value": {"counter", "",
		changeAnswer("read", func(_ *rand.Rand, ops []history.Operation, at int) bool {
			if string(ops[at].Output) == "0" || ops[at].Call < 2000 {
				return false
			}
			ops[at].Output = json.RawMessage("0")
			return true
		})},
	"fifo-queue: taken twice":      {"fifo-queue", lin.TakenTwice, changeAnswer("dequeue", takeAgain)},
	"unordered-queue: taken twice": {"unordered-queue", lin.TakenTwice, changeAnswer("dequeue", takeAgain)},
	"fifo-queue: two exchanged":    {"fifo-queue", "", changeAnswer("dequeue", exchange)},
	"unordered-queue: from nowhere": {"unordered-queue", lin.UnwrittenValue, changeAnswer("dequeue",
		func(_ *rand.Rand, ops []history.Operation, at int) bool {
			ops[at].Output = json.RawMessage("-1")
			return true
		})},
	"bank: money from nowhere": {"bank", lin.ImpossibleAnswer, changeAnswer("read",
		func(_ *rand.Rand, ops []history.Operation, at int) bool {
			ops[at].Output = json.RawMessage(`{"0":5,"1":6,"2":0}`)
			return true
		})},
	"bank: negative": {"bank", lin.ImpossibleAnswer, changeAnswer("read",
		func(_ *rand.Rand, ops []history.Operation, at int) bool {
			ops[at].Output = json.RawMessage(`{"0":5,"1":6,"2":-1}`)
			return true
		})},
}

// takeAgain gives a dequeue the value of an earlier one.
func takeAgain(rng *rand.Rand, ops []history.Operation, at int) bool {
	other := ops[rng.IntN(at+1)]
	if other.F != "dequeue" || len(other.Output) == 0 || string(other.Output) == string(ops[at].Output) ||
		len(ops[at].Output) == 0 || other.Outcome != history.OK {
		return false
	}
	ops[at].Output = other.Output
	return true
}

// exchange gives a dequeue the value that one called much later took.
func exchange(_ *rand.Rand, ops []history.Operation, at int) bool {
	for later := at + 40; later < len(ops); later++ {
		a, b := &ops[at], &ops[later]
		if b.F == "dequeue" && b.Outcome == history.OK && len(a.Output) > 0 && len(b.Output) > 0 {
			a.Output, b.Output = b.Output, a.Output
			return true
		}
	}
	return false
}

// Every fault planted into a long history of a collection is found without a search.
func TestPlantedFaultsInCollections(t *testing.T) {
	for name, fault := range collectionFaults {
		t.Run(name, func(t *testing.T) {
			found, seeds := 0, max(2, *faultSeeds/20)
			for seed := range uint64(seeds) {
				rng := rand.New(rand.NewPCG(seed, 5))
				initial, ops := lin.CollectionRun(rng, fault.model, 600, 6, 30_000)
				require.Equal(t, lin.Valid, judge(t, fault.model, initial, ops...).Validity, "seed %d", seed)
				if !fault.plant(rng, ops) {
					continue
				}
				report := judge(t, fault.model, initial, ops...)
				require.Equal(t, lin.Invalid, report.Validity, "seed %d", seed)
				require.Equal(t, lin.ByRules, report.Method, "seed %d", seed)
				if found++; fault.kind != "" {
					require.Equal(t, fault.kind, report.Violations[0].Kind)
				}
				if found == 1 {
					t.Log(report.Violations[0].Explain)
				}
			}
			require.Greater(t, found, seeds/2)
		})
	}
}
