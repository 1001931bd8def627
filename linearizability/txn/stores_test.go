package txn_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// isolation is how the simulated store runs transactions.
type isolation int

const (
	strict          isolation = iota // each transaction at one instant
	staleReads                       // the same, but transactions that only read may see an old state
	snapshot                         // reads from a snapshot, the first committer wins
	readCommitted                    // reads see what is committed, a written key is locked until the commit
	readUncommitted                  // reads see everything, a written key is locked until the commit
	unlocked                         // the same without locks
)

// promise is the strongest model that each isolation keeps.
var promises = map[isolation]txn.Consistency{
	strict: txn.StrictSerializable, staleReads: txn.Serializable, snapshot: txn.StrongSnapshotIsolation,
	readCommitted: txn.StrongReadCommitted, readUncommitted: txn.StrongReadUncommitted,
}

// store is the simulated store. A register is a list of which only the last element can be read.
type store struct {
	kind      txn.Kind
	isolation isolation
	rng       *rand.Rand
	state     map[int][]int
	old       []map[int][]int // states of the past, for stale reads
	changed   map[int]int     // key: number of the last commit that wrote it
	commits   int
	locks     map[int]*client // holders
	values    int
	// slots are the keys in use, written counts the writes of each, and fresh is the next new key.
	slots, written []int
	fresh          int
}

// key draws a key.
func (s *store) key(w workload, write bool) int {
	for len(s.slots) < w.keys {
		s.slots, s.written = append(s.slots, s.fresh), append(s.written, 0)
		s.fresh++
	}
	slot := s.rng.IntN(w.keys)
	key := s.slots[slot]
	if write {
		if s.written[slot]++; s.written[slot] == w.writesPerKey {
			s.slots[slot], s.written[slot] = s.fresh, 0
			s.fresh++
		}
	}
	return key
}

type step struct {
	read     bool
	key      int
	value    int
	returned []int
}

type client struct {
	steps    []step
	next     int
	begun    int // number of commits at the start
	base     map[int][]int
	abort    bool
	op       int
	deadline int
}

// workload has the number and the size of the transactions that a simulation runs.
type workload struct {
	clients, txns, keys, maxSteps int
	failPercent, infoPercent      int
	// writesPerKey retires a key after so many writes; 0 keeps keys.
	writesPerKey int
}

func clone(state map[int][]int) map[int][]int {
	c := make(map[int][]int, len(state))
	for k, v := range state {
		c[k] = v[:len(v):len(v)]
	}
	return c
}

// simulate runs a workload and returns its history.
func simulate(seed uint64, kind txn.Kind, level isolation, w workload) []history.Operation {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := &store{kind: kind, isolation: level, rng: rng, state: map[int][]int{}, changed: map[int]int{},
		locks: map[int]*client{}}
	s.old = append(s.old, clone(s.state))
	clients := make([]*client, w.clients)
	process := make([]int, w.clients)
	for i := range process {
		process[i] = i
	}
	var ops []history.Operation
	nextProcess, clock := w.clients, int64(0)
	for len(ops) < w.txns || slices.ContainsFunc(clients, func(c *client) bool { return c != nil }) {
		clock += int64(rng.IntN(3)) // equal times happen
		i := rng.IntN(w.clients)
		c := clients[i]
		switch {
		case c == nil && len(ops) < w.txns:
			c = s.begin(w)
			c.op = len(ops)
			clients[i] = c
			ops = append(ops, history.Operation{Index: int64(len(ops)), Process: process[i], Call: clock,
				Return: history.Never, Outcome: history.Info, F: "txn", Input: s.encode(c.steps, false)})
		case c == nil:
		case !s.run(c):
		default:
			ok := s.end(c, w)
			op := &ops[c.op]
			clients[i] = nil
			switch {
			case rng.IntN(100) < w.infoPercent:
				op.Ended = clock
				process[i] = nextProcess
				nextProcess++
			case ok:
				op.Outcome, op.Return, op.Output = history.OK, clock, s.encode(c.steps, true)
			default:
				op.Outcome, op.Return = history.Fail, clock
			}
		}
	}
	return ops
}

func (s *store) begin(w workload) *client {
	c := &client{begun: s.commits, abort: s.rng.IntN(100) < w.failPercent}
	if s.isolation == snapshot {
		c.base = clone(s.state)
	}
	for range 1 + s.rng.IntN(w.maxSteps) {
		st := step{read: s.rng.IntN(2) == 0}
		st.key = s.key(w, !st.read)
		if !st.read {
			s.values++
			st.value = s.values
		}
		c.steps = append(c.steps, st)
	}
	if s.isolation == staleReads && !slices.ContainsFunc(c.steps, func(st step) bool { return !st.read }) {
		c.base = s.old[s.rng.IntN(len(s.old))]
	}
	return c
}

// run executes the next step. It reports whether the transaction is at its end.
func (s *store) run(c *client) bool {
	if s.isolation <= staleReads {
		return s.rng.IntN(3) == 0 // everything happens in end
	}
	if c.next == len(c.steps) {
		return true
	}
	st := &c.steps[c.next]
	holder := s.locks[st.key]
	if (s.isolation == readUncommitted || s.isolation == readCommitted) && !st.read {
		if holder != nil && holder != c {
			c.abort = true
			return true
		}
		s.locks[st.key] = c
	}
	c.next++
	switch {
	case s.isolation >= readUncommitted && st.read:
		st.returned = slices.Clone(s.state[st.key])
	case s.isolation >= readUncommitted:
		s.state[st.key] = append(s.state[st.key], st.value)
	case st.read && s.isolation == snapshot:
		st.returned = append(slices.Clone(c.base[st.key]), c.own(st.key)...)
	case st.read:
		st.returned = append(slices.Clone(s.state[st.key]), c.own(st.key)...)
	}
	return false
}

// own returns what the client wrote to a key so far.
func (c *client) own(key int) (values []int) {
	for _, st := range c.steps[:c.next] {
		if !st.read && st.key == key {
			values = append(values, st.value)
		}
	}
	return values
}

// end commits or aborts, and reports which.
func (s *store) end(c *client, w workload) bool {
	for key, holder := range s.locks {
		if holder == c {
			delete(s.locks, key)
		}
	}
	if s.isolation >= readUncommitted {
		return s.endDirty(c)
	}
	if s.isolation == snapshot {
		for _, st := range c.steps {
			c.abort = c.abort || !st.read && s.changed[st.key] > c.begun
		}
	}
	if c.abort {
		return false
	}
	if s.isolation <= staleReads {
		base := s.state
		if !slices.ContainsFunc(c.steps, func(st step) bool { return !st.read }) &&
			s.isolation == staleReads {
			base = c.base
		}
		for i := range c.steps {
			c.next = i
			if st := &c.steps[i]; st.read {
				st.returned = append(slices.Clone(base[st.key]), c.own(st.key)...)
			}
		}
	}
	s.commits++
	for _, st := range c.steps {
		if !st.read {
			s.state[st.key] = append(s.state[st.key][:len(s.state[st.key]):len(s.state[st.key])], st.value)
			s.changed[st.key] = s.commits
		}
	}
	if s.isolation == staleReads {
		s.old = append(s.old, clone(s.state))
	}
	return true
}

func (s *store) endDirty(c *client) bool {
	if c.abort {
		for _, st := range c.steps[:c.next] {
			if !st.read {
				s.state[st.key] = slices.DeleteFunc(slices.Clone(s.state[st.key]),
					func(v int) bool { return v == st.value })
			}
		}
	}
	return !c.abort
}

// encode writes micro-operations.
func (s *store) encode(steps []step, done bool) json.RawMessage {
	text := []byte{'['}
	for i, st := range steps {
		if i > 0 {
			text = append(text, ',')
		}
		switch {
		case !st.read && s.kind == txn.ListAppend:
			text = fmt.Appendf(text, `["append",%d,%d]`, st.key, st.value)
		case !st.read:
			text = fmt.Appendf(text, `["w",%d,%d]`, st.key, st.value)
		case !done || len(st.returned) == 0:
			text = fmt.Appendf(text, `["r",%d,null]`, st.key)
		case s.kind == txn.RWRegister:
			text = fmt.Appendf(text, `["r",%d,%d]`, st.key, st.returned[len(st.returned)-1])
		default:
			text = fmt.Appendf(text, `["r",%d,%s]`, st.key, listJSON(st.returned))
		}
	}
	return append(text, ']')
}

func listJSON(values []int) []byte {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return text
}
