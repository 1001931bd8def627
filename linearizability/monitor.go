package linearizability

import (
	"errors"
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// ErrNotOnline reports a model whose histories can be judged only when they are over.
var ErrNotOnline = errors.New("model has no revisions, so it cannot be judged while the run goes on")

// maxRemembered bounds the mutations and reads per key that a Monitor keeps, so that a long run does not
// fill the memory. What falls out is judged at the end, by [Check].
const maxRemembered = 4096

// Monitor judges a history while it is made, so that a run can stop at the first violation. It takes the
// events in the order of their times, and may take witness entries as nodes write them.
//
// What it reports is a violation for certain. What it does not report may still be wrong: unknown outcomes,
// the whole content of lists and trees, and local reads are judged by [Check] when the history is complete.
type Monitor struct {
	model *Model
	open  map[int]*watchedCall
	gone  map[int]bool // processes whose last call has an unknown outcome

	highest  *watchedCall            // the highest revision that any call has returned
	byRev    map[uint64]*watchedCall // acknowledged mutations
	byKey    map[string]*watchedKey
	renames  bool // an entry may have moved, here or above
	installs bool // some node replaced its state, without an epoch
	entries  map[logPlace]history.WitnessEntry
	writers  map[uint64]history.WitnessEntry
}

type logPlace struct{ rev, epoch uint64 }

// watchedCall is a call that a Monitor has seen.
type watchedCall struct {
	op    history.Operation
	role  models.Role
	floor *watchedCall // the highest call that had returned when this one was made
}

// watchedKey is what was acknowledged and read of one key.
type watchedKey struct {
	writes  []*watchedCall // by revision
	reads   []*watchedCall
	deletes int // called, and not known to have happened or not
}

// NewMonitor returns a Monitor for a model with revisions.
func NewMonitor(m *Model) (*Monitor, error) {
	if !m.Revisioned {
		return nil, fmt.Errorf("monitoring with model %s: %w", m.Name, ErrNotOnline)
	}
	return &Monitor{model: m, open: make(map[int]*watchedCall), gone: make(map[int]bool),
		byRev: make(map[uint64]*watchedCall), byKey: make(map[string]*watchedKey),
		entries: make(map[logPlace]history.WitnessEntry), writers: make(map[uint64]history.WitnessEntry)}, nil
}

// Observe takes the next event and returns a violation that it completes, or nil. The error is for an event
// that does not fit those before it.
func (m *Monitor) Observe(e history.Event) (*Violation, error) {
	if e.Process < 0 {
		return nil, nil
	}
	if e.Type == history.Invoke {
		return nil, m.invoke(&e)
	}
	w := m.open[e.Process]
	if w == nil {
		return nil, fmt.Errorf("event %d, process %d: %w", e.Index, e.Process, history.ErrOrphan)
	}
	delete(m.open, e.Process)
	if e.Type == history.Info {
		m.gone[e.Process] = true
		return nil, nil
	}
	if err := w.op.Complete(&e); err != nil {
		return nil, fmt.Errorf("event %d, process %d: %w", e.Index, e.Process, err)
	}
	if w.op.F == models.FDelete {
		m.keyState(w.op.Key).deletes--
	}
	w.role = m.model.Role(&w.op)
	if w.role == models.Ignored || w.role == models.LocalObservation || w.op.Rev == 0 {
		return nil, nil
	}
	if v := m.judge(w); v != nil {
		return v, nil
	}
	if m.highest == nil || w.op.Rev > m.highest.op.Rev {
		m.highest = w
	}
	return nil, nil
}

func (m *Monitor) invoke(e *history.Event) error {
	switch {
	case m.open[e.Process] != nil:
		return fmt.Errorf("event %d, process %d: %w", e.Index, e.Process, history.ErrBusy)
	case m.gone[e.Process]:
		return fmt.Errorf("event %d, process %d: %w", e.Index, e.Process, history.ErrRetired)
	}
	m.open[e.Process] = &watchedCall{op: history.Begin(e), floor: m.highest}
	switch e.F {
	case models.FRename:
		m.renames = true
	case models.FDelete:
		m.keyState(e.Key).deletes++
	}
	return nil
}

// judge compares a call that has returned with those before it.
func (m *Monitor) judge(w *watchedCall) *Violation {
	rev := w.op.Rev
	if f := w.floor; f != nil {
		switch {
		case w.role == models.Mutation && rev <= f.op.Rev:
			return m.tooLow(w)
		case w.role != models.Mutation && rev < f.op.Rev:
			return m.staleRead(w)
		}
	}
	if w.role == models.Mutation {
		return m.noteWrite(w)
	}
	if w.op.F == models.FRead && w.op.Outcome == history.OK {
		return m.checkRead(w)
	}
	return nil
}

func (m *Monitor) violation(kind Kind, text string, a, b *watchedCall) *Violation {
	v := &Violation{Kind: kind, Explain: text, Ops: []history.Operation{a.op, b.op},
		Revisions: []uint64{a.op.Rev, b.op.Rev}}
	sortByCall(v.Ops)
	return v
}

// tooLow explains a mutation whose revision a client had already passed when it was called.
func (m *Monitor) tooLow(w *watchedCall) *Violation {
	f := w.floor
	if f.role == models.Mutation {
		return m.violation(ReorderedRevisions, fmt.Sprintf("%s; the %s began at %s and holds revision %d",
			describeEnding(&f.op, f.op.Rev), opName(&w.op), seconds(w.op.Call), w.op.Rev), f, w)
	}
	return m.violation(FutureRead,
		fmt.Sprintf("%s at %s %s, which includes revision %d of the %s; but that began at %s",
			opName(&f.op), seconds(f.op.Return), describeAnswer(&f.op, f.op.Rev), w.op.Rev, opName(&w.op),
			seconds(w.op.Call)), f, w)
}

func (m *Monitor) staleRead(w *watchedCall) *Violation {
	f := w.floor
	kind := StaleRead
	if f.op.Process == w.op.Process {
		kind = RevisionRegression
	}
	past := describeEnding(&f.op, f.op.Rev)
	if f.role != models.Mutation {
		past = fmt.Sprintf("%s at %s %s", opName(&f.op), seconds(f.op.Return),
			describeAnswer(&f.op, f.op.Rev))
	}
	return m.violation(kind, fmt.Sprintf("%s; the %s began at %s and %s", past, opName(&w.op),
		seconds(w.op.Call), describeAnswer(&w.op, w.op.Rev)), f, w)
}

func (m *Monitor) keyState(path string) *watchedKey {
	path = models.CleanPath(path)
	k := m.byKey[path]
	if k == nil {
		k = &watchedKey{}
		m.byKey[path] = k
	}
	return k
}

// noteWrite notes an acknowledged mutation.
func (m *Monitor) noteWrite(w *watchedCall) *Violation {
	if other := m.byRev[w.op.Rev]; other != nil {
		return m.violation(DuplicateRevision, fmt.Sprintf("%s; %s as well",
			describeEnding(&other.op, other.op.Rev),
			describeEnding(&w.op, w.op.Rev)), other, w)
	}
	m.byRev[w.op.Rev] = w
	k := m.keyState(w.op.Key)
	at := sort.Search(len(k.writes), func(i int) bool { return k.writes[i].op.Rev > w.op.Rev })
	k.writes = append(k.writes, nil)
	copy(k.writes[at+1:], k.writes[at:])
	k.writes[at] = w
	for _, r := range k.reads {
		if v := m.compare(k, r); r.op.Rev >= w.op.Rev && v != nil {
			return v
		}
	}
	if len(k.writes) > maxRemembered {
		delete(m.byRev, k.writes[0].op.Rev)
		k.writes = append(k.writes[:0], k.writes[1:]...)
	}
	return nil
}

// explainMissed explains a read that does not show the last change of its key.
func (m *Monitor) explainMissed(w, r *watchedCall) *Violation {
	return m.violation(StaleRead, fmt.Sprintf("%s; the %s began at %s and %s, which misses it",
		describeEnding(&w.op, w.op.Rev), opName(&r.op), seconds(r.op.Call),
		describeAnswer(&r.op, r.op.Rev)), w, r)
}

// checkRead compares a read with the acknowledged changes of its key, those that are known and those to come.
func (m *Monitor) checkRead(r *watchedCall) *Violation {
	k := m.keyState(r.op.Key)
	if v := m.compare(k, r); v != nil {
		return v
	}
	if k.reads = append(k.reads, r); len(k.reads) > maxRemembered {
		k.reads = append(k.reads[:0], k.reads[1:]...)
	}
	return nil
}

// compare judges a read by the last acknowledged change of its key up to its revision. Where something that
// is not known yet may have moved or removed the entry, it says nothing.
func (m *Monitor) compare(k *watchedKey, r *watchedCall) *Violation {
	at := sort.Search(len(k.writes), func(i int) bool { return k.writes[i].op.Rev > r.op.Rev })
	if at == 0 || m.renames || (r.op.Mod == 0 && k.deletes > 0) {
		return nil
	}
	last := k.writes[at-1]
	switch {
	case !writesContent(last.op.F):
		return nil
	case r.op.Mod < last.op.Rev:
		return m.explainMissed(last, r)
	case r.op.Mod == last.op.Rev && !models.SameValue(last.op.Input, r.op.Output):
		return m.violation(WrongAnswer, fmt.Sprintf("%s; the %s at %s %s",
			describeEnding(&last.op, last.op.Rev),
			opName(&r.op), seconds(r.op.Return), describeAnswer(&r.op, r.op.Rev)), last, r)
	}
	return nil
}

func writesContent(f string) bool {
	return f == models.FWrite || f == models.FCreate || f == models.FCAS
}

// ObserveWitness takes an entry as a node writes it and returns a violation that it completes, or nil.
//
// In systems without epochs a node may replace a revision when it installs another state; from the first
// such record on, only Check compares nodes.
func (m *Monitor) ObserveWitness(e history.WitnessEntry) *Violation {
	if e.Kind == history.WitnessInstall && e.Epoch == 0 {
		m.installs = true
	}
	if e.Kind != history.WitnessApply || (m.installs && e.Epoch == 0) {
		return nil
	}
	place := logPlace{e.Rev, e.Epoch}
	first, ok := m.entries[place]
	switch {
	case !ok:
		m.entries[place] = e
	case !sameEntry(&first, &e):
		v := splitBrain(&first, &e)
		return &v
	}
	if e.Writer == "" {
		return nil
	}
	writer, ok := m.writers[e.Epoch]
	if !ok {
		m.writers[e.Epoch] = e
		return nil
	}
	if writer.Writer != e.Writer {
		return &Violation{Kind: TwoWriters, Revisions: []uint64{writer.Rev, e.Rev},
			Nodes: []string{writer.Writer, e.Writer}, Explain: fmt.Sprintf(
				"in epoch %d, %s ordered revision %d and %s ordered revision %d; one epoch has one writer",
				e.Epoch,
				writer.Writer,
				writer.Rev,
				e.Writer,
				e.Rev,
			)}
	}
	return nil
}
