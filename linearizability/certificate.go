package linearizability

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// certificate replays the proposed order: revision by revision, each mutation followed by the observations
// made at its revision. If every step is legal and no operation stands before another one that had
// returned before it was called, the order proves the history linearizable.
type certificate struct {
	resolution
	starts []uint32 // starts[k] is where observations of revision first+k begin in sorted
	sorted []uint32 // observations by revision, then by call

	state   any
	scratch models.Call

	op          history.Operation // the mutation at hand, if its outcome had to be resolved
	cursor      []uint32
	pending     []unversionedRead // observations without a revision that have no place yet, sorted by call
	latest      int64             // the latest call among operations placed so far
	latestOp    int               // the operation that made it
	latestWrite int64             // the same among mutations only
	writeOp     int

	checked      int
	stateUnknown bool // the state is no longer known
	hasUnplaced  bool // some observation without a revision has no place
	undecided    bool // some observation may belong after the end of the order
}

// zeroed returns a slice of n zeroes in the memory of s if that is large enough.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// run replays and records violations. It returns false if it could not get to the end of the order.
func (c *certificate) run() (bool, error) {
	c.sortObservations()
	c.listUnversioned()
	c.resetState()
	c.checked, c.stateUnknown, c.undecided, c.hasUnplaced = 0, false, false, false
	c.latest, c.latestWrite = math.MinInt64, math.MinInt64
	if err := c.observe(0); err != nil {
		return false, err
	}
	for k, owner := range c.owner {
		if err := c.mutate(c.first+1+uint64(k), owner); err != nil {
			return false, err
		}
		if c.stateUnknown {
			return false, nil
		}
		if err := c.observe(k + 1); err != nil {
			return false, err
		}
	}
	c.reportUnplaced()
	return true, nil
}

func (c *certificate) resetState() {
	if c.model.Replay == nil {
		c.state = c.model.Init()
		return
	}
	c.state = c.model.Replay(c.state)
}

// sortObservations sorts by counting: linear, and stable, so that calls in order stay in order.
func (c *certificate) sortObservations() {
	c.starts = zeroed(c.starts, len(c.owner)+2)
	total := 0
	for _, i := range c.observers {
		if c.observes(int(i)) {
			c.starts[c.place[i].rev-c.first+1]++
			total++
		}
	}
	for k := 1; k < len(c.starts); k++ {
		c.starts[k] += c.starts[k-1]
	}
	c.sorted = zeroed(c.sorted, total)
	c.cursor = append(c.cursor[:0], c.starts...)
	at := c.cursor
	for _, i := range c.observers {
		if c.observes(int(i)) {
			k := c.place[i].rev - c.first
			c.sorted[at[k]] = i
			at[k]++
		}
	}
	for k := 0; k+1 < len(c.starts); k++ {
		c.sortByCall(c.sorted[c.starts[k]:c.starts[k+1]])
	}
}

// sortByCall sorts a group of operations that is most often sorted already.
func (c *certificate) sortByCall(group []uint32) {
	for i := 1; i < len(group); i++ {
		if c.ops[group[i]].Call < c.ops[group[i-1]].Call {
			slices.SortStableFunc(group, func(a, b uint32) int {
				return cmp.Compare(c.ops[a].Call, c.ops[b].Call)
			})
			return
		}
	}
}

// observes reports whether observer i has a place in the order.
func (c *certificate) observes(i int) bool {
	p := &c.place[i]
	return p.role != models.Ignored && p.rev >= c.first && p.rev <= c.last && !c.isUnversioned(i)
}

// mutate replays the mutation that created rev.
func (c *certificate) mutate(rev uint64, owner int32) error {
	if owner == noOwner {
		return c.mutateFromWitness(rev)
	}
	op := &c.ops[owner]
	if op.Outcome != history.OK || op.Rev != rev { // the outcome is known now
		c.op = *op
		c.op.Outcome, c.op.Rev = history.OK, rev
		op = &c.op
	}
	call, err := c.model.Decode(op, c.scratch)
	if err != nil {
		return fmt.Errorf("decoding %s: %w", opName(op), err)
	}
	c.scratch = call
	c.checked++
	ok, next := c.model.Step(c.state, call, call)
	if !ok {
		c.stateUnknown = true
		c.found.add(Violation{Kind: WrongPrecondition, Revisions: []uint64{rev}, at: []int{int(owner)},
			Explain: fmt.Sprintf("%s, but the state before it does not allow that: %s",
				describeEnding(&c.ops[owner], rev), c.describe())})
		return nil
	}
	c.state = next
	c.checkRealTime(int(owner), models.Mutation)
	return nil
}

func (c *certificate) mutateFromWitness(rev uint64) error {
	entry := c.witness.at(rev)
	if entry == nil || c.model.Entry == nil {
		c.stateUnknown = true
		return nil
	}
	call, err := c.model.Entry(entry)
	if err != nil {
		return fmt.Errorf("decoding revision %d of the witness: %w", rev, err)
	}
	ok, next := c.model.Step(c.state, call, call)
	if !ok {
		c.stateUnknown = true
		c.found.add(Violation{Kind: WrongPrecondition, Revisions: []uint64{rev}, Nodes: nodesOf(entry),
			Explain: fmt.Sprintf(
				"the log has %s at revision %d, but the state before it does not allow that: %s",
				describeEntry(entry), rev, c.describe())})
		return nil
	}
	c.state = next
	return nil
}

func (c *certificate) describe() string {
	if c.model.DescribeState == nil {
		return fmt.Sprint(c.state)
	}
	return c.model.DescribeState(c.state)
}

// observe replays the observations at revision first+k.
func (c *certificate) observe(k int) error {
	var err error
	skipped := 0
	for _, i := range c.sorted[c.starts[k]:c.starts[k+1]] {
		op := &c.ops[i]
		if len(c.pending) > 0 {
			if skipped, err = c.placeUnversioned(k, skipped, op.Call); err != nil {
				return err
			}
		}
		call, err := c.model.Decode(op, c.scratch)
		if err != nil {
			return fmt.Errorf("decoding %s: %w", opName(op), err)
		}
		c.scratch = call
		c.checked++
		if ok, _ := c.model.Step(c.state, call, call); !ok {
			c.addWrongAnswer(int(i))
			continue
		}
		c.checkRealTime(int(i), c.place[i].role)
	}
	if len(c.pending) > 0 {
		_, err = c.placeUnversioned(k, skipped, math.MaxInt64)
	}
	return err
}

// checkRealTime compares the operation with everything placed before it: none of those may have been called
// after it returned.
func (c *certificate) checkRealTime(i int, role models.Role) {
	op := &c.ops[i]
	switch {
	case op.Return < c.latestWrite && role == models.LocalObservation && c.fromDroppedBranch(op):
		return // its revision meant something else on the node that it asked
	case op.Return < c.latestWrite && role != models.Mutation:
		c.addFutureRead(i, c.writeOp)
	case op.Return < c.latestWrite:
		c.addReordered(i, c.writeOp)
	case op.Return < c.latest && role != models.LocalObservation:
		c.addStaleRead(i, c.latestOp)
	}
	if role == models.LocalObservation {
		return // it may be old, so it imposes no bound on later operations
	}
	if op.Call > c.latest {
		c.latest, c.latestOp = op.Call, i
	}
	if role == models.Mutation && op.Call > c.latestWrite {
		c.latestWrite, c.writeOp = op.Call, i
	}
}

// addFutureRead records that observation i includes a write that was called after i had returned.
func (c *certificate) addFutureRead(i, write int) {
	op, late := &c.ops[i], &c.ops[write]
	c.found.add(Violation{Kind: FutureRead, Revisions: []uint64{c.place[i].rev, c.place[write].rev},
		at: []int{i, write}, Explain: fmt.Sprintf(
			"%s at %s %s, which includes revision %d of the %s; but that began at %s",
			opName(op),
			seconds(op.Return),
			describeAnswer(op, c.place[i].rev),
			c.place[write].rev,
			opName(late),
			seconds(late.Call),
		)})
}

// addReordered records that mutation i holds a higher revision than one called after i had returned.
func (c *certificate) addReordered(i, write int) {
	late := &c.ops[write]
	c.found.add(Violation{Kind: ReorderedRevisions, Revisions: []uint64{c.place[i].rev, c.place[write].rev},
		at: []int{i, write}, Explain: fmt.Sprintf("%s; the %s began at %s and holds the lower revision %d",
			describeEnding(&c.ops[i], c.place[i].rev), opName(late), seconds(late.Call), c.place[write].rev)})
}

// addStaleRead records that an observation misses the revision of i, although it was called after i had
// returned.
func (c *certificate) addStaleRead(i, observation int) {
	first, then := &c.ops[i], &c.ops[observation]
	v := Violation{Kind: StaleRead, Revisions: []uint64{c.place[i].rev, c.place[observation].rev},
		at: []int{i, observation}}
	past := describeEnding(first, c.place[i].rev)
	if c.place[i].role != models.Mutation && first.Outcome == history.OK {
		past = fmt.Sprintf("%s at %s %s", opName(first), seconds(first.Return), describeAnswer(first,
			c.place[i].rev))
	}
	v.Explain = fmt.Sprintf("%s; the %s began at %s and %s", past, opName(then), seconds(then.Call),
		describeAnswer(then, c.place[observation].rev))
	if first.Process == then.Process {
		v.Kind = RevisionRegression
		v.Explain = fmt.Sprintf("process %d: %s", first.Process, v.Explain)
	}
	c.found.add(v)
}

// addWrongAnswer explains an observation that contradicts the state at its revision.
func (c *certificate) addWrongAnswer(i int) {
	op, rev := &c.ops[i], c.place[i].rev
	if c.place[i].role == models.LocalObservation && c.fromDroppedBranch(op) {
		return
	}
	v := Violation{Kind: WrongAnswer, Revisions: []uint64{rev}, at: []int{i}}
	if op.Outcome == history.Fail {
		v.Kind = WrongPrecondition
		v.Explain = fmt.Sprintf("%s, but the state there does not explain that: %s", describeEnding(op, rev),
			c.describe())
		c.found.add(v)
		return
	}
	changed, by := c.lastChange(op.Key, rev)
	switch {
	case op.Mod > rev:
		v.Kind = FutureRead
		v.Explain = fmt.Sprintf("%s at %s %s, although revision %d came later", opName(op),
			seconds(op.Return), describeAnswer(op, rev), op.Mod)
	case op.Mod < changed && by >= 0:
		v.Kind = StaleRead
		v.at = []int{by, i}
		v.Revisions = []uint64{changed, rev}
		v.Explain = fmt.Sprintf("%s; the %s began at %s and %s, which misses it", describeEnding(&c.ops[by],
			changed),
			opName(op), seconds(op.Call), describeAnswer(op, rev))
	default:
		v.Explain = fmt.Sprintf("%s at %s %s, but the state there is: %s", opName(op), seconds(op.Return),
			describeAnswer(op, rev), c.describe())
	}
	c.found.add(v)
}

// lastChange returns the last revision up to rev whose owner names key, and that owner; -1 if none is known.
func (c *certificate) lastChange(key string, rev uint64) (uint64, int) {
	key = models.CleanPath(key)
	for at := min(rev, c.last); at > c.first; at-- {
		i := *c.ownerOf(at)
		if i == noOwner {
			continue
		}
		op := &c.ops[i]
		renamed := len(op.Input) > 0 && models.CleanPath(models.TextOf(op.Input)) == key
		if models.CleanPath(op.Key) == key || renamed {
			return at, int(i)
		}
	}
	return 0, -1
}

// checkOutOfRange reports observations whose revision is outside of the order.
func (c *certificate) checkOutOfRange() {
	if len(c.sorted) == len(c.observers) {
		return
	}
	for _, o := range c.observers {
		i := int(o)
		op := &c.ops[i]
		role := c.place[i].role
		if c.observes(i) || c.isUnversioned(i) || role == models.Ignored {
			continue
		}
		if role == models.LocalObservation && c.fromDroppedBranch(op) {
			continue
		}
		c.found.add(Violation{Kind: WrongAnswer, Revisions: []uint64{op.Rev}, at: []int{i},
			Explain: fmt.Sprintf("%s at %s %s, but the order has revisions %d to %d only", opName(op),
				seconds(op.Return), describeAnswer(op, op.Rev), c.first, c.last)})
	}
}

// fromDroppedBranch reports whether a local read shows a state that its node held and dropped later, when
// another epoch won. A node may have dropped several branches.
func (c *certificate) fromDroppedBranch(op *history.Operation) bool {
	if c.witness == nil || c.witness.node(op.Node) == nil {
		return false
	}
	dropped := c.witness.node(op.Node).dropped
	return slices.ContainsFunc(dropped, func(e *history.WitnessEntry) bool {
		if e.Rev > op.Rev {
			return false
		}
		if e.Rev == op.Mod {
			return hasWritten(e, op) || c.hasRenamed(e, op, dropped)
		}
		if op.Mod == 0 && hasRemoved(e, op.Key) {
			return true
		}
		// The branch may begin here: what it did not change is as in the log before.
		if changed, _ := c.lastChange(op.Key, e.Rev-1); changed != op.Mod {
			return false
		}
		by := c.lastWrite(op.Key, e.Rev-1)
		return by < 0 || models.SameValue(c.ops[by].Input, op.Output)
	})
}

// hasWritten reports whether an entry of a log wrote what a read returned.
func hasWritten(e *history.WitnessEntry, op *history.Operation) bool {
	return e.F != models.FRename && models.CleanPath(e.Key) == models.CleanPath(op.Key) &&
		(len(e.Value) == 0 || models.SameValue(e.Value, op.Output))
}

// hasRemoved reports whether an entry of a log left nothing under a key.
func hasRemoved(e *history.WitnessEntry, key string) bool {
	return (e.F == models.FDelete || e.F == models.FRename) &&
		models.CleanPath(e.Key) == models.CleanPath(key)
}

// hasRenamed reports whether an entry of a dropped branch brought what a read returned from another key,
// where the branch or the log before it had written it. The branch begins at one of the dropped entries.
func (c *certificate) hasRenamed(e *history.WitnessEntry, op *history.Operation,
	dropped []*history.WitnessEntry) bool {
	if e.F != models.FRename || models.CleanPath(e.To) != models.CleanPath(op.Key) {
		return false
	}
	source := *op
	source.Key = e.Key
	return slices.ContainsFunc(dropped, func(d *history.WitnessEntry) bool {
		if d.Rev > e.Rev {
			return false
		}
		by := c.lastWrite(e.Key, d.Rev-1)
		return by < 0 || models.SameValue(c.ops[by].Input, op.Output) || hasWritten(d, &source)
	})
}

// lastWrite returns the owner of the revision up to rev that has written what a key holds: a rename brings
// what was written under another key. It is -1 if that is not known.
func (c *certificate) lastWrite(key string, rev uint64) int {
	for rev > c.first {
		changed, by := c.lastChange(key, rev)
		isSource := by >= 0 && models.CleanPath(c.ops[by].Key) == models.CleanPath(key)
		if by < 0 || c.ops[by].F != models.FRename || isSource {
			return by
		}
		key, rev = c.ops[by].Key, changed-1
	}
	return -1
}
