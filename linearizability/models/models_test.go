package models_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// sequence runs operations one after the other and reports whether all fit.
func sequence(t testing.TB, name, initial string, ops ...history.Operation) bool {
	t.Helper()
	m, err := models.ByName(name, json.RawMessage(initial))
	require.NoError(t, err)
	state := m.Init()
	for i := range ops {
		if ops[i].Outcome == 0 {
			ops[i].Outcome = history.OK
		}
		if m.Role(&ops[i]) == models.Ignored {
			continue
		}
		call, err := m.Decode(&ops[i], nil)
		require.NoError(t, err)
		require.NotEmpty(t, m.DescribeOperation(call, call))
		var ok bool
		if ok, state = m.Step(state, call, call); !ok {
			return false
		}
		require.NotEmpty(t, m.DescribeState(state))
	}
	return true
}

func js(text string) json.RawMessage { return json.RawMessage(text) }

func TestStoreSemantics(t *testing.T) {
	const tree = `{"rev":7,"tree":{"f":{"v":"x","mod":3},"d":{"dir":true,"mod":4},"d/g":{"v":"y","mod":5},"e":{"dir":true,"mod":6}}}`
	fail := func(f, key, code string, in string, expect uint64) history.Operation {
		return history.Operation{Outcome: history.Fail, F: f, Key: key, Error: code, Input: js(in),
			Expect: expect, Rev: 7}
	}
	ok := func(f, key, in string, expect uint64) history.Operation {
		return history.Operation{F: f, Key: key, Input: js(in), Expect: expect, Rev: 8}
	}
	for name, op := range map[string]history.Operation{
		"create":                  ok("create", "n", `"v"`, 0),
		"create below":            ok("create", "d/n", `"v"`, 0),
		"write over":              ok("write", "f", `"v"`, 0),
		"write new":               ok("write", "n", `"v"`, 0),
		"cas":                     ok("cas", "f", `"v"`, 3),
		"cas on absent":           ok("cas", "n", `"v"`, 0),
		"delete":                  ok("delete", "f", "", 0),
		"delete empty directory":  ok("delete", "e", "", 0),
		"mkdir":                   ok("mkdir", "n", "", 0),
		"rename":                  ok("rename", "f", `"n"`, 0),
		"rename over a file":      ok("rename", "f", `"d/g"`, 0),
		"rename over a directory": ok("rename", "d", `"e"`, 0),
		"read":                    {F: "read", Key: "/f", Output: js(`"x"`), Mod: 3, Rev: 7},
		"read absent":             {F: "read", Key: "n", Rev: 7},
		"list":                    {F: "list", Key: "d", Output: js(`["g"]`), Rev: 7},
		"list root": {F: "list", Key: "",
			Output: js(`[{"name":"e/"},{"name":"d"},{"name":"f"}]`), Rev: 7},
		"not found":               fail("delete", "n", "not_found", "", 0),
		"no parent":               fail("create", "n/m", "not_found", `"v"`, 0),
		"exists":                  fail("create", "f", "exists", `"v"`, 0),
		"mismatch":                fail("cas", "f", "revision_mismatch", `"v"`, 2),
		"not a directory":         fail("create", "f/m", "not_directory", `"v"`, 0),
		"is a directory":          fail("write", "d", "is_directory", `"v"`, 0),
		"not empty":               fail("delete", "d", "not_empty", "", 0),
		"other code says nothing": fail("write", "f", "read_only", `"v"`, 0),
		"unknown write":           {F: "write", Key: "n/m", Outcome: history.Info, Input: js(`"v"`)},
		"foreign function":        {F: "compact"},
	} {
		require.True(t, sequence(t, "store", tree, op), name)
	}
	for name, op := range map[string]history.Operation{
		"create over":              ok("create", "f", `"v"`, 0),
		"create without parent":    ok("create", "n/m", `"v"`, 0),
		"create below a file":      ok("create", "f/m", `"v"`, 0),
		"write over a directory":   ok("write", "d", `"v"`, 0),
		"cas":                      ok("cas", "f", `"v"`, 4),
		"delete full directory":    ok("delete", "d", "", 0),
		"delete with old revision": ok("delete", "f", "", 2),
		"delete root":              ok("delete", "/", "", 0),
		"mkdir over":               ok("mkdir", "d", "", 0),
		"rename into itself":       ok("rename", "d", `"d/n"`, 0),
		"rename over full":         ok("rename", "e", `"d"`, 0),
		"rename file over dir":     ok("rename", "f", `"e"`, 0),
		"revision skipped":         {F: "write", Key: "f", Input: js(`"v"`), Rev: 9},
		"read another value":       {F: "read", Key: "f", Output: js(`"y"`), Mod: 3, Rev: 7},
		"read another version":     {F: "read", Key: "f", Output: js(`"x"`), Mod: 2, Rev: 7},
		"read at another revision": {F: "read", Key: "f", Output: js(`"x"`), Mod: 3, Rev: 6},
		"read as absent":           {F: "read", Key: "f", Rev: 7},
		"read out of nothing":      {F: "read", Key: "n", Output: js(`"x"`), Mod: 3, Rev: 7},
		"list short":               {F: "list", Key: "", Output: js(`["e","d"]`), Rev: 7},
		"list twice":               {F: "list", Key: "", Output: js(`["e","d","d"]`), Rev: 7},
		"list nonsense":            {F: "list", Key: "", Output: js(`{"a":1}`), Rev: 7},
		"found":                    fail("delete", "f", "not_found", "", 0),
		"does not exist":           fail("create", "n", "exists", `"v"`, 0),
		"no mismatch":              fail("cas", "f", "revision_mismatch", `"v"`, 3),
		"empty":                    fail("delete", "e", "not_empty", "", 0),
		"no directory":             fail("write", "f", "is_directory", `"v"`, 0),
	} {
		require.False(t, sequence(t, "store", tree, op), name)
	}
}

func TestRenameMovesTheSubtree(t *testing.T) {
	require.True(t, sequence(t, "store", "",
		history.Operation{F: "mkdir", Key: "a", Rev: 1},
		history.Operation{F: "mkdir", Key: "a/b", Rev: 2},
		history.Operation{F: "write", Key: "a/b/c", Input: js(`"v"`), Rev: 3},
		history.Operation{F: "rename", Key: "a", Input: js(`"z"`), Rev: 4},
		history.Operation{F: "read", Key: "z/b/c", Output: js(`"v"`), Mod: 3, Rev: 4},
		history.Operation{F: "read", Key: "a/b/c", Rev: 4},
		history.Operation{F: "list", Key: "z", Output: js(`["b"]`), Rev: 4},
		history.Operation{F: "list", Key: "", Output: js(`["z"]`), Rev: 4},
	))
}

func TestWitnessDigestReplacesContent(t *testing.T) {
	m, err := models.Store(nil)
	require.NoError(t, err)
	entry, err := m.Entry(&history.WitnessEntry{Rev: 1, F: "write", Key: "a",
		Digest: history.DigestOf(js(`"v"`))})
	require.NoError(t, err)
	ok, state := m.Step(m.Init(), entry, entry)
	require.True(t, ok)
	for value, want := range map[string]bool{`"v"`: true, `"w"`: false} {
		call, err := m.Decode(&history.Operation{F: "read", Key: "a", Output: js(value), Mod: 1, Rev: 1,
			Outcome: history.OK}, nil)
		require.NoError(t, err)
		got, _ := m.Step(state, call, call)
		require.Equal(t, want, got)
	}
	_, err = m.Entry(&history.WitnessEntry{Rev: 1, F: "compact"})
	require.ErrorIs(t, err, models.ErrOperation)
}

// anyStoreOp draws a mutation on few paths, so that they meet.
func anyStoreOp(t *rapid.T) history.Operation {
	path := rapid.SampledFrom([]string{"a", "b", "a/c", "b/c", "a/c/d"})
	f := rapid.SampledFrom([]string{"create", "write", "cas", "delete", "mkdir", "rename"}).Draw(t, "f")
	op := history.Operation{F: f, Key: path.Draw(t, "key"), Outcome: history.Info,
		Input:  js(`"` + rapid.SampledFrom([]string{"x", "y"}).Draw(t, "value") + `"`),
		Expect: rapid.Uint64Range(0, 4).Draw(t, "expect")}
	if f == "rename" {
		op.Input = js(`"` + path.Draw(t, "to") + `"`)
	}
	return op
}

// States behave as values: going back to an old one, in any order, gives what it gave at first; equal paths
// to a state are equal, and the replaying state that changes in place agrees with them.
func TestStoreStatesAreValues(t *testing.T) {
	m, err := models.Store(nil)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		states, texts := []any{m.Init()}, []string{}
		texts = append(texts, m.DescribeState(states[0]))
		replay := m.Replay(nil)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			op := anyStoreOp(t)
			call, err := m.Decode(&op, nil)
			require.NoError(t, err)
			ok, next := m.Step(states[len(states)-1], call, call)
			require.True(t, ok, "an unknown outcome is never illegal")
			_, replay = m.Step(replay, call, call)
			states = append(states, next)
			texts = append(texts, m.DescribeState(next))
			require.Equal(t, texts[len(texts)-1], m.DescribeState(replay))

			from := rapid.IntRange(0, len(states)-1).Draw(t, "from")
			other := anyStoreOp(t)
			branch, err := m.Decode(&other, nil)
			require.NoError(t, err)
			_, a := m.Step(states[from], branch, branch)
			for k := range states {
				require.Equal(t, texts[k], m.DescribeState(states[k]), "state %d", k)
			}
			_, b := m.Step(states[from], branch, branch)
			require.True(t, m.Equal(a, b))
			require.Equal(t, m.Hash(a), m.Hash(b))
			require.Equal(t, m.DescribeState(a) == m.DescribeState(states[from]), m.Equal(a, states[from]))
		}
	})
}

func TestAppendLog(t *testing.T) {
	add := func(v string, rev uint64) history.Operation {
		return history.Operation{F: "append", Input: js(v), Rev: rev}
	}
	require.True(t, sequence(t, "append-log", `[1]`, add("2", 2), add("3", 3),
		history.Operation{F: "read", Output: js("[1,2,3]"), Rev: 3}, history.Operation{F: "tail", Rev: 3},
		history.Operation{F: "append", Input: js("4"), Expect: 2, Outcome: history.Fail,
			Error: "tail_mismatch", Rev: 3},
		history.Operation{F: "append", Input: js("4"), Expect: 3, Rev: 4}))
	for name, last := range map[string]history.Operation{
		"wrong position": add("3", 4),
		"wrong order":    {F: "read", Output: js("[2,1]"), Rev: 2},
		"short":          {F: "read", Output: js("[1]"), Rev: 2},
		"not a log":      {F: "read", Output: js(`"x"`), Rev: 2},
		"tail":           {F: "tail", Rev: 1},
		"condition":      {F: "append", Input: js("4"), Expect: 1, Rev: 3},
		"refusal":        {F: "append", Expect: 2, Outcome: history.Fail, Error: "tail_mismatch", Rev: 2},
	} {
		require.False(t, sequence(t, "append-log", `[1]`, add("2", 2), last), name)
	}
	_, err := models.AppendLog(js(`{}`))
	require.ErrorIs(t, err, models.ErrOperation)
}

func TestRegisterMutexAndKV(t *testing.T) {
	do := func(f, in, out string) history.Operation {
		return history.Operation{F: f, Input: js(in), Output: js(out)}
	}
	refused := func(f, in string) history.Operation {
		return history.Operation{F: f, Input: js(in), Outcome: history.Fail}
	}
	require.True(t, sequence(t, "register", "", do("read", "", ""), do("write", "1", ""),
		refused("cas", "[2,3]"),
		do("cas", "[1,2]", ""), do("read", "", "2")))
	require.False(t, sequence(t, "register", "", do("write", "1", ""), refused("cas", "[1,3]")))
	require.False(t, sequence(t, "register", "", do("write", "1", ""), do("cas", "[2,3]", "")))
	require.True(t, sequence(t, "register", `"a"`, do("read", "", `"a"`)))
	require.True(t, sequence(t, "mutex", "", do("acquire", "", ""), refused("acquire", ""),
		do("release", "", ""),
		do("acquire", "", "")))
	require.False(t, sequence(t, "mutex", "", do("acquire", "", ""), do("acquire", "", "")))
	require.False(t, sequence(t, "mutex", "", do("release", "", "")))
	require.True(t, sequence(t, "mutex", `"held"`, do("release", "", "")))
	require.True(t, sequence(t, "kv", "", do("get", "", `""`), do("put", `"a"`, ""), do("append", `"b"`, ""),
		do("get", "", `"ab"`)))
	require.False(t, sequence(t, "kv", "", do("put", `"a"`, ""), do("get", "", `"b"`)))
	require.True(t, sequence(t, "versioned-kv", "",
		history.Operation{F: "write", Input: js("1"), Mod: 5}, history.Operation{F: "read",
			Output: js("1"), Mod: 5},
		history.Operation{F: "cas", Input: js("2"), Expect: 5, Mod: 9},
		history.Operation{F: "cas", Input: js("3"), Expect: 5, Outcome: history.Fail,
			Error: "revision_mismatch"},
		history.Operation{F: "delete", Mod: 10}, history.Operation{F: "read"}))
	require.False(t, sequence(t, "versioned-kv", "",
		history.Operation{F: "write", Input: js("1"), Mod: 5}, history.Operation{F: "write",
			Input: js("2"), Mod: 5}))
}

func TestCollections(t *testing.T) {
	do := func(f, in, out string) history.Operation {
		return history.Operation{F: f, Input: js(in), Output: js(out)}
	}
	unknown := func(o history.Operation) history.Operation {
		o.Outcome = history.Info
		return o
	}
	const move = `{"from":"a","to":"b","amount":3}`
	for name, c := range map[string]struct {
		model, initial string
		ops            []history.Operation
		want           bool
	}{
		"set": {"set", "[0]", []history.Operation{do("add", "2", ""), do("add", "2", ""),
			do("add", "1", ""), do("read", "", "[2, 0,1]")}, true},
		"set, empty": {"set", "", []history.Operation{do("read", "", ""), do("read", "", "null"),
			do("read", "", "[]")}, true},
		"set, element missing": {"set", "", []history.Operation{do("add", "1", ""), do("read", "", "[]")},
			false},
		"set, element twice": {"set", "", []history.Operation{do("add", "1", ""),
			do("read", "", "[1,1]")}, false},
		"counter": {"counter", "5", []history.Operation{do("inc", "", ""), do("add", "-3", ""),
			do("dec", "2", ""), do("read", "", "1")}, true},
		"counter, wrong": {"counter", "", []history.Operation{do("inc", "", ""), do("read", "", "0")},
			false},
		"fifo": {"fifo-queue", "[1]", []history.Operation{do("enqueue", "2", ""),
			do("dequeue", "", "1"), do("dequeue", "", "2"), do("dequeue", "", "")}, true},
		"fifo, wrong order": {"fifo-queue", "[1]", []history.Operation{do("enqueue", "2", ""),
			do("dequeue", "", "2")}, false},
		"fifo, not empty": {"fifo-queue", "[1]", []history.Operation{do("dequeue", "", "")}, false},
		"fifo, taken unseen": {"fifo-queue", "[1,2]", []history.Operation{unknown(do("dequeue", "", "")),
			do("dequeue", "", "2")}, true},
		"fifo, two taken unseen": {"fifo-queue", "[1,2,3]",
			[]history.Operation{unknown(do("dequeue", "", "")), do("dequeue", "", "3")}, false},
		"fifo, drained unseen": {"fifo-queue", "[1,2,3]", []history.Operation{unknown(do("drain", "", "")),
			do("dequeue", "", "3"), do("dequeue", "", "")}, true},
		"unordered": {"unordered-queue", "[1]", []history.Operation{do("enqueue", "2", ""),
			do("dequeue", "", "2"), do("dequeue", "", "1"), do("dequeue", "", "")}, true},
		"unordered, twice": {"unordered-queue", "[1]", []history.Operation{do("dequeue", "", "1"),
			do("dequeue", "", "1")}, false},
		"bank": {"bank", `{"a":5,"b":0}`, []history.Operation{do("transfer", move, ""),
			do("read", "", `{"b":3,"a":2}`)}, true},
		"bank, not covered": {"bank", `{"a":2,"b":0}`, []history.Operation{do("transfer", move, "")},
			false},
		"bank, maybe covered": {"bank", `{"a":2,"b":0}`,
			[]history.Operation{unknown(do("transfer", move, "")), do("read", "", `{"a":2,"b":0}`)}, true},
		"bank, negative allowed": {"bank", `{"balances":{"a":2,"b":0},"negative":true}`,
			[]history.Operation{do("transfer", move, ""), do("read", "", `{"a":-1,"b":3}`)}, true},
		"bank, no such account": {"bank", `{"a":5}`, []history.Operation{do("transfer", move, "")}, false},
		"bank, from the first": {"bank", "", []history.Operation{do("transfer", move, ""),
			do("read", "", `{"a":1,"b":3}`), do("transfer", move, "")}, false},
	} {
		require.Equal(t, c.want, sequence(t, c.model, c.initial, c.ops...), name)
	}
	for model, wrong := range map[string]history.Operation{
		"counter": do("add", "1.5", ""), "set": do("read", "", "5"), "fifo-queue": do("drain", "", `"x"`),
		"bank": do("transfer", `{"from":1}`, ""),
	} {
		m, err := models.ByName(model, nil)
		require.NoError(t, err)
		wrong.Outcome = history.OK
		_, err = m.Decode(&wrong, nil)
		require.ErrorIs(t, err, models.ErrOperation, model)
	}
}

func TestByName(t *testing.T) {
	require.True(t, slices.IsSorted(models.Names()))
	for _, name := range models.Names() {
		m, err := models.ByName(name, nil)
		require.NoError(t, err, name)
		require.True(t, porcupine.CheckOperations(m.Model, nil))
	}
	_, err := models.ByName("store", js("[]"))
	require.ErrorContains(t, err, "initial state")
}

// FuzzInitial gives every model an arbitrary initial state: it is refused, or serves a search.
func FuzzInitial(f *testing.F) {
	for _, initial := range []string{`1`, `[1,1]`, `{"0":5}`, `{"balances":{"0":-5},"negative":true}`,
		`{"rev":3}`, `"held"`} {
		f.Add(initial)
	}
	f.Fuzz(func(t *testing.T, initial string) {
		for _, name := range models.Names() {
			m, err := models.ByName(name, js(initial))
			if err != nil {
				require.ErrorContains(t, err, "initial state")
				continue
			}
			m.DescribeState(m.Init())
			decideAll(t, m, history.Operation{F: "read", Outcome: history.OK, Output: js("[]")})
		}
	})
}

// decideAll applies the rules of a model to an operation, alone and beside itself.
func decideAll(t *testing.T, m *models.Model, op history.Operation) {
	ops := []history.Operation{op, op}
	ops[1].Index, ops[1].Call, ops[1].Return = 1, 5, 9
	if m.Values != nil {
		m.Values.Check(ops)
	}
	if m.Decide != nil {
		if _, err := m.Decide(ops); err != nil {
			require.ErrorIs(t, err, models.ErrOperation)
		}
	}
	if m.Expand != nil {
		if _, err := m.Expand(&op); err != nil {
			require.ErrorIs(t, err, models.ErrOperation)
		}
	}
}

// FuzzDecode gives every model operations with arbitrary content: none may panic.
func FuzzDecode(f *testing.F) {
	f.Add("cas", "a/b", `[1,2]`, `{"name":1}`, uint8(2), uint64(3))
	f.Add("list", "", `null`, `["a",null]`, uint8(2), uint64(0))
	f.Add("rename", "/", `"\u0061"`, ``, uint8(4), uint64(9))
	f.Add("read", "", ``, `[3,"a",[1]]`, uint8(0), uint64(1))
	f.Add("drain", "", ``, `[1,2]`, uint8(0), uint64(1))
	f.Add("transfer", "", `{"from":0,"to":"b","amount":-3}`, ``, uint8(2), uint64(1))
	f.Add("read", "", ``, `{"0":1,"b":-2}`, uint8(0), uint64(1))
	f.Add("add", "", `-9223372036854775808`, `1`, uint8(0), uint64(1))
	f.Fuzz(func(t *testing.T, fn, key, in, out string, outcome uint8, n uint64) {
		op := history.Operation{F: fn, Key: key, Input: js(in), Output: js(out), Rev: n,
			Mod: n / 2, Expect: n % 3,
			Outcome: history.OK + history.Type(outcome%3)}
		for _, name := range models.Names() {
			m, err := models.ByName(name, nil)
			require.NoError(t, err)
			m.Role(&op)
			decideAll(t, m, op)
			call, err := m.Decode(&op, nil)
			if err != nil {
				require.ErrorIs(t, err, models.ErrOperation)
				continue
			}
			_, next := m.Step(m.Init(), call, call)
			m.DescribeState(next)
			m.DescribeOperation(call, call)
		}
	})
}
