package linearizability

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Reasons why a search ends without an answer. The limits name what raises them.
var (
	errSearchTime   = errors.New("time limit reached (WithTimeout or check --time raises it)")
	errSearchMemory = errors.New("memory limit reached (WithMemoryLimit or check --memory raises it)")
	errSearchSize   = errors.New("too many operations for a search")
	errSearchEnded  = errors.New("another part was found invalid first")
	errSearchSteps  = errors.New("step limit of this round reached")
)

// Rounds of a search: every piece first gets few steps, so that a piece which is quickly found invalid is
// not kept waiting by one that does not end.
const (
	firstRoundSteps  = 1 << 14
	roundStepsFactor = 16
)

// budget is what all searches of one check share.
type budget struct {
	ctx    context.Context
	memory int64        // bytes allowed
	used   atomic.Int64 // bytes that the caches of running searches hold, estimated
	whole  *budget      // the budget that this is a part of, with a context of its own; nil for the whole
}

// addHeldBytes adds bytes to the memory held by all searches (negative: releases them), and returns the new
// total.
func (b *budget) addHeldBytes(bytes int64) int64 {
	if b.whole != nil {
		b = b.whole
	}
	return b.used.Add(bytes)
}

// contextEvery is how many steps pass between two looks at the time limit; a step takes about a microsecond.
const contextEvery = 64

// searchOverheadBytes is what porcupine holds per step that it took, beside the bit set: cache entry, call
// stack and the state of our models.
const searchOverheadBytes = 256

func bytesPerStep(ops int) int64 { return int64(ops/8 + searchOverheadBytes) }

// search asks porcupine about one piece of a history, and gives up after maxSteps calls of the model, if
// that is not 0.
func (b *budget) search(m *porcupine.Model, ops []porcupine.Operation, maxSteps int) (Validity, error) {
	if len(ops) == 0 {
		return Valid, nil
	}
	perStep := bytesPerStep(len(ops))
	var held int64
	var steps int
	var stopped error
	guarded := *m
	guarded.Partition = nil
	step := m.Step
	guarded.StepContext = func(_ context.Context, state, in, out any) (bool, any) {
		if stopped != nil {
			return false, state
		}
		if steps++; steps == maxSteps {
			stopped = errSearchSteps
			return false, state
		}
		if steps%contextEvery == 0 && b.ctx.Err() != nil {
			stopped = context.Cause(b.ctx)
			return false, state
		}
		ok, next := step(state, in, out)
		if !ok {
			return false, next
		}
		held += perStep
		if b.addHeldBytes(perStep) > b.memory {
			stopped = errSearchMemory
			return false, state
		}
		return true, next
	}
	ok := porcupine.CheckOperations(guarded, ops)
	b.addHeldBytes(-held)
	switch {
	case ok && stopped == nil:
		return Valid, nil
	case stopped != nil:
		return Unknown, stopped
	}
	return Invalid, nil
}

// Limits of porcupine's turns in decide: beyond them its cache grows too large to be worth a try.
const (
	maxDepthFirstOps     = 20_000
	depthFirstMemoryPart = 4 // of the budget
)

// decide searches one piece. For a blind model, porcupine and the just-in-time search take turns with growing
// effort: the first goes down one way and is often lucky with good histories, the second keeps all ways
// open and is quick to refute. maxSteps bounds each of them, 0 means until one is done.
func (b *budget) decide(m *models.Model, ops []porcupine.Operation, maxSteps int) (Validity, error) {
	if !m.Blind {
		return b.search(&m.Model, ops, maxSteps)
	}
	steps := max(firstRoundSteps, 8*len(ops))
	for {
		if maxSteps > 0 {
			steps = min(steps, maxSteps)
		}
		if len(ops) <= maxDepthFirstOps {
			part := &budget{ctx: b.ctx, memory: b.memory / depthFirstMemoryPart}
			if result, _ := part.search(&m.Model, ops, steps); result != Unknown {
				return result, nil
			}
		}
		result, reason := b.searchBlind(m, ops, steps)
		switch {
		case errors.Is(reason, errTooBusy) && len(ops) <= DefaultSearchOps:
			return b.search(&m.Model, ops, maxSteps)
		case !errors.Is(reason, errSearchSteps) || steps == maxSteps:
			return result, reason
		}
		steps *= roundStepsFactor
	}
}

// toPorcupine decodes operations for a search. Those that the model ignores are left out.
func toPorcupine(m *models.Model, ops []history.Operation) ([]porcupine.Operation, error) {
	list := make([]porcupine.Operation, 0, len(ops))
	for i := range ops {
		if role := m.Role(&ops[i]); role == models.Ignored || role == models.LocalObservation {
			continue
		}
		calls, err := callsOf(m, &ops[i])
		if err != nil {
			return nil, fmt.Errorf("decoding %s: %w", opName(&ops[i]), err)
		}
		for _, call := range calls {
			list = append(list, porcupine.Operation{ClientId: max(0, ops[i].Process), Input: call,
				Output: call, Call: ops[i].Call, Return: ops[i].Return, Metadata: &ops[i]})
		}
	}
	return list, nil
}

// callsOf returns the calls that an operation stands for.
func callsOf(m *models.Model, op *history.Operation) ([]models.Call, error) {
	if m.Expand != nil {
		return m.Expand(op)
	}
	call, err := m.Decode(op, nil)
	return []models.Call{call}, err
}

// piece is a part of a history that is judged on its own.
type piece struct {
	part   []history.Operation
	ops    []porcupine.Operation // for a search
	result Validity
	reason error
}

// searchAll searches the pieces in a bounded pool, never all at once, in rounds of growing effort. It stops
// after the first round with an invalid piece and keeps the first one of that round, whichever was found
// first: the same history gives the same report.
func searchAll(ctx context.Context, m *models.Model, pieces []piece, o *options) {
	ctx, cancelTime := context.WithTimeoutCause(ctx, o.timeout, errSearchTime)
	defer cancelTime()
	b := &budget{ctx: ctx, memory: o.memory}
	open := make([]*piece, 0, len(pieces))
	for i := range pieces {
		p := &pieces[i]
		switch err := o.tooLarge(len(p.ops)); {
		case p.result == Valid:
		case err != nil && !m.Blind:
			p.reason = err
		default:
			open = append(open, p)
		}
	}
	steps := firstRoundSteps
	for len(open) > 0 && ctx.Err() == nil {
		if len(open) <= 1 {
			steps = 0 // no other piece is waiting
		}
		r := round{budget: b, model: m, open: open, steps: steps, invalid: len(open)}
		if r.run(o.parallelism); r.invalid < len(open) {
			return
		}
		left := open[:0]
		for _, p := range open {
			if errors.Is(p.reason, errSearchSteps) {
				left = append(left, p)
			}
		}
		open, steps = left, steps*roundStepsFactor
	}
	for _, p := range open {
		p.reason = context.Cause(ctx)
	}
}

// round gives every piece the same number of steps.
type round struct {
	budget *budget
	model  *models.Model
	open   []*piece
	steps  int

	mu      sync.Mutex
	next    int
	invalid int // the first piece that is invalid; len(open) while there is none
	running map[int]context.CancelCauseFunc
}

func (r *round) run(workers int) {
	r.running = map[int]context.CancelCauseFunc{}
	var wait sync.WaitGroup
	for range min(workers, len(r.open)) {
		wait.Go(func() {
			for {
				i, ctx := r.begin()
				if ctx == nil {
					return
				}
				p := r.open[i]
				b := &budget{ctx: ctx, memory: r.budget.memory, whole: r.budget}
				p.result, p.reason = b.decide(r.model, p.ops, r.steps)
				r.end(i, p.result)
			}
		})
	}
	wait.Wait()
	if r.invalid == len(r.open) {
		return
	}
	for i, p := range r.open {
		if i > r.invalid || p.result == Unknown {
			p.result, p.reason = Unknown, errSearchEnded
		}
	}
}

// begin takes the next piece; none once an earlier one is invalid.
func (r *round) begin() (int, context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.next
	if r.next++; i >= len(r.open) || i > r.invalid {
		return 0, nil
	}
	ctx, cancel := context.WithCancelCause(r.budget.ctx)
	r.running[i] = cancel
	return i, ctx
}

// end takes a piece's result; pieces behind an invalid one no longer need an answer.
func (r *round) end(i int, result Validity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[i](nil)
	delete(r.running, i)
	if result != Invalid || i > r.invalid {
		return
	}
	r.invalid = i
	for behind, cancel := range r.running {
		if behind > i {
			cancel(errSearchEnded)
		}
	}
}

// tooLarge returns an error if so many operations cannot be searched as one piece within the limits: the
// search keeps a set of operations for each step, and takes at least one step for each operation.
func (o *options) tooLarge(ops int) error {
	switch need := int64(ops) * bytesPerStep(ops); {
	case o.searchOps > 0 && ops > o.searchOps:
		return fmt.Errorf("%w: %d, the limit is %d (WithSearchLimit raises it)", errSearchSize, ops,
			o.searchOps)
	case need > o.memory:
		return fmt.Errorf("%w: %d need %d KiB, and the memory limit is %d KiB (WithMemoryLimit or "+
			"check --memory raises it)", errSearchSize, ops, need>>10, o.memory>>10)
	}
	return nil
}

// splitByKey cuts a history of a keyed model into one part per key, in order of first appearance.
func splitByKey(m *models.Model, ops []history.Operation) []piece {
	index := make(map[string]int)
	var sizes []int
	at := make([]int32, len(ops))
	for i := range ops {
		key := ops[i].Key
		if !m.Keyed {
			key = ""
		}
		k, ok := index[key]
		if !ok {
			k = len(sizes)
			index[key] = k
			sizes = append(sizes, 0)
		}
		at[i] = int32(k)
		sizes[k]++
	}
	if len(sizes) <= 1 {
		return []piece{{part: ops}}
	}
	pieces := make([]piece, len(sizes))
	for k := range pieces {
		pieces[k].part = make([]history.Operation, 0, sizes[k])
	}
	for i := range ops {
		p := &pieces[at[i]]
		p.part = append(p.part, ops[i])
	}
	return pieces
}

// decodePieces decodes the pieces that a search has to judge.
func decodePieces(m *models.Model, pieces []piece) error {
	for k := range pieces {
		p := &pieces[k]
		if p.result == Valid {
			continue
		}
		var err error
		if p.ops, err = toPorcupine(m, p.part); err != nil {
			return err
		}
	}
	return nil
}

// elapsed is the clock for statistics; a check never decides by it.
func elapsed(since time.Time) time.Duration { return time.Since(since) }
