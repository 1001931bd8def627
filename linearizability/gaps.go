package linearizability

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// gapSteps bounds the steps that filling gaps may take beyond one replay.
const gapSteps = 1 << 20

// gapFiller finds owners for revisions that no acknowledged call and no log explains, among the calls with
// unknown outcome. The order of everything else is known, so the only question is which call owns which
// gap; and most gaps are decided at once by a read of the value.
type gapFiller struct {
	*certificate
	open     []uint32        // candidates, by call
	used     map[uint32]bool // candidates that own a gap on the way tried now
	reserved map[uint32]uint64
	evidence map[uint64]*history.Operation // a read whose Mod is a gap, if nothing is ever renamed
	// minimum[k]: earliest return among what stands at first+k or later
	earliestReturn []int64
	steps          int

	furthest uint64 // revision at which the best way got stuck
	stuckAt  string
	stuckOn  []int
}

// choice is a gap at which other candidates are left to try.
type choice struct {
	rev   uint64
	state any
	next  int // index in open
	owner uint32
}

// fill tries every way of owning the gaps, the likeliest first. It returns Valid with the owners entered,
// Invalid if there is no way, or Unknown at its limit.
func (g *gapFiller) fill() (Validity, error) {
	g.prepare()
	var stack []choice
	state, rev := g.model.Init(), g.first
	ok, err := g.replayObservations(state, 0)
	if err != nil || !ok {
		return Invalid, err
	}
	limit := gapSteps + 4*len(g.ops)
	for rev < g.last {
		if g.steps > limit {
			return Unknown, nil
		}
		rev++
		if *g.ownerOf(rev) == noOwner {
			stack = append(stack, choice{rev: rev, state: state})
			ok = false
		} else {
			ok, state, err = g.advance(state, rev, *g.ownerOf(rev))
		}
		for !ok && err == nil {
			if len(stack) == 0 {
				return Invalid, nil
			}
			if ok, state, err = g.tryNextCandidate(&stack[len(stack)-1]); !ok {
				if g.steps > limit {
					return Unknown, err
				}
				stack = stack[:len(stack)-1]
				continue
			}
			rev = stack[len(stack)-1].rev
		}
		if err != nil {
			return Unknown, err
		}
	}
	for _, c := range stack {
		*g.ownerOf(c.rev) = int32(c.owner)
		g.place[c.owner] = operationResolution{rev: c.rev, role: models.Mutation}
	}
	return Valid, nil
}

// prepare sorts the candidates and gathers what is known about gaps.
func (g *gapFiller) prepare() {
	g.used, g.reserved = make(map[uint32]bool), make(map[uint32]uint64)
	g.evidence = make(map[uint64]*history.Operation)
	for _, i := range g.unknown {
		g.open = append(g.open, uint32(i))
	}
	slices.SortStableFunc(g.open, func(a, b uint32) int { return compareInt64(g.ops[a].Call, g.ops[b].Call) })
	g.earliestReturn = make([]int64, len(g.owner)+2)
	for k := range g.earliestReturn {
		g.earliestReturn[k] = math.MaxInt64
	}
	moves := slices.ContainsFunc(g.ops, func(op history.Operation) bool { return op.F == models.FRename })
	for _, group := range [][]uint32{g.mutators, g.observers} {
		for _, i := range group {
			p, op := g.place[i], &g.ops[i]
			if p.role == models.Ignored || p.role == models.LocalObservation || p.rev < g.first ||
				p.rev > g.last ||
				(p.rev == 0 && g.isUnversioned(int(i))) ||
				(p.role == models.Mutation && p.rev == 0) {
				continue
			}
			k := p.rev - g.first
			g.earliestReturn[k] = min(g.earliestReturn[k], op.Return)
			if !moves && op.F == models.FRead && op.Outcome == history.OK && op.Mod > g.first &&
				op.Mod <= g.last &&
				*g.ownerOf(op.Mod) == noOwner {
				g.evidence[op.Mod] = op
			}
		}
	}
	for k := len(g.earliestReturn) - 2; k >= 0; k-- {
		g.earliestReturn[k] = min(g.earliestReturn[k], g.earliestReturn[k+1])
	}
	g.reserve()
}

// reserve keeps a candidate for the gap that only it can explain.
func (g *gapFiller) reserve() {
	type write struct{ key, value string }
	byContent := make(map[write][]uint32)
	for _, i := range g.open {
		if op := &g.ops[i]; writesContent(op.F) {
			w := write{models.CleanPath(op.Key), string(op.Input)}
			byContent[w] = append(byContent[w], i)
		}
	}
	for rev, read := range g.evidence {
		able := byContent[write{models.CleanPath(read.Key), string(read.Output)}]
		if len(able) == 1 {
			g.reserved[able[0]] = rev
		}
	}
}

// tryNextCandidate gives the gap of c to its next candidate that fits, and returns the state after it.
func (g *gapFiller) tryNextCandidate(c *choice) (bool, any, error) {
	if c.next > 0 {
		delete(g.used, c.owner)
	}
	for c.next < len(g.open) {
		i := g.open[c.next]
		op := &g.ops[i]
		if op.Call > g.earliestReturn[c.rev-g.first] {
			break // it and all later ones were called after something that stands behind had returned
		}
		c.next++
		if at, ok := g.reserved[i]; g.used[i] || (ok && at != c.rev) {
			continue
		}
		if read := g.evidence[c.rev]; read != nil && !mayHaveWritten(op, read) {
			continue
		}
		ok, state, err := g.advance(c.state, c.rev, int32(i))
		if err != nil {
			return false, nil, err
		}
		if ok {
			c.owner = i
			g.used[i] = true
			return true, state, nil
		}
	}
	return false, nil, nil
}

// mayHaveWritten reports whether a mutation can be what a read of its revision shows, where nothing is
// renamed.
func mayHaveWritten(op, read *history.Operation) bool {
	return models.CleanPath(op.Key) == models.CleanPath(read.Key) &&
		(!writesContent(op.F) || models.SameValue(op.Input, read.Output))
}

// advance replays the mutation that owner makes of rev, and the observations at rev.
func (g *gapFiller) advance(state any, rev uint64, owner int32) (bool, any, error) {
	op := g.ops[owner]
	op.Outcome, op.Rev = history.OK, rev
	call, err := g.model.Decode(&op, nil)
	if err != nil {
		return false, nil, fmt.Errorf("decoding %s: %w", opName(&op), err)
	}
	g.steps++
	ok, next := g.model.Step(state, call, call)
	if !ok {
		g.noteStuck(rev, int(owner))
		return false, nil, nil
	}
	ok, err = g.replayObservations(next, int(rev-g.first))
	return ok, next, err
}

func (g *gapFiller) replayObservations(state any, k int) (bool, error) {
	for _, i := range g.sorted[g.starts[k]:g.starts[k+1]] {
		if g.place[i].role == models.LocalObservation {
			continue // judged with the whole order
		}
		call, err := g.model.Decode(&g.ops[i], nil)
		if err != nil {
			return false, fmt.Errorf("decoding %s: %w", opName(&g.ops[i]), err)
		}
		g.steps++
		if ok, _ := g.model.Step(state, call, call); !ok {
			g.noteStuck(g.first+uint64(k), int(i))
			return false, nil
		}
	}
	return true, nil
}

// noteStuck remembers the operation that could be explained least.
func (g *gapFiller) noteStuck(rev uint64, i int) {
	if rev < g.furthest {
		return
	}
	g.furthest, g.stuckOn = rev, []int{i}
	g.stuckAt = fmt.Sprintf("%s at revision %d", describeOp(&g.ops[i]), rev)
}

// fillGaps decides a history whose revisions have gaps. It reports whether it could.
func (k *Checker) fillGaps(ctx context.Context) (decided bool, err error) {
	c := &k.c
	c.sortObservations()
	g := &gapFiller{certificate: c}
	result, err := g.fill()
	if err != nil || result == Unknown {
		return false, err
	}
	if result == Invalid {
		if c.witness != nil && c.witness.internal {
			return false, nil // what is missing may be the system's own
		}
		k.found.add(Violation{Kind: NotLinearizable, at: g.stuckOn,
			Revisions: slices.Clone(c.gaps[:min(len(c.gaps), maxViolations)]),
			Explain: fmt.Sprintf(
				"revisions %v were acknowledged to no client, and no choice among the %d calls with "+
					"unknown outcome explains all answers; the best one fails at %s",
				c.gaps[:min(len(c.gaps), 8)], len(g.open), g.stuckAt)})
		return true, k.refuteAgain(ctx)
	}
	c.gaps = c.gaps[:0]
	c.settleUnknown()
	return true, nil
}

// refuteAgain has porcupine confirm on a small history that its gaps cannot be explained.
func (k *Checker) refuteAgain(ctx context.Context) error {
	if k.o.arbiter == ArbiterNever || len(k.c.ops) > sampleOps {
		return nil
	}
	list, err := toPorcupine(k.model, k.c.ops)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, arbiterTimeout, errSearchTime)
	defer cancel()
	b := &budget{ctx: ctx, memory: DefaultMemoryBytes}
	if result, _ := b.search(&k.model.Model, list, arbiterSteps); result == Valid {
		k.found.add(Violation{Kind: CheckerDisagreement,
			Explain: "no choice of owners explains the gaps in the " +
				"revisions, but porcupine finds an order"})
	}
	return nil
}

// settleUnknown takes the calls that own no revision out of the order.
func (r *resolution) settleUnknown() {
	for _, i := range r.unknown {
		if r.place[i].rev == 0 {
			r.place[i].role = models.Ignored
			r.assumed++
		}
	}
}
