// Package gen makes histories of a correct store for tests and benchmarks, with the log that such a
// store would keep. It executes each operation at one instant between call and return, by code that
// shares nothing with the models. It never makes a wrong history: breaking one is the caller's part.
package gen

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Config describes what to generate. Times are in ticks.
type Config struct {
	Seed    uint64
	Ops     int
	Clients int
	Keys    int
	// UnknownPpm is how many of a million operations end with an unknown outcome; half of them happen.
	UnknownPpm int
	// Tree adds create, delete, mkdir, rename and list to read, write and cas.
	Tree bool
	// LocalPpm is how many of a million operations are local reads that may be stale.
	LocalPpm int
	// Nodes is how many nodes local reads go to and report witnesses. Zero means one.
	Nodes int
	// Idle is the longest pause of a client between operations.
	Idle int
}

// History is a generated history.
type History struct {
	Ops     []history.Operation
	Witness []history.WitnessEntry // of the first node
}

const (
	minTicks   = 100
	maxTicks   = 1000
	lateTicks  = 10_000 // an operation with a lost answer may take effect this late
	ppm        = 1_000_000
	readPpm    = 500_000
	writePpm   = 300_000
	casHitHalf = 2
)

type fileState struct {
	value string
	mod   uint64
	dir   bool
}

// moment is something that happens to an operation at an instant.
type moment struct {
	at     int64
	seq    int // breaks ties
	client int
	op     int // index, or -1: the client makes its next call
	effect bool
}

type moments []moment

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	if m[i].at != m[j].at {
		return m[i].at < m[j].at
	}
	return m[i].seq < m[j].seq
}
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)   { *m = append(*m, x.(moment)) }
func (m *moments) Pop() any {
	old := *m
	last := old[len(old)-1]
	*m = old[:len(old)-1]
	return last
}

type world struct {
	Config
	rng     *rand.Rand
	queue   moments
	seq     int
	files   map[string]fileState
	rev     uint64
	past    map[string][]fileState // per key, every state with the revision in mod; deletions have dir set
	nodeRev []uint64
	process []int
	next    int // next process id
	out     History
	keys    []string
}

// Store generates a history of the store model, starting from the empty tree at revision 0.
func Store(c Config) *History {
	c.Nodes = max(1, c.Nodes)
	w := &world{Config: c, rng: rand.New(rand.NewPCG(c.Seed, 0x9e3779b97f4a7c15)),
		files: map[string]fileState{"": {dir: true}}, past: map[string][]fileState{},
		nodeRev: make([]uint64, c.Nodes), next: c.Clients}
	for k := range max(1, c.Keys) {
		w.keys = append(w.keys, "k"+strconv.Itoa(k))
	}
	if c.Tree {
		for k := range max(1, c.Keys) {
			w.keys = append(w.keys, "d"+strconv.Itoa(k%3), fmt.Sprintf("d%d/k%d", k%3, k))
		}
	}
	for client := range c.Clients {
		w.process = append(w.process, client)
		w.at(moment{at: w.rng.Int64N(maxTicks), client: client, op: -1})
	}
	for len(w.queue) > 0 {
		m := heap.Pop(&w.queue).(moment)
		switch {
		case m.op < 0 && len(w.out.Ops) < c.Ops:
			w.call(m)
		case m.effect:
			w.execute(&w.out.Ops[m.op])
		}
	}
	return &w.out
}

func (w *world) at(m moment) {
	w.seq++
	m.seq = w.seq
	heap.Push(&w.queue, m)
}

// call lets a client make its next call and plans effect and return.
func (w *world) call(m moment) {
	i := len(w.out.Ops)
	op := w.choose(i)
	op.Index, op.Process, op.Call = int64(2*i), w.process[m.client], m.at
	back := m.at + minTicks + w.rng.Int64N(maxTicks-minTicks)
	op.Return, op.Outcome = back, history.OK
	effect := m.at + w.rng.Int64N(back-m.at+1)
	happens := true
	if w.rng.IntN(ppm) < w.UnknownPpm {
		op.Outcome, op.Return, op.Ended = history.Info, history.Never, back
		effect = m.at + w.rng.Int64N(lateTicks)
		happens = w.rng.IntN(2) == 0
		w.process[m.client] = w.next
		w.next++
	}
	w.out.Ops = append(w.out.Ops, op)
	if happens {
		w.at(moment{at: effect, op: i, effect: true})
	}
	w.at(moment{at: back + 1 + w.rng.Int64N(int64(w.Idle)+1), client: m.client, op: -1})
}

func (w *world) choose(i int) history.Operation {
	op := history.Operation{Key: w.keys[w.rng.IntN(len(w.keys))], ID: "r" + strconv.Itoa(i)}
	value := json.RawMessage(`"v` + strconv.Itoa(i) + `"`)
	dice := w.rng.IntN(ppm)
	switch {
	case w.rng.IntN(ppm) < w.LocalPpm:
		op.F, op.ID = "read_local", ""
		op.Node = "n" + strconv.Itoa(1+w.rng.IntN(w.Nodes))
	case dice < readPpm:
		op.F, op.ID = "read", ""
		if w.Tree && w.rng.IntN(4) == 0 {
			op.F, op.Key = "list", []string{"", "d0", "d1"}[w.rng.IntN(3)]
		}
	case dice < readPpm+writePpm:
		op.F, op.Input = "write", value
		if w.Tree {
			w.chooseTree(&op)
		}
	default:
		op.F, op.Input = "cas", value
		op.Expect = w.files[op.Key].mod
		if w.rng.IntN(casHitHalf) == 0 {
			op.Expect = w.rev / 2
		}
	}
	return op
}

func (w *world) chooseTree(op *history.Operation) {
	switch w.rng.IntN(6) {
	case 0:
		op.F = "create"
	case 1:
		op.F, op.Input = "delete", nil
	case 2:
		op.F, op.Input = "mkdir", nil
	case 3:
		op.F = "rename"
		op.Input = json.RawMessage(strconv.Quote(w.keys[w.rng.IntN(len(w.keys))]))
	}
}

// execute does what a correct store does, at this instant.
func (w *world) execute(op *history.Operation) {
	switch op.F {
	case "read":
		f := w.files[op.Key]
		if f.dir {
			f.value = ""
		}
		w.answerRead(op, f, w.rev)
	case "list":
		w.list(op)
	case "read_local":
		n, _ := strconv.Atoi(op.Node[1:])
		lag := w.nodeRev[n-1]
		w.nodeRev[n-1] += w.rng.Uint64N(w.rev - lag + 1)
		w.answerRead(op, w.stateAt(op.Key, w.nodeRev[n-1]), w.nodeRev[n-1])
	default:
		w.mutate(op)
	}
}

func (w *world) answerRead(op *history.Operation, f fileState, rev uint64) {
	if op.Outcome == history.Info {
		return
	}
	op.Rev, op.Mod = rev, f.mod
	if f.value != "" {
		op.Output = json.RawMessage(f.value)
	}
}

func (w *world) list(op *history.Operation) {
	if op.Outcome == history.Info {
		return
	}
	op.Rev = w.rev
	f, ok := w.files[op.Key]
	switch {
	case !ok:
		op.Outcome, op.Error = history.Fail, "not_found"
		return
	case !f.dir:
		op.Outcome, op.Error = history.Fail, "not_directory"
		return
	}
	names := w.below(op.Key)
	op.Output, _ = json.Marshal(names)
}

func (w *world) below(dir string) []string {
	names := []string{}
	prefix := dir
	if dir != "" {
		prefix += "/"
	}
	for path := range w.files {
		if path != "" && len(path) > len(prefix) && path[:len(prefix)] == prefix {
			rest := path[len(prefix):]
			direct := true
			for j := range rest {
				direct = direct && rest[j] != '/'
			}
			if direct {
				names = append(names, rest)
			}
		}
	}
	sort.Strings(names)
	return names
}

func (w *world) stateAt(key string, rev uint64) fileState {
	states := w.past[key]
	k := sort.Search(len(states), func(k int) bool { return states[k].mod > rev })
	if k == 0 || states[k-1].dir {
		return fileState{}
	}
	return states[k-1]
}
