package linearizability

import (
	"cmp"
	"fmt"
	"slices"
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
	nodes  []*nodeLog              // in order of first appearance
	spare  []*nodeLog              // from an earlier Load
	trees  []*history.WitnessEntry
	writer map[uint64]*history.WitnessEntry // epoch -> first entry that names a writer
	bad    []Violation

	internal bool // some mutation was the system's own
}

// nodeLog is what one node reports to hold at its end, and what it dropped on the way.
type nodeLog struct {
	name    string
	base    uint64                  // entries[i] created revision base+1+i
	entries []*history.WitnessEntry // nil is a gap
	dropped []*history.WitnessEntry // replaced by an install, oldest first
	epoch   uint64
	tip     uint64
}

// maxWitnessRevisions bounds the span of revisions that a witness may cover.
const maxWitnessRevisions = 1 << 28

// NewWitness puts the entries of all nodes together. The entries of each node must be in the order in
// which the node wrote them; different nodes may be interleaved. Contradictions between nodes are not
// errors: [Check] reports them as violations. The witness keeps pointers to the entries.
func NewWitness(entries []history.WitnessEntry) (*Witness, error) {
	w := &Witness{}
	return w, w.Load(entries)
}

// Load makes w the witness of these entries, as [NewWitness] does, and reuses its memory.
func (w *Witness) Load(entries []history.WitnessEntry) error {
	w.spare = append(w.spare, w.nodes...)
	*w = Witness{Nodes: w.Nodes[:0], log: w.log[:0], nodes: w.nodes[:0], spare: w.spare, trees: w.trees[:0],
		writer: w.writer}
	clear(w.writer)
	var last *nodeLog
	for i := range entries {
		e := &entries[i]
		if last == nil || last.name != e.Node {
			last = w.nodeFor(e.Node)
		}
		if err := w.add(last, e); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		w.Nodes = append(w.Nodes, n.name)
	}
	sort.Strings(w.Nodes)
	w.merge()
	w.findConflictsOfDropped()
	w.compareTrees()
	return nil
}

// Log is the log that won, in the order of its revisions, without gaps' places. The entries are
// those that the witness was made of: leave them as they are.
func (w *Witness) Log() []*history.WitnessEntry {
	return slices.DeleteFunc(slices.Clone(w.log), func(e *history.WitnessEntry) bool { return e == nil })
}

// node returns the log of a node, or nil.
func (w *Witness) node(name string) *nodeLog {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (w *Witness) nodeFor(name string) *nodeLog {
	if n := w.node(name); n != nil {
		return n
	}
	n := &nodeLog{}
	if last := len(w.spare) - 1; last >= 0 {
		n, w.spare = w.spare[last], w.spare[:last]
		*n = nodeLog{entries: n.entries[:0], dropped: n.dropped[:0]}
	}
	n.name = name
	w.nodes = append(w.nodes, n)
	return n
}

func (w *Witness) add(n *nodeLog, e *history.WitnessEntry) error {
	switch e.Kind {
	case history.WitnessTree:
		w.trees = append(w.trees, e)
		return nil
	case history.WitnessInstall:
		n.truncateAfter(e.Keep)
		n.tip = e.Rev
	default:
		if old := n.at(e.Rev); old != nil && sameEntry(old, e) {
			return nil // reported again after a restart
		}
		if e.Rev <= n.tip {
			n.truncateAfter(e.Rev - 1)
		}
		if err := n.put(e); err != nil {
			return err
		}
		w.noteWriter(e)
		w.internal = w.internal || e.Internal
		if e.Tree != "" {
			w.trees = append(w.trees, e)
		}
	}
	n.epoch = max(n.epoch, e.Epoch)
	return nil
}

// at returns the entry that created a revision on the node, or nil.
func (n *nodeLog) at(rev uint64) *history.WitnessEntry {
	if rev <= n.base || rev-n.base > uint64(len(n.entries)) {
		return nil
	}
	return n.entries[rev-n.base-1]
}

func (n *nodeLog) put(e *history.WitnessEntry) error {
	switch {
	case e.Rev == 0:
		return fmt.Errorf("%s reports %s at revision 0; revisions begin at 1", nodeName(n.name),
			describeEntry(e))
	case len(n.entries) == 0:
		n.base = e.Rev - 1
	case e.Rev <= n.base: // before everything known: make room
		if n.base-e.Rev >= maxWitnessRevisions {
			return n.tooWide(e.Rev)
		}
		room := make([]*history.WitnessEntry, n.base-e.Rev+1, uint64(len(n.entries))+n.base-e.Rev+1)
		n.entries, n.base = append(room, n.entries...), e.Rev-1
	}
	if e.Rev-n.base > maxWitnessRevisions {
		return n.tooWide(e.Rev)
	}
	for uint64(len(n.entries)) < e.Rev-n.base {
		n.entries = append(n.entries, nil)
	}
	n.entries[e.Rev-n.base-1] = e
	n.tip = e.Rev
	return nil
}

func (n *nodeLog) tooWide(rev uint64) error {
	return fmt.Errorf(
		"%s reports revisions as far apart as %d and %d; the limit is a span of %d: split the history",
		nodeName(n.name), n.base+1, rev, maxWitnessRevisions)
}

// truncateAfter drops everything after revision keep.
func (n *nodeLog) truncateAfter(keep uint64) {
	from := uint64(0)
	if keep > n.base {
		from = min(keep-n.base, uint64(len(n.entries)))
	}
	for _, e := range n.entries[from:] {
		if e != nil {
			n.dropped = append(n.dropped, e)
		}
	}
	n.entries = n.entries[:from]
	n.tip = min(n.tip, keep)
}

func (w *Witness) noteWriter(e *history.WitnessEntry) {
	if e.Writer == "" {
		return
	}
	first := w.writer[e.Epoch]
	if first == nil {
		if w.writer == nil {
			w.writer = make(map[uint64]*history.WitnessEntry)
		}
		w.writer[e.Epoch] = e
		return
	}
	if first.Writer == e.Writer || len(w.bad) >= maxViolations {
		return
	}
	w.bad = append(w.bad, Violation{
		Kind: TwoWriters, Revisions: []uint64{first.Rev, e.Rev}, Nodes: []string{first.Writer, e.Writer},
		Explain: fmt.Sprintf(
			"in epoch %d, %s ordered revision %d and %s ordered revision %d; one epoch has one writer",
			e.Epoch, first.Writer, first.Rev, e.Writer, e.Rev),
	})
}

// sameEntry reports whether two nodes agree about a revision, as far as both say.
func sameEntry(a, b *history.WitnessEntry) bool {
	differ := func(x, y string) bool { return x != "" && y != "" && x != y }
	switch {
	case differ(a.ID, b.ID),
		differ(a.Key, b.Key),
		differ(a.To, b.To),
		differ(a.F, b.F),
		differ(a.Chain, b.Chain):
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
func (w *Witness) merge() {
	order := w.byAuthority()
	var low uint64
	for _, n := range order {
		if w.Tip == 0 {
			w.Tip = n.tip // the first that says where it stands decides where the log ends
		}
		if len(n.entries) > 0 && n.base < w.Tip && (low == 0 || n.base+1 < low) {
			low = n.base + 1
		}
	}
	if low == 0 {
		w.Tip = 0
		return
	}
	w.Base = low - 1
	need := int(w.Tip - w.Base)
	if cap(w.log) < need {
		w.log = make([]*history.WitnessEntry, need)
	}
	w.log = w.log[:need]
	clear(w.log)
	for _, n := range order {
		w.mergeNode(n)
	}
}

// byAuthority sorts the node logs, the one to be believed first: highest epoch, then longest, then name.
func (w *Witness) byAuthority() []*nodeLog {
	slices.SortStableFunc(w.nodes, func(a, b *nodeLog) int {
		return cmp.Or(cmp.Compare(b.epoch, a.epoch), cmp.Compare(b.tip, a.tip), cmp.Compare(a.name, b.name))
	})
	return w.nodes
}

// mergeNode compares a node's log with what is known, and fills gaps from it.
func (w *Witness) mergeNode(n *nodeLog) {
	var first *history.WitnessEntry // the lowest revision of disagreement in one epoch
	for _, e := range n.entries {
		if e == nil {
			continue
		}
		if e.Rev > w.Tip {
			n.dropped = append(n.dropped, e) // of a branch that another epoch won over
			continue
		}
		have := w.log[e.Rev-w.Base-1]
		switch {
		case have == nil:
			w.log[e.Rev-w.Base-1] = e
		case have == e || sameEntry(have, e):
		case have.Epoch != e.Epoch:
			n.dropped = append(n.dropped, e)
		case first == nil:
			first = e
		}
	}
	if first == nil || len(w.bad) >= maxViolations {
		return
	}
	w.bad = append(w.bad, splitBrain(w.log[first.Rev-w.Base-1], first))
}

// findConflictsOfDropped finds a revision that meant two things in one epoch, although the node that had
// the other one dropped it later: in one epoch there is one order, so that a client may have acted on
// either.
func (w *Witness) findConflictsOfDropped() {
	type place struct{ rev, epoch uint64 }
	var seen map[place]*history.WitnessEntry
	for _, n := range w.nodes {
		for _, e := range n.dropped {
			if e.Epoch == 0 {
				continue
			}
			if seen == nil {
				seen = make(map[place]*history.WitnessEntry)
			}
			other := w.at(e.Rev)
			if other == nil || other.Epoch != e.Epoch {
				other = seen[place{e.Rev, e.Epoch}]
				seen[place{e.Rev, e.Epoch}] = e
			}
			if other != nil && !sameEntry(other, e) && len(w.bad) < maxViolations {
				w.bad = append(w.bad, splitBrain(other, e))
			}
		}
	}
}

// splitBrain is the violation of two nodes that disagree about a revision in one epoch.
func splitBrain(a, b *history.WitnessEntry) Violation {
	return Violation{Kind: SplitBrain, Revisions: []uint64{a.Rev}, Nodes: []string{a.Node, b.Node},
		Explain: fmt.Sprintf("at revision %d %s holds %s, but %s holds %s", a.Rev, nodeName(a.Node),
			describeEntry(a), nodeName(b.Node), describeEntry(b))}
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
	if len(w.trees) == 0 {
		return
	}
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
	for _, d := range w.nodeFor(t.Node).dropped {
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
