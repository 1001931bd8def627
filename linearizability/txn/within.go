package txn

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// keyState is what a transaction knows about one key.
type keyState struct {
	txn int32
	// lastRead and lastWrite are positions in table.micro, none if there was none.
	lastRead, lastWrite int32
	// first is the first external read.
	first int32
	// counted is set once the transaction is known to have read the key and then written it.
	counted bool
}

// update identifies what a transaction read before it wrote the same key.
type update struct {
	key, version, length int32
}

// within checks each transaction by itself, and finds lost updates. It marks external reads.
type within struct {
	t     *table
	found *collector
	keys  []keyState
	// previous is, for each micro-operation of the transaction that writes, the write of the same key
	// before it.
	previous []int32
	// readers has the first transaction that updated each version.
	readers map[update]int32
}

func checkWithin(t *table, found *collector) {
	w := &within{t: t, found: found, keys: make([]keyState, len(t.keys)), readers: map[update]int32{}}
	for i := range w.keys {
		w.keys[i].txn = none
	}
	for i := range t.txns {
		if t.txns[i].outcome == history.OK {
			w.transaction(int32(i))
		}
	}
}

func (w *within) transaction(txn int32) {
	first, end := w.t.txns[txn].first, w.t.txns[txn].end
	w.previous = slices.Grow(w.previous[:0], int(end-first))[:end-first]
	for at := first; at < end; at++ {
		m := &w.t.micro[at]
		state := &w.keys[m.key]
		if state.txn != txn {
			*state = keyState{txn: txn, lastRead: none, lastWrite: none, first: none}
		}
		if m.f != read {
			w.write(txn, at, first, state)
			continue
		}
		m.external = state.lastWrite == none
		if m.external && state.first == none {
			state.first = at
		}
		if w.t.kind == ListAppend {
			w.readList(txn, at, first, state)
		} else {
			w.readRegister(txn, at, state)
		}
		state.lastRead = at
	}
}

func (w *within) write(txn, at, first int32, state *keyState) {
	w.previous[at-first] = state.lastWrite
	state.lastWrite = at
	m := &w.t.micro[at]
	if state.lastRead != none && w.t.kind == RWRegister && w.t.versions[m.version].writer == txn &&
		w.t.micro[state.lastRead].version == m.version {
		w.future(txn, state.lastRead, at)
	}
	if state.first == none || state.counted {
		return
	}
	state.counted = true
	before := w.lastRead(state.first)
	if before >= 0 && w.t.versions[before].writer == ambiguous {
		return
	}
	u := update{m.key, before, w.t.micro[state.first].length}
	other, ok := w.readers[u]
	if !ok {
		w.readers[u] = txn
		return
	}
	if w.found.wants(LostUpdate) {
		w.found.add(LostUpdate, []int32{other, txn},
			"%s and %s both read %s and then wrote %s, so one of them did not see the other",
			w.t.name(other), w.t.name(txn), w.t.readText(state.first), w.t.keyText(m.key))
	}
}

// lastRead returns the version that a read returned: the last element of a list.
func (w *within) lastRead(at int32) int32 { return w.t.readVersion(&w.t.micro[at]) }

func (w *within) future(txn, readAt, writeAt int32) {
	if w.found.wants(FutureRead) {
		w.found.add(FutureRead, []int32{txn}, "%s read %s before it wrote %s itself", w.t.name(txn),
			w.t.readText(readAt), w.t.valueText(w.t.micro[writeAt].version))
	}
}

func (w *within) internal(txn, at int32, expected string) {
	if w.found.wants(Internal) {
		w.found.add(Internal, []int32{txn}, "%s read %s, but its own earlier micro-operations demand %s",
			w.t.name(txn), w.t.readText(at), shorten(expected))
	}
}

func (w *within) readRegister(txn, at int32, state *keyState) {
	last := max(state.lastRead, state.lastWrite)
	if last == none || w.t.micro[last].version == w.t.micro[at].version {
		return
	}
	w.internal(txn, at, w.t.valueText(w.t.micro[last].version))
}

// readList compares a list with the previous read of the transaction, followed by its appends since then.
// Without a previous read it must end with those appends.
func (w *within) readList(txn, at, first int32, state *keyState) {
	list := w.t.versionsRead(&w.t.micro[at])
	if state.lastRead == none && state.lastWrite == none {
		w.ownFuture(txn, at, list)
		return
	}
	rest := len(list)
	good := true
	for own := state.lastWrite; good && own > state.lastRead; own = w.previous[own-first] {
		rest--
		good = rest >= 0 && list[rest] == w.t.micro[own].version
	}
	if state.lastRead != none && good {
		base := w.t.versionsRead(&w.t.micro[state.lastRead])
		good = rest == len(base)
		for i := 0; good && i < rest; i++ {
			good = list[i] == base[i]
		}
	}
	if !good {
		w.internal(txn, at, w.expected(first, state))
	}
}

// ownFuture reports elements of the first read of a key that the transaction appends only later. They are
// at the end of the list, unless another anomaly shows.
func (w *within) ownFuture(txn, at int32, list []int32) {
	if len(list) == 0 {
		return
	}
	last := list[len(list)-1]
	if w.t.versions[last].writer != txn {
		return
	}
	for later := at + 1; later < w.t.txns[txn].end; later++ {
		if w.t.micro[later].version == last && w.t.micro[later].f != read {
			w.future(txn, at, later)
			return
		}
	}
}

// expected describes what a list must have been.
func (w *within) expected(first int32, state *keyState) string {
	text := ""
	own := state.lastWrite
	for n := 0; own > state.lastRead && n < maxListed; n++ {
		text = " " + w.t.valueText(w.t.micro[own].version) + text
		own = w.previous[own-first]
	}
	if state.lastRead == none {
		return fmt.Sprintf("a list that ends with%s", text)
	}
	base := w.t.listText(w.t.versionsRead(&w.t.micro[state.lastRead]))
	if text == "" {
		return base
	}
	return fmt.Sprintf("%s followed by%s", base, text)
}
