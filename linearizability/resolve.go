package linearizability

import (
	"fmt"
	"slices"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// operationResolution is what resolution found out about an operation.
type operationResolution struct {
	rev  uint64
	role models.Role
}

// noOwner marks a revision that no operation claims.
const noOwner = -1

// resolution gives every operation its place in the order of revisions. Outcomes that clients do not
// know are taken from the witness by request id: whether it happened, and at which revision. Times are
// never taken from there.
type resolution struct {
	model   *models.Model
	ops     []history.Operation
	witness *Witness

	place []operationResolution
	owner []int32 // owner[rev-first-1] is the operation that created rev
	first uint64  // revision of the initial state
	last  uint64  // highest revision mentioned anywhere

	logComplete bool // the witness has every revision, to the end
	// mutators and observers are the operations that the model does not ignore, in order of the history.
	// One that was rejected since stays listed, with its role set to Ignored.
	mutators, observers []uint32

	others  foreignOperations
	unknown []int32 // mutations without a known revision
	byID    map[string]int32
	gaps    []uint64

	resolved        int // unknown outcomes that the witness decided
	ackedWithoutRev int // acknowledged mutations whose revision is unknown
	assumed         int // unknown outcomes that may have happened after the last revision seen
	found           *findings
}

// findings collects violations, at most maxViolations.
type findings struct {
	ops     []history.Operation
	list    []Violation
	dropped int
}

// add records a violation and copies the operations at the positions it names, in the order of their calls.
func (f *findings) add(v Violation) {
	if len(f.list) >= maxViolations {
		f.dropped++
		return
	}
	sort.SliceStable(v.at, func(i, j int) bool { return f.ops[v.at[i]].Call < f.ops[v.at[j]].Call })
	for _, i := range v.at {
		v.Ops = append(v.Ops, f.ops[i])
	}
	f.list = append(f.list, v)
}

// maxRevisionSpan bounds the revisions between the first and the last of a history, so that one absurd
// number in a file cannot take all memory.
const maxRevisionSpan = 1 << 28

// reset makes r ready for a history, reusing its memory.
func (r *resolution) reset(m *models.Model, h *History, found *findings) {
	r.model, r.ops, r.witness, r.found = m, h.Ops, h.Witness, found
	r.first, r.last = m.FirstRev, m.FirstRev
	r.logComplete, r.resolved, r.assumed, r.ackedWithoutRev = false, 0, 0, 0
	r.unknown, r.gaps = r.unknown[:0], r.gaps[:0]
	r.mutators, r.observers = r.mutators[:0], r.observers[:0]
	r.others = foreignOperations{model: m}
	clear(r.byID)
}

// resolve determines role, revision and owner of every operation. An error means that the input is not a
// history: for example, revisions that are too far apart.
func (r *resolution) resolve() error {
	r.place = zeroed(r.place, len(r.ops))
	r.mutators, r.observers = slices.Grow(r.mutators, len(r.ops)/2), slices.Grow(r.observers, len(r.ops)/2)
	if r.witness != nil {
		r.last = max(r.last, r.witness.Tip)
		r.logComplete = r.witness.complete(r.first)
	}
	for i := range r.ops {
		op := &r.ops[i]
		role := r.model.Role(op)
		r.place[i] = operationResolution{role: role}
		if role == models.Ignored {
			r.others.addIgnored(op)
			continue
		}
		if role == models.Mutation {
			r.mutators = append(r.mutators, uint32(i))
			if op.Outcome == history.Info {
				continue
			}
		} else {
			r.observers = append(r.observers, uint32(i))
		}
		r.place[i].rev = op.Rev
		if role != models.LocalObservation && !r.rejectBeyondLog(i) {
			r.last = max(r.last, op.Rev)
		}
	}
	if r.last-r.first > maxRevisionSpan {
		return fmt.Errorf(
			"the history spans revisions %d to %d; the limit is %d revisions: give the initial "+
				"state in the header, or split the history", r.first, r.last, maxRevisionSpan)
	}
	r.owner = zeroed(r.owner, int(r.last-r.first))
	for i := range r.owner {
		r.owner[i] = noOwner
	}
	r.claimAcknowledged()
	if r.witness != nil {
		r.claimFromWitness()
	}
	r.findGaps()
	return nil
}

// rejectBeyondLog rejects an operation whose revision the complete log does not have.
func (r *resolution) rejectBeyondLog(i int) bool {
	op := &r.ops[i]
	if !r.logComplete || op.Rev <= r.witness.Tip {
		return false
	}
	text := describeEnding(op, op.Rev)
	if r.place[i].role != models.Mutation {
		text = fmt.Sprintf("%s at %s %s", opName(op), seconds(op.Return), describeAnswer(op, op.Rev))
	}
	r.reject(i, Violation{Kind: LostWrite, Revisions: []uint64{op.Rev, r.witness.Tip}, at: []int{i},
		Explain: fmt.Sprintf("%s, but the log ends at revision %d", text, r.witness.Tip)})
	return true
}

func (r *resolution) ownerOf(rev uint64) *int32 {
	if rev <= r.first || rev > r.last {
		return nil
	}
	return &r.owner[rev-r.first-1]
}

// claimAcknowledged lets every acknowledged mutation own its revision, if the witness agrees.
func (r *resolution) claimAcknowledged() {
	for _, m := range r.mutators {
		i := int(m)
		if r.place[i].role != models.Mutation {
			continue
		}
		op := &r.ops[i]
		rev := r.place[i].rev
		if rev == 0 {
			r.unknown = append(r.unknown, int32(i))
			continue
		}
		owner := r.ownerOf(rev)
		if owner == nil {
			r.reject(i, Violation{Kind: WrongAnswer, Revisions: []uint64{rev}, at: []int{i},
				Explain: fmt.Sprintf("%s, but the history starts at revision %d", describeEnding(op, rev),
					r.first)})
			continue
		}
		if *owner != noOwner {
			other := &r.ops[*owner]
			r.reject(i, Violation{Kind: DuplicateRevision, Revisions: []uint64{rev},
				at:      []int{int(*owner), i},
				Explain: fmt.Sprintf("%s; %s as well", describeEnding(other, rev), describeEnding(op, rev))})
			continue
		}
		if r.contradicted(i, rev) {
			continue
		}
		*owner = int32(i)
	}
}

// contradicted reports, as a violation, that the witness holds something else at an acknowledged revision.
func (r *resolution) contradicted(i int, rev uint64) bool {
	if r.witness == nil {
		return false
	}
	op := &r.ops[i]
	entry := r.witness.at(rev)
	switch {
	case entry == nil || matches(op, entry):
		return false
	}
	if at := r.witness.find(op.ID); at != nil {
		r.reject(i, Violation{Kind: ReorderedRevisions, Revisions: []uint64{rev, at.Rev}, at: []int{i},
			Explain: fmt.Sprintf("%s, but the log has that request at revision %d", describeEnding(op, rev),
				at.Rev)})
		return true
	}
	kind, text := LostWrite, fmt.Sprintf("%s, but the log holds %s there", describeEnding(op, rev),
		describeEntry(entry))
	if entry.ID != "" && entry.ID == op.ID {
		kind = WrongAnswer // the request is there, with another content
	}
	r.reject(i, Violation{Kind: kind, Revisions: []uint64{rev}, at: []int{i}, Explain: text})
	return true
}

// matches reports whether a witness entry can be what the operation did.
func matches(op *history.Operation, entry *history.WitnessEntry) bool {
	if op.ID != "" && entry.ID != "" && op.ID != entry.ID {
		return false
	}
	if entry.Key != "" && entry.Key != op.Key && models.CleanPath(entry.Key) != models.CleanPath(op.Key) {
		return false
	}
	if entry.To != "" {
		return models.CleanPath(entry.To) == models.CleanPath(models.TextOf(op.Input))
	}
	switch {
	case len(entry.Value) > 0:
		return string(entry.Value) == string(op.Input) || models.SameValue(entry.Value, op.Input)
	case entry.Digest != "" && len(op.Input) > 0:
		return entry.Digest == history.DigestOf(op.Input)
	}
	return true
}

// find returns the entry of a request, or nil. It is for explanations: it looks at every entry.
func (w *Witness) find(id string) *history.WitnessEntry {
	if id == "" {
		return nil
	}
	for _, e := range w.log {
		if e != nil && e.ID == id {
			return e
		}
	}
	return nil
}

// reject records the violation and takes the operation out of the order.
func (r *resolution) reject(i int, v Violation) {
	r.place[i].role = models.Ignored
	r.found.add(v)
}

// claimFromWitness assigns the entries without an owner to the operations with their request ids.
func (r *resolution) claimFromWitness() {
	if r.byID == nil {
		r.byID = make(map[string]int32, len(r.unknown))
	}
	for _, i := range r.unknown {
		if id := r.ops[i].ID; id != "" {
			r.byID[id] = i
		}
	}
	var unclaimed []*history.WitnessEntry
	for _, e := range r.witness.log {
		if e == nil || e.Internal {
			continue
		}
		owner := r.ownerOf(e.Rev)
		if owner == nil || *owner != noOwner {
			continue
		}
		i, ok := r.byID[e.ID]
		if !ok || e.ID == "" {
			unclaimed = append(unclaimed, e)
			continue
		}
		op := &r.ops[i]
		switch {
		case r.place[i].rev != 0:
			r.found.add(Violation{Kind: AppliedTwice, Revisions: []uint64{r.place[i].rev, e.Rev},
				at: []int{int(i)},
				Explain: fmt.Sprintf(
					"the request of %s took effect at revision %d and again at revision %d", describeOp(op),
					r.place[i].rev, e.Rev)})
		case !matches(op, e):
			r.found.add(Violation{Kind: WrongAnswer, Revisions: []uint64{e.Rev}, at: []int{int(i)},
				Explain: fmt.Sprintf("the request of %s took effect at revision %d as %s", describeOp(op),
					e.Rev,
					describeEntry(e))})
			r.place[i].rev = e.Rev
		default:
			r.place[i].rev = e.Rev
			*owner = i
			r.resolved++
		}
	}
	r.checkUnclaimed(unclaimed)
	r.checkMissing()
}

// checkUnclaimed reports entries of the log that no operation with unknown outcome explains.
func (r *resolution) checkUnclaimed(unclaimed []*history.WitnessEntry) {
	if len(unclaimed) == 0 {
		return
	}
	byID := make(map[string]int)
	anonymous := false // some unknown mutation has no request id, so an unclaimed entry may be its effect
	for i := range r.ops {
		op := &r.ops[i]
		if op.ID != "" {
			byID[op.ID] = i
		} else if op.Outcome == history.Info && r.place[i].role == models.Mutation {
			anonymous = true
		}
	}
	for _, e := range unclaimed {
		i, ok := byID[e.ID]
		if !ok || e.ID == "" {
			if anonymous && e.ID == "" {
				continue // a gap: its owner cannot be determined
			}
			r.found.add(
				Violation{Kind: Phantom, Revisions: []uint64{e.Rev}, Nodes: nodesOf(e), Explain: fmt.Sprintf(
					"revision %d is %s, which no client asked for", e.Rev, describeEntry(e))},
			)
			continue
		}
		r.explainUnclaimed(i, e)
	}
}

func nodesOf(e *history.WitnessEntry) []string {
	if e.Node == "" {
		return nil
	}
	return []string{e.Node}
}

// explainUnclaimed reports an entry whose request id belongs to an operation with another outcome.
func (r *resolution) explainUnclaimed(i int, e *history.WitnessEntry) {
	op := &r.ops[i]
	v := Violation{Revisions: []uint64{e.Rev}, at: []int{i}, Nodes: nodesOf(e)}
	switch {
	case op.Outcome == history.Fail:
		v.Kind = AbortedWrite
		v.Explain = fmt.Sprintf("%s failed (%s) at %s, but took effect at revision %d", describeOp(op),
			op.Error,
			seconds(op.Return), e.Rev)
	case r.place[i].role != models.Mutation:
		return // rejected before, with its own explanation
	default:
		v.Kind = AppliedTwice
		v.Revisions = []uint64{op.Rev, e.Rev}
		v.Explain = fmt.Sprintf("%s, and the same request took effect again at revision %d",
			describeEnding(op,
				op.Rev), e.Rev)
	}
	r.found.add(v)
}

// checkMissing finds acknowledged mutations without a revision that the witness does not have, and takes
// unknown ones that did not happen out of the order.
func (r *resolution) checkMissing() {
	left := r.unknown[:0]
	for _, i := range r.unknown {
		op := &r.ops[i]
		switch {
		case r.place[i].rev != 0:
		case op.Outcome == history.OK && r.logComplete && op.ID != "":
			r.reject(int(i), Violation{Kind: LostWrite, at: []int{int(i)}, Explain: fmt.Sprintf(
				"%s was acknowledged at %s, but the log does not have it", describeOp(op),
				seconds(op.Return))})
		case r.logComplete && op.ID != "":
			r.place[i].role = models.Ignored // it did not happen
			r.resolved++
		default:
			left = append(left, i)
		}
	}
	r.unknown = left
}

// findGaps lists revisions that nothing explains. Without any, unknown mutations that hold no revision
// did not happen up to the last revision seen, and may be left out.
func (r *resolution) findGaps() {
	for k, owner := range r.owner {
		rev := r.first + 1 + uint64(k)
		if owner != noOwner {
			continue
		}
		if e := r.witness.at(rev); e != nil && r.model.Entry != nil {
			continue // replayed from the witness
		}
		r.gaps = append(r.gaps, rev)
	}
	for _, i := range r.unknown {
		switch {
		case r.ops[i].Outcome == history.OK:
			r.ackedWithoutRev++
		case len(r.gaps) == 0:
			r.place[i].role = models.Ignored
			r.assumed++
		}
	}
}
