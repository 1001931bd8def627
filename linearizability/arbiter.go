package linearizability

import (
	"cmp"
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Limits of what porcupine judges again; beyond them there is no second opinion.
const (
	arbiterTimeout = 2 * time.Second
	arbiterSteps   = 1 << 20
	sampleOps      = 200     // largest history of the sample
	sampleSteps    = 1 << 15 // so that a sampled check cannot take long
)

// logStep is an operation as the log model sees it.
type logStep struct {
	rev      uint64
	mutation bool
	legal    bool // the answer fits the log at rev
	op       *history.Operation

	unversioned bool     // it has no revision of its own
	fitsAt      []uint64 // then: where its answer fits the log, rising
}

// logModel is the specification "the log happened": its state is the revision reached. A mutation moves
// to its own revision from any lower one, an observation is made at its own, and both only if their answer
// fit the log there. What other requests did in between is in the log already, so any part of a history
// may be judged alone: a part that is illegal proves the whole illegal.
func logModel(first uint64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(state, _, output any) (bool, any) {
			at, s := state.(uint64), output.(*logStep)
			if s.unversioned {
				k := sort.Search(len(s.fitsAt), func(k int) bool { return s.fitsAt[k] >= at })
				if k == len(s.fitsAt) {
					return false, state
				}
				return true, s.fitsAt[k]
			}
			if !s.legal || s.rev < at || (s.mutation && s.rev == at) {
				return false, state
			}
			return true, s.rev
		},
		DescribeOperation: func(_, output any) string { return output.(*logStep).describe() },
		DescribeState:     func(state any) string { return fmt.Sprintf("revision %d", state) },
	}
}

func (s *logStep) describe() string {
	text := describeOp(s.op)
	switch {
	case s.op.Outcome == history.Info:
		text += fmt.Sprintf(" → unknown, in the log at %d", s.rev)
	case s.mutation:
		text += fmt.Sprintf(" → revision %d", s.rev)
	default:
		text += " → " + describeAnswer(s.op, s.rev)
	}
	if !s.legal {
		text += " ✗"
	}
	return text
}

// logSteps returns the operations of a violation as the log model takes them.
func (c *certificate) logSteps(v *Violation) []*logStep {
	steps := make([]*logStep, len(v.at))
	for k, i := range v.at {
		steps[k] = &logStep{rev: c.place[i].rev, op: &c.ops[i], legal: true,
			mutation: c.model.Role(&c.ops[i]) == models.Mutation, unversioned: c.isUnversioned(i)}
	}
	return steps
}

// isOfOrderOrContent reports whether a violation is one of order or content, so that the log model can
// express it. The others are statements about the log itself.
func (v *Violation) isOfOrderOrContent() bool {
	switch v.Kind {
	case StaleRead, FutureRead, ReorderedRevisions, RevisionRegression, DuplicateRevision, WrongPrecondition,
		WrongAnswer, LostWrite:
		return len(v.at) > 0
	}
	return false
}

// rejudge asks porcupine about every violation that the log model can express. Whether answers fit the log
// is found by a second replay, this time with states that are never changed in place.
func (c *certificate) rejudge(ctx context.Context, violations []Violation) (disputed []Violation, err error) {
	var floating []*logStep
	steps := make([][]*logStep, len(violations))
	byRev := make(map[uint64][]*logStep)
	for k := range violations {
		if !violations[k].isOfOrderOrContent() {
			continue
		}
		steps[k] = c.logSteps(&violations[k])
		for n, s := range steps[k] {
			i := violations[k].at[n]
			if s.unversioned {
				floating = append(floating, s)
				continue
			}
			if owner := c.ownerOf(s.rev); s.mutation && (owner == nil || *owner != int32(i)) {
				s.legal = false // the log holds something else there
				continue
			}
			byRev[s.rev] = append(byRev[s.rev], s)
		}
	}
	if err := c.replayAgain(byRev, floating); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, arbiterTimeout, errSearchTime)
	defer cancel()
	b := &budget{ctx: ctx, memory: DefaultMemoryBytes}
	m := logModel(c.first)
	for k := range violations {
		if steps[k] == nil {
			continue
		}
		violations[k].picture = &picture{model: m, ops: porcupineSteps(steps[k])}
		if result, _ := b.search(&m, violations[k].picture.ops, arbiterSteps); result == Valid {
			disputed = append(disputed, Violation{Kind: CheckerDisagreement, Ops: violations[k].Ops,
				at: violations[k].at,
				Explain: fmt.Sprintf("the certificate says %q (%s), but porcupine finds an order",
					violations[k].Kind, violations[k].Explain)})
		}
	}
	return disputed, nil
}

func porcupineSteps(steps []*logStep) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(steps))
	for k, s := range steps {
		ops[k] = porcupine.Operation{ClientId: max(0, s.op.Process), Input: s, Output: s, Call: s.op.Call,
			Return: s.op.Return, Metadata: s.op}
	}
	return ops
}

// replayAgain walks the log once more up to the last revision asked for, and notes which answers fit.
func (c *certificate) replayAgain(byRev map[uint64][]*logStep, floating []*logStep) error {
	last := c.first
	for rev, steps := range byRev {
		if rev >= c.first && rev <= c.last {
			last = max(last, rev)
			continue
		}
		for _, s := range steps {
			s.legal = false
		}
	}
	if len(floating) > 0 {
		last = c.last
	}
	state := c.model.Init()
	for rev := c.first; ; rev++ {
		if err := c.markFitting(state, rev, byRev[rev], floating); err != nil || rev == last {
			return err
		}
		call, err := c.callAt(rev + 1)
		if err != nil || call == nil {
			return err
		}
		ok, next := c.model.Step(state, call, call)
		if !ok {
			for _, s := range byRev[rev+1] {
				s.legal = !s.mutation
			}
			return nil
		}
		state = next
	}
}

// markFitting notes which observations fit the state at rev. A mutation has taken its step by then.
func (c *certificate) markFitting(state any, rev uint64, own, floating []*logStep) error {
	for _, group := range [][]*logStep{own, floating} {
		for _, s := range group {
			if s.mutation {
				continue
			}
			call, err := c.model.Decode(s.op, nil)
			if err != nil {
				return err
			}
			ok, _ := c.model.Step(state, call, call)
			if s.unversioned && ok {
				s.fitsAt = append(s.fitsAt, rev)
			}
			s.legal = ok
		}
	}
	return nil
}

// callAt returns the mutation that created a revision, nil if it is unknown.
func (c *certificate) callAt(rev uint64) (models.Call, error) {
	if owner := *c.ownerOf(rev); owner != noOwner {
		op := c.ops[owner]
		op.Outcome, op.Rev = history.OK, rev
		return c.model.Decode(&op, nil)
	}
	if entry := c.witness.at(rev); entry != nil && c.model.Entry != nil {
		return c.model.Entry(entry)
	}
	return nil, nil
}

// resolvedHistory returns the whole history for porcupine, with the outcomes and revisions that resolution
// found and the log's own mutations, which may have happened at any time.
func (c *certificate) resolvedHistory() ([]porcupine.Operation, error) {
	list := make([]porcupine.Operation, 0, len(c.ops))
	for i := range c.ops {
		if role := c.place[i].role; role == models.Ignored || role == models.LocalObservation {
			continue
		}
		op := c.ops[i]
		if c.place[i].role == models.Mutation {
			op.Outcome, op.Rev = history.OK, c.place[i].rev
		}
		call, err := c.model.Decode(&op, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, porcupine.Operation{ClientId: max(0, op.Process), Input: call, Output: call,
			Call: op.Call, Return: op.Return, Metadata: &c.ops[i]})
	}
	for k, owner := range c.owner {
		if owner != noOwner {
			continue
		}
		call, err := c.callAt(c.first + 1 + uint64(k))
		if err != nil || call == nil {
			return nil, err
		}
		list = append(list, porcupine.Operation{Input: call, Output: call, Call: -history.Never,
			Return: history.Never})
	}
	return list, nil
}

// secondOpinion asks porcupine for its own verdict about the whole resolved history. Local observations,
// which need not be linearizable, are left out.
func (c *certificate) secondOpinion(ctx context.Context, steps int) (Validity, error) {
	list, err := c.resolvedHistory()
	if err != nil || list == nil {
		return Unknown, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, arbiterTimeout, errSearchTime)
	defer cancel()
	b := &budget{ctx: ctx, memory: DefaultMemoryBytes}
	result, _ := b.search(&c.model.Model, list, steps)
	return result, nil
}

// sampled reports whether a history belongs to the sample, which depends on nothing but the history.
func sampled(ops []history.Operation, ppm int) bool {
	if len(ops) > sampleOps || ppm <= 0 {
		return false
	}
	h := uint64(len(ops))
	for i := range ops {
		h = (h ^ uint64(ops[i].Call)) * 0x9E3779B185EBCA87
		h = (h ^ uint64(ops[i].Return) ^ h>>29) * 0xC2B2AE3D27D4EB4F
	}
	return (h>>32)%1_000_000 < uint64(ppm)
}

// arbitrate lets porcupine judge what the certificate has judged, as far as the options say.
func (k *Checker) arbitrate(ctx context.Context, report *Report) error {
	if k.o.arbiter == ArbiterNever {
		return nil
	}
	c := &k.c
	if len(k.found.list) > 0 {
		disputed, err := c.rejudge(ctx, k.found.list)
		if err != nil {
			return err
		}
		report.Stats.Rejudged += len(k.found.list)
		k.found.list = append(k.found.list, disputed...)
		return nil
	}
	steps := arbiterSteps
	switch {
	case report.Validity != Valid:
		return nil
	case k.o.arbiter == ArbiterAlways && len(c.ops) <= cmp.Or(k.o.searchOps, DefaultSearchOps):
	case sampled(c.ops, k.o.samplePpm):
		steps = sampleSteps
	default:
		return nil
	}
	result, err := c.secondOpinion(ctx, steps)
	if err != nil {
		return err
	}
	report.Stats.Rejudged++
	if result == Invalid {
		k.found.add(Violation{Kind: CheckerDisagreement, Explain: fmt.Sprintf(
			"the certificate proves an order of %d operations, but porcupine finds none", len(c.ops))})
	}
	return nil
}
