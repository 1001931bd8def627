package linearizability

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// object is a single copy of what a model specifies, by code that shares nothing with the models. call sets
// what the operation asks for and, unless its outcome is unknown, its answer; happens is false for a call
// that never takes effect.
type object interface {
	call(rng *rand.Rand, op *history.Operation, happens bool)
}

// run makes a history of an object: each call takes effect at one instant between call and return, and one
// with unknown outcome late or never.
func run(rng *rand.Rand, o object, ops, clients, unknownPpm int) []history.Operation {
	type timed struct {
		op    history.Operation
		point int64
	}
	var all []timed
	next := clients
	for c := range clients {
		now, process := rng.Int64N(50), c
		for range ops / clients {
			op := history.Operation{Process: process, Call: now, Outcome: history.OK}
			op.Return = now + 1 + rng.Int64N(60)
			point := now + rng.Int64N(op.Return-now+1)
			now = op.Return + rng.Int64N(30)
			if rng.IntN(1_000_000) < unknownPpm {
				op.Ended, op.Return, op.Outcome = op.Return, history.Never, history.Info
				point = op.Call + rng.Int64N(200)
				process, next = next, next+1
				if rng.IntN(2) == 0 {
					point = history.Never
				}
			}
			all = append(all, timed{op, point})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].point < all[j].point })
	list := make([]history.Operation, len(all))
	for i := range all {
		o.call(rng, &all[i].op, all[i].point != history.Never)
		list[i] = all[i].op
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Call < list[j].Call })
	for i := range list {
		list[i].Index = int64(2 * i)
	}
	return list
}

func number(n int) json.RawMessage { return json.RawMessage(strconv.Itoa(n)) }

func array(list []int) json.RawMessage {
	text, _ := json.Marshal(list)
	if list == nil {
		return json.RawMessage("[]")
	}
	return text
}

// setObject adds numbers, from few or each its own.
type setObject struct {
	has     []int
	next    int
	repeats int // how many numbers there are; 0: each add has its own
}

func (s *setObject) call(rng *rand.Rand, op *history.Operation, happens bool) {
	if rng.IntN(3) == 0 {
		op.F = "read"
		if op.Outcome == history.OK {
			op.Output = array(s.has)
		}
		return
	}
	n := s.next
	if s.next++; s.repeats > 0 {
		n = rng.IntN(s.repeats)
	}
	op.F, op.Input = "add", number(n)
	if happens && !slices.Contains(s.has, n) {
		s.has = append(s.has, n)
	}
}

// counterObject adds one of some amounts.
type counterObject struct {
	value   int
	amounts []int
}

func (c *counterObject) call(rng *rand.Rand, op *history.Operation, happens bool) {
	if rng.IntN(2) == 0 {
		op.F = "read"
		if op.Outcome == history.OK {
			op.Output = number(c.value)
		}
		return
	}
	n := c.amounts[rng.IntN(len(c.amounts))]
	op.F, op.Input = "add", number(n)
	if happens {
		c.value += n
	}
}

// queueObject gives values away in order or not.
type queueObject struct {
	values          []int
	next, repeats   int
	ordered, drains bool
}

func (q *queueObject) take(rng *rand.Rand) int {
	at := 0
	if !q.ordered {
		at = rng.IntN(len(q.values))
	}
	v := q.values[at]
	q.values = slices.Delete(q.values, at, at+1)
	return v
}

func (q *queueObject) call(rng *rand.Rand, op *history.Operation, happens bool) {
	switch n := rng.IntN(20); {
	case n < 10:
		v := q.next
		if q.next++; q.repeats > 0 {
			v = rng.IntN(q.repeats)
		}
		op.F, op.Input = "enqueue", number(v)
		if happens {
			q.values = append(q.values, v)
		}
	case n == 19 && q.drains:
		op.F = "drain"
		taken := []int{}
		for happens && len(q.values) > 0 {
			taken = append(taken, q.take(rng))
		}
		if op.Outcome == history.OK {
			op.Output = array(taken)
		}
	default:
		op.F = "dequeue"
		if len(q.values) == 0 {
			return
		}
		if v := 0; happens {
			if v = q.take(rng); op.Outcome == history.OK {
				op.Output = number(v)
			}
		}
	}
}

// bankObject moves money.
type bankObject struct{ balances [3]int }

func (b *bankObject) call(rng *rand.Rand, op *history.Operation, happens bool) {
	if rng.IntN(3) == 0 {
		op.F = "read"
		if op.Outcome == history.OK {
			op.Output = json.RawMessage(fmt.Sprintf(`{"0":%d,"1":%d,"2":%d}`, b.balances[0], b.balances[1],
				b.balances[2]))
		}
		return
	}
	from, to, amount := rng.IntN(3), rng.IntN(3), 1+rng.IntN(4)
	op.F, op.Input = "transfer", json.RawMessage(fmt.Sprintf(`{"from":%d,"to":%d,"amount":%d}`,
		from, to, amount))
	switch {
	case b.balances[from] < amount:
		if op.Outcome == history.OK {
			op.Outcome = history.Fail
		}
	case happens:
		b.balances[from] -= amount
		b.balances[to] += amount
	}
}

// valueObject is a register, or a text that grows, or a list of records; its wrong answers are values that
// were never there, or were there at another time.
type valueObject struct {
	f     [2]string // how it is read, and how written
	value []int
	grows bool
}

func (v *valueObject) text() json.RawMessage {
	switch {
	case v.f[0] == "get":
		return json.RawMessage(strconv.Quote(strings.Trim(strings.ReplaceAll(fmt.Sprint(v.value), " ", ""),
			"[]")))
	case v.grows:
		return array(v.value)
	case len(v.value) == 0:
		return nil
	}
	return number(v.value[0])
}

func (v *valueObject) call(rng *rand.Rand, op *history.Operation, happens bool) {
	if rng.IntN(2) == 0 {
		op.F = v.f[0]
		if op.Outcome == history.OK {
			op.Output = v.text()
			if rng.IntN(20) == 0 && len(op.Output) > 0 {
				op.Output = json.RawMessage(strings.ReplaceAll(string(op.Output), "1", "7"))
			}
		}
		return
	}
	n := 1 + rng.IntN(6)
	op.F, op.Input = v.f[1], number(n)
	switch {
	case !happens:
	case v.grows:
		v.value = append(v.value, n)
	default:
		v.value = []int{n}
	}
	if v.f[0] == "get" {
		op.Input = json.RawMessage(strconv.Quote(strconv.Itoa(n)))
	}
}

// corruptObject changes one answer, argument, outcome or time.
func corruptObject(rng *rand.Rand, ops []history.Operation) {
	op, other := &ops[rng.IntN(len(ops))], &ops[rng.IntN(len(ops))]
	switch rng.IntN(6) {
	case 0:
		if op.F == other.F && op.Outcome == history.OK && other.Outcome == history.OK {
			op.Output, other.Output = other.Output, op.Output
		}
	case 1:
		if op.F == other.F {
			op.Input = other.Input
		}
	case 2:
		if op.Return != history.Never {
			op.Return = op.Call + rng.Int64N(20)
		}
	case 3:
		shift := rng.Int64N(150) - 70
		op.Call += shift
		if op.Return != history.Never {
			op.Return += shift
		}
	case 4:
		corruptAnswer(rng, op)
	case 5:
		if op.Outcome == history.Info && op.F != "read" && op.F != "dequeue" && op.F != "drain" {
			op.Outcome, op.Return = history.Fail, op.Ended
		}
	}
}

// corruptAnswer loses, repeats or changes something in an answer.
func corruptAnswer(rng *rand.Rand, op *history.Operation) {
	var list []int
	switch {
	case op.Outcome != history.OK:
	case json.Unmarshal(op.Output, &list) == nil && len(list) > 0:
		at := rng.IntN(len(list))
		switch rng.IntN(3) {
		case 0:
			list = slices.Delete(list, at, at+1)
		case 1:
			list[at] = list[rng.IntN(len(list))]
		default:
			list[0], list[at] = list[at], list[0]
		}
		op.Output = array(list)
	case len(op.Output) > 0 && op.Output[0] >= '0' && op.Output[0] <= '9':
		n, _ := strconv.Atoi(string(op.Output))
		op.Output = number(max(0, n+rng.IntN(3)-1))
	}
}

// ruledCase is a kind of random history, with what the rules promise for it.
type ruledCase struct {
	model   string
	initial string
	object  func(rng *rand.Rand) object
	unknown int
	exact   bool // the rules decide every history without repeated inputs
	// isRepeated: also those with.
	isRepeated bool
}

// repeats reports whether two operations have one input.
func repeats(ops []history.Operation) bool {
	seen := map[string]bool{}
	for i := range ops {
		if in := string(ops[i].Input); in != "" && seen[in] {
			return true
		}
		seen[string(ops[i].Input)] = true
	}
	return false
}

var ruledCases = map[string]ruledCase{
	"set": {model: "set", exact: true, isRepeated: true, unknown: 150_000,
		object: func(*rand.Rand) object { return &setObject{} }},
	"set with repetitions": {model: "set", initial: "[0]", exact: true, isRepeated: true, unknown: 150_000,
		object: func(rng *rand.Rand) object { return &setObject{has: []int{0}, repeats: 2 + rng.IntN(5)} }},
	"counter": {model: "counter", exact: true, isRepeated: true, unknown: 150_000,
		object: func(*rand.Rand) object { return &counterObject{amounts: []int{1}} }},
	"counter down": {model: "counter", initial: "20", exact: true, isRepeated: true, unknown: 150_000,
		object: func(*rand.Rand) object { return &counterObject{value: 20, amounts: []int{-3}} }},
	"counter with amounts": {model: "counter", unknown: 100_000,
		object: func(*rand.Rand) object { return &counterObject{amounts: []int{1, 2, -1}} }},
	"fifo": {model: "fifo-queue", exact: true,
		object: func(*rand.Rand) object { return &queueObject{ordered: true} }},
	"fifo with drains": {model: "fifo-queue", unknown: 100_000,
		object: func(*rand.Rand) object { return &queueObject{ordered: true, drains: true} }},
	"fifo with repetitions": {model: "fifo-queue", initial: "[0,1]", unknown: 50_000,
		object: func(*rand.Rand) object {
			return &queueObject{ordered: true, values: []int{0, 1},
				repeats: 3}
		}},
	"unordered": {model: "unordered-queue", exact: true,
		object: func(*rand.Rand) object { return &queueObject{} }},
	"unordered with drains": {model: "unordered-queue", unknown: 150_000,
		object: func(*rand.Rand) object { return &queueObject{drains: true} }},
	"unordered with repetitions": {model: "unordered-queue", initial: "[1]", unknown: 50_000,
		object: func(*rand.Rand) object { return &queueObject{values: []int{1}, repeats: 4, drains: true} }},
	"register": {model: "register", unknown: 100_000,
		object: func(*rand.Rand) object { return &valueObject{f: [2]string{"read", "write"}} }},
	"versioned": {model: "versioned-kv", unknown: 100_000,
		object: func(*rand.Rand) object { return &valueObject{f: [2]string{"read", "write"}} }},
	"texts": {model: "kv", unknown: 100_000,
		object: func(*rand.Rand) object { return &valueObject{f: [2]string{"get", "append"}, grows: true} }},
	"log": {model: "append-log", initial: "[3]", unknown: 100_000, object: func(*rand.Rand) object {
		return &valueObject{f: [2]string{"read", "append"}, grows: true, value: []int{3}}
	}},
	"bank": {model: "bank", initial: `{"0":5,"1":5,"2":0}`, unknown: 100_000,
		object: func(*rand.Rand) object { return &bankObject{[3]int{5, 5, 0}} }},
	"bank with unknown start": {model: "bank", unknown: 100_000,
		object: func(*rand.Rand) object { return &bankObject{[3]int{5, 5, 0}} }},
}

// TestRulesAgreeWithPorcupine: what rules find invalid, porcupine finds invalid; what they prove, it finds
// valid; and where they are exact, they decide everything.
func TestRulesAgreeWithPorcupine(t *testing.T) {
	for name, c := range ruledCases {
		t.Run(name, func(t *testing.T) {
			m, err := models.ByName(c.model, json.RawMessage(c.initial))
			require.NoError(t, err)
			tally := map[string]int{}
			histories := *crossHistories / 4 // of each kind
			for n := *crossFrom; n < *crossFrom+histories; n++ {
				rng := rand.New(rand.NewPCG(uint64(n), 31))
				ops := run(rng, c.object(rng), 6+rng.IntN(20), 2+rng.IntN(4),
					[]int{0, c.unknown}[rng.IntN(2)])
				changes := rng.IntN(3)
				for range changes {
					corruptObject(rng, ops)
				}
				answers := compareRules(t, m, ops, changes == 0, fmt.Sprintf("history %d", n))
				tally[answers]++
				if c.exact && (c.isRepeated || !repeats(ops)) {
					require.NotContains(t, answers, "undecided", "history %d\n%s", n, narrate(ops))
				}
			}
			t.Logf("%v", tally)
			require.Greater(t, tally["valid, valid"]+tally["undecided, valid"], histories/5)
			require.Greater(t, tally["invalid, invalid"]+tally["undecided, invalid"], histories/40)
		})
	}
}

// compareRules compares rules and porcupine on one history, and returns both answers.
func compareRules(t *testing.T, m *Model, ops []history.Operation, correct bool, name string) string {
	d, err := rulesFor(m, ops)
	require.NoError(t, err)
	rules := "undecided"
	switch {
	case len(d.Findings) > 0:
		rules = "invalid"
	case d.Exact:
		rules = "valid"
	}
	want, reason := (&budget{ctx: context.Background(), memory: DefaultMemoryBytes}).search(&m.Model,
		raw(t, m, ops), 1<<16)
	if reason != nil {
		return "search too long"
	}
	if rules != "undecided" && rules != want.String() {
		t.Fatalf("%s: rules find it %s, porcupine %s: %+v\n%s", name, rules, want, d.Findings, narrate(ops))
	}
	_, falsifies := map[string]bool{"register": true, "versioned-kv": true, "kv": true,
		"append-log": true}[m.Name]
	require.False(t, correct && !falsifies && want != Valid,
		"%s is correct, but porcupine finds no order\n%s", name, narrate(ops))
	for _, f := range d.Findings {
		require.NotEmpty(t, kindTitles[Kind(f.Kind)], f.Kind)
		require.NotEmpty(t, f.Explain)
	}
	return rules + ", " + want.String()
}

func narrate(ops []history.Operation) string {
	var text strings.Builder
	for i := range ops {
		op := &ops[i]
		fmt.Fprintf(&text, "%d..%d %s %s %s → %s\n", op.Call, op.Return, op.Outcome, op.F,
			op.Input, op.Output)
	}
	return text.String()
}

// Porcupine accepts what a large correct object did, as rules do, and neither accepts a lost element.
func TestRulesOnPorcupineModel(t *testing.T) {
	m, err := models.Set(nil)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	ops := run(rng, &setObject{}, 60, 3, 0)
	require.True(t, porcupine.CheckOperations(m.Model, raw(t, m, ops)))
	require.Equal(t, "valid, valid", compareRules(t, m, ops, true, "set"))
}

// CollectionRun makes a correct history of a model of collections, with its initial state.
func CollectionRun(rng *rand.Rand, model string, ops, clients, unknownPpm int) (initial string,
	list []history.Operation) {
	var o object
	switch model {
	case "set":
		o = &setObject{}
	case "counter":
		o = &counterObject{amounts: []int{1}}
	case "fifo-queue":
		o, unknownPpm = &queueObject{ordered: true}, 0
	case "unordered-queue":
		o, unknownPpm = &queueObject{}, 0
	case "bank":
		o, initial = &bankObject{[3]int{5, 5, 0}}, `{"0":5,"1":5,"2":0}`
	}
	return initial, run(rng, o, ops, clients, unknownPpm)
}
