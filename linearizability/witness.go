package linearizability

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Witness is what the system under test recorded about its own mutations, put together from all nodes.
type Witness struct {
	// Nodes names the nodes that reported, sorted.
	Nodes []string
	// Base and Tip are the revisions before the first and of the last entry of the log that won.
	Base, Tip uint64
	// Partial says that the record was cut off at its end, so that a revision after Tip is not known
	// rather than missing. Set it before [Check], for example when the file had a torn last line.
	Partial bool

	log    []*history.WitnessEntry // log[i] created revision Base+1+i; nil is a gap
	nodes  map[string]*nodeLog
	trees  []*history.WitnessEntry
	writer map[uint64]*history.WitnessEntry // epoch -> first entry that names a writer
	bad    []Violation
}

// nodeLog is what one node reports to hold at its end, and what it dropped on the way.
type nodeLog struct {
	name    string
	entries map[uint64]*history.WitnessEntry
	dropped []*history.WitnessEntry // replaced by an install, oldest first
	epoch   uint64
	tip     uint64
}

// maxWitnessRevisions bounds the span of revisions that a witness may cover.
const maxWitnessRevisions = 1 << 31

// NewWitness puts the entries of all nodes together. The entries of each node must be in the order in
// which the node wrote them; different nodes may be interleaved. Contradictions between nodes are not
// errors: [Check] reports them as violations.
func NewWitness(entries []history.WitnessEntry) (*Witness, error) {
	w := &Witness{nodes: make(map[string]*nodeLog), writer: make(map[uint64]*history.WitnessEntry)}
	for i := range entries {
		w.add(&entries[i])
	}
	for name := range w.nodes {
		w.Nodes = append(w.Nodes, name)
	}
	sort.Strings(w.Nodes)
	if err := w.merge(); err != nil {
		return nil, err
	}
	w.compareTrees()
	return w, nil
}

func (w *Witness) add(e *history.WitnessEntry) {
	n := w.nodes[e.Node]
	if n == nil {
		n = &nodeLog{name: e.Node, entries: make(map[uint64]*history.WitnessEntry)}
		w.nodes[e.Node] = n
	}
	switch e.Kind {
	case history.WitnessTree:
		w.trees = append(w.trees, e)
		return
	case history.WitnessInstall:
		n.cut(e.Keep)
		n.tip = e.Rev
	default:
		if old := n.entries[e.Rev]; old != nil && sameEntry(old, e) {
			return // reported again after a restart
		}
		if e.Rev <= n.tip {
			n.cut(e.Rev - 1)
		}
		n.entries[e.Rev] = e
		n.tip = e.Rev
		w.noteWriter(e)
		if e.Tree != "" {
			w.trees = append(w.trees, e)
		}
	}
	n.epoch = max(n.epoch, e.Epoch)
}

// cut drops everything after revision keep.
func (n *nodeLog) cut(keep uint64) {
	for rev := keep + 1; rev <= n.tip; rev++ {
		if e := n.entries[rev]; e != nil {
			n.dropped = append(n.dropped, e)
			delete(n.entries, rev)
		}
	}
	n.tip = min(n.tip, keep)
}

func (w *Witness) noteWriter(e *history.WitnessEntry) {
	if e.Writer == "" {
		return
	}
	first := w.writer[e.Epoch]
	if first == nil {
		w.writer[e.Epoch] = e
		return
	}
	if first.Writer == e.Writer || len(w.bad) >= maxViolations {
		return
	}
	w.bad = append(w.bad, Violation{
		Kind: TwoWriters, Revisions: []uint64{first.Rev, e.Rev}, Nodes: []string{first.Writer, e.Writer},
		Explain: fmt.Sprintf("in epoch %d, %s ordered revision %d and %s ordered revision %d; one epoch has one writer",
			e.Epoch, first.Writer, first.Rev, e.Writer, e.Rev),
	})
}

// sameEntry reports whether two nodes agree about a revision, as far as both say.
func sameEntry(a, b *history.WitnessEntry) bool {
	differ := func(x, y string) bool { return x != "" && y != "" && x != y }
	switch {
	case differ(a.ID, b.ID), differ(a.Key, b.Key), differ(a.To, b.To), differ(a.F, b.F), differ(a.Chain, b.Chain):
		return false
	case len(a.Value) > 0 && len(b.Value) > 0:
		return models.SameValue(a.Value, b.Value)
	}
	return !differ(digestOf(a), digestOf(b))
}

func digestOf(e *history.WitnessEntry) string {
	if e.Digest == "" && len(e.Value) > 0 {
		return history.DigestOf(e.Value)
	}
	return e.Digest
}

// merge chooses the log that won and fills it from the others.
func (w *Witness) merge() error {
	order := w.byAuthority()
	var low uint64
	for _, n := range order {
		if len(n.entries) > 0 {
			w.Tip = max(w.Tip, n.tip)
			break // the first that has entries decides where the log ends
		}
	}
	for _, n := range order {
		for rev := range n.entries {
			if rev <= w.Tip && (low == 0 || rev < low) {
				low = rev
			}
		}
	}
	if low == 0 {
		w.Tip = 0
		return nil
	}
	if w.Tip-low >= maxWitnessRevisions {
		return fmt.Errorf("witness spans revisions %d to %d; the limit is %d revisions: split the history",
			low, w.Tip, maxWitnessRevisions)
	}
	w.Base = low - 1
	w.log = make([]*history.WitnessEntry, w.Tip-w.Base)
	for _, n := range order {
		w.take(n)
	}
	return nil
}

// byAuthority sorts the node logs, the one to be believed first: highest epoch, then longest, then name.
func (w *Witness) byAuthority() []*nodeLog {
	order := make([]*nodeLog, 0, len(w.nodes))
	for _, name := range w.Nodes {
		order = append(order, w.nodes[name])
	}
	sort.SliceStable(order, func(i, j int) bool {
		if order[i].epoch != order[j].epoch {
			return order[i].epoch > order[j].epoch
		}
		return order[i].tip > order[j].tip
	})
	return order
}

// take compares a node's log with what is known, and fills gaps from it.
func (w *Witness) take(n *nodeLog) {
	var first *history.WitnessEntry  // the lowest revision of disagreement in one epoch
	var lost []*history.WitnessEntry // a branch that another epoch won over
	for rev, e := range n.entries {
		if rev > w.Tip {
			lost = append(lost, e)
			continue
		}
		have := w.log[rev-w.Base-1]
		switch {
		case have == nil:
			w.log[rev-w.Base-1] = e
		case sameEntry(have, e):
		case have.Epoch != e.Epoch:
			lost = append(lost, e)
		case first == nil || rev < first.Rev:
			first = e
		}
	}
	sort.Slice(lost, func(i, j int) bool { return lost[i].Rev < lost[j].Rev })
	n.dropped = append(n.dropped, lost...)
	if first == nil || len(w.bad) >= maxViolations {
		return
	}
	have := w.log[first.Rev-w.Base-1]
	w.bad = append(w.bad, Violation{
		Kind: SplitBrain, Revisions: []uint64{first.Rev}, Nodes: []string{have.Node, first.Node},
		Explain: fmt.Sprintf("at revision %d %s holds %s, but %s holds %s", first.Rev, nodeName(have.Node),
			describeEntry(have), nodeName(first.Node), describeEntry(first)),
	})
}

func nodeName(name string) string {
	if name == "" {
		return "the witness"
	}
	return name
}

func describeEntry(e *history.WitnessEntry) string {
	text := e.F
	if text == "" {
		text = "a mutation"
	}
	if e.Key != "" {
		text += fmt.Sprintf(" of %s", e.Key)
	}
	if e.To != "" {
		text += fmt.Sprintf(" to %s", e.To)
	}
	if len(e.Value) > 0 {
		text += fmt.Sprintf(" = %s", shorten(string(e.Value)))
	}
	if e.ID != "" {
		text += fmt.Sprintf(" (request %s)", e.ID)
	}
	return text
}

// compareTrees finds nodes whose trees differ at an equal revision in one epoch.
func (w *Witness) compareTrees() {
	type at struct{ rev, epoch uint64 }
	seen := make(map[at]*history.WitnessEntry)
	for _, t := range w.trees {
		if w.superseded(t) {
			continue
		}
		key := at{t.Rev, t.Epoch}
		first := seen[key]
		if first == nil {
			seen[key] = t
			continue
		}
		if first.Tree != t.Tree && len(w.bad) < maxViolations {
			w.bad = append(w.bad, Violation{
				Kind: TreeDivergence, Revisions: []uint64{t.Rev}, Nodes: []string{first.Node, t.Node},
				Explain: fmt.Sprintf("at revision %d the tree of %s has digest %s, that of %s has %s", t.Rev,
					nodeName(first.Node), shorten(first.Tree), nodeName(t.Node), shorten(t.Tree)),
			})
		}
	}
}

// superseded reports whether a tree digest belongs to a branch that its node dropped later.
func (w *Witness) superseded(t *history.WitnessEntry) bool {
	for _, d := range w.nodes[t.Node].dropped {
		if d.Rev == t.Rev && d.Epoch == t.Epoch {
			return true
		}
	}
	return false
}

// at returns the entry that created a revision, or nil.
func (w *Witness) at(rev uint64) *history.WitnessEntry {
	if w == nil || rev <= w.Base || rev > w.Tip {
		return nil
	}
	return w.log[rev-w.Base-1]
}

// complete reports whether the log has no gap after revision first, and its end.
func (w *Witness) complete(first uint64) bool {
	if w.Base > first || w.Partial {
		return false
	}
	for _, e := range w.log {
		if e == nil {
			return false
		}
	}
	return true
}
