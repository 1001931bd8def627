package linearizability

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Limits of minimising; when one is reached, the smallest history found so far is kept.
const (
	minimiseTimeout = 5 * time.Second
	minimiseSteps   = 1 << 17 // of one search
	maxWindowed     = 1000    // operations in which to look for a short window
)

// ErrNotInvalid reports a history that was to be minimised but could not be shown to be invalid.
var ErrNotInvalid = errors.New("history was not found invalid, so there is nothing to minimise")

// Minimize returns a small part of a history that porcupine alone finds invalid, for models without a
// witness. Only steps that cannot make a good history look bad are taken:
//
//   - the history is cut after an instant, and calls that are open there get an unknown outcome;
//   - what had returned before an instant is left out, calls that are open there get an unknown outcome, and
//     the rest starts from a state of which nothing is known;
//   - an observation is left out;
//   - a mutation is left out where the model can say that nothing which is left depends on it.
//
// The result is invalid, and no longer so when any one further such step is taken, unless a limit was hit.
func Minimize(ctx context.Context, m *Model, h *History, opts ...Option) (*History, error) {
	o := newOptions(opts)
	pieces := splitByKey(m, h.Ops)
	if err := decodePieces(m, pieces); err != nil {
		return nil, err
	}
	searchAll(ctx, m, pieces, o)
	for i := range pieces {
		if pieces[i].result == Invalid {
			s := newMinimiser(ctx, m, o)
			return &History{
				Header:   h.Header,
				Ops:      s.minimise(originalOps(&pieces[i])),
				AnyStart: s.anyStart,
			}, nil
		}
	}
	return nil, ErrNotInvalid
}

type minimiser struct {
	m        *Model
	anyStart bool // m starts from a state of which nothing is known
	b        *budget
	deadline time.Time
}

func newMinimiser(ctx context.Context, m *Model, o *options) *minimiser {
	return &minimiser{m: m, b: &budget{ctx: ctx, memory: o.memory}, deadline: time.Now().Add(minimiseTimeout)}
}

// isInvalid reports whether porcupine refutes ops within the limits.
func (s *minimiser) isInvalid(ops []history.Operation) bool {
	if time.Now().After(s.deadline) || s.b.ctx.Err() != nil {
		return false
	}
	list, err := toPorcupine(s.m, ops)
	if err != nil {
		return false
	}
	result, _ := s.b.decide(s.m, list, minimiseSteps)
	return result == Invalid
}

// minimise shrinks ops, which are known to be invalid.
func (s *minimiser) minimise(ops []history.Operation) []history.Operation {
	ops = s.cutPrefix(ops)
	ops = s.cutStart(ops)
	if part := s.jumpToWindow(ops); part != nil {
		ops = part
	}
	for {
		before := len(ops)
		ops = s.dropObservations(ops)
		ops = s.dropMutations(ops)
		ops = s.cutPrefix(ops)
		ops = s.cutStart(ops)
		if len(ops) == before {
			return ops
		}
	}
}

// jumpToWindow jumps to a short window that is invalid on its own, if there is one.
func (s *minimiser) jumpToWindow(ops []history.Operation) []history.Operation {
	if s.anyStart || len(ops) > maxWindowed {
		return nil
	}
	part := refuteLocally(s.b, s.m, ops)
	if part != nil {
		s.m, s.anyStart = fromAnything(s.m), true
	}
	return part
}

// prefix is what of a history had happened by an instant.
func prefix(m *Model, ops []history.Operation, instant int64) []history.Operation {
	cut := make([]history.Operation, 0, len(ops))
	for _, op := range ops {
		if op.Call > instant {
			continue
		}
		if op.Return > instant && op.Outcome != history.Info {
			if m.Role(&op) != models.Mutation {
				continue
			}
			op.Outcome, op.Return, op.Output, op.Rev, op.Mod, op.Error = history.Info, history.Never, nil,
				0, 0, ""
		}
		if op.Outcome == history.Info && m.Role(&op) != models.Mutation {
			continue
		}
		cut = append(cut, op)
	}
	return cut
}

// cutPrefix finds by bisection the earliest return after which the history is already invalid.
func (s *minimiser) cutPrefix(ops []history.Operation) []history.Operation {
	var returns []int64
	for i := range ops {
		if ops[i].Return != history.Never {
			returns = append(returns, ops[i].Return)
		}
	}
	sort.Slice(returns, func(i, j int) bool { return returns[i] < returns[j] })
	best := ops
	low, high := 0, len(returns) // the answer is below high
	for low < high {
		middle := (low + high) / 2
		if cut := prefix(s.m, ops, returns[middle]); s.isInvalid(cut) {
			best, high = cut, middle
		} else {
			low = middle + 1
		}
	}
	return best
}

// fromAnything returns the model starting from a state of which nothing is known.
func fromAnything(m *Model) *Model {
	free := *m
	free.Init = m.Unknown
	return &free
}

// suffix is what of a history was called after an instant, or had not returned by it.
func suffix(m *Model, ops []history.Operation, instant int64) []history.Operation {
	rest := make([]history.Operation, 0, len(ops))
	for _, op := range ops {
		if op.Return <= instant {
			continue
		}
		if op.Call <= instant {
			if m.Role(&op) != models.Mutation {
				continue
			}
			if op.Outcome != history.Info {
				op.Ended = op.Return
			}
			op.Outcome, op.Return, op.Output, op.Rev, op.Mod, op.Error = history.Info, history.Never, nil,
				0, 0, ""
		}
		rest = append(rest, op)
	}
	return rest
}

// cutStart finds by bisection the latest return before which everything can be forgotten.
func (s *minimiser) cutStart(ops []history.Operation) []history.Operation {
	if s.m.Unknown == nil {
		return ops
	}
	var returns []int64
	for i := range ops {
		if ops[i].Return != history.Never {
			returns = append(returns, ops[i].Return)
		}
	}
	sort.Slice(returns, func(i, j int) bool { return returns[i] < returns[j] })
	free := *s
	free.m, free.anyStart = fromAnything(s.m), true
	best := ops
	low, high := 0, len(returns) // the answer is at low-1 or above
	for low < high {
		middle := (low + high) / 2
		if rest := suffix(s.m, ops, returns[middle]); free.isInvalid(rest) {
			best, low = rest, middle+1
			*s = free
		} else {
			high = middle
		}
	}
	return best
}

// dropObservations leaves out as many observations as it can, in groups of shrinking size.
func (s *minimiser) dropObservations(ops []history.Operation) []history.Operation {
	observations := func() (at []int) {
		for i := range ops {
			if s.m.Role(&ops[i]) != models.Mutation {
				at = append(at, i)
			}
		}
		return at
	}
	for size := (len(observations()) + 1) / 2; size >= 1; size /= 2 {
		for at := observations(); len(at) > 0; {
			n := min(size, len(at))
			if rest := without(ops, at[len(at)-n:]); s.isInvalid(rest) {
				ops = rest
			}
			at = at[:len(at)-n]
		}
	}
	return ops
}

// without copies ops except those at the given rising positions.
func without(ops []history.Operation, at []int) []history.Operation {
	rest := make([]history.Operation, 0, len(ops))
	for i := range ops {
		if len(at) > 0 && at[0] == i {
			at = at[1:]
			continue
		}
		rest = append(rest, ops[i])
	}
	return rest
}

func (s *minimiser) dropMutations(ops []history.Operation) []history.Operation {
	if s.m.Without == nil {
		return ops
	}
	for i := len(ops) - 1; i >= 0; i-- {
		if i >= len(ops) || s.m.Role(&ops[i]) != models.Mutation {
			continue
		}
		if rest, ok := s.m.Without(ops, i); ok && s.isInvalid(rest) {
			ops = rest
		}
	}
	return ops
}

// maxNarrated limits how many operations an explanation describes one by one.
const maxNarrated = 12

// explainSteps describes the operations of a search's counterexample, and how far an order gets. It follows
// the title of [NotLinearizable].
func explainSteps(m *Model, ops []history.Operation, anyStart bool) string {
	if len(ops) > maxNarrated {
		return fmt.Sprintf("%d operations, of which the first is %s, and the last is %s",
			len(ops), describe(&ops[0]), describe(&ops[len(ops)-1]))
	}
	text := ""
	if anyStart {
		text = "whatever the state before them: "
	}
	for i := range ops {
		if i > 0 {
			text += "; "
		}
		text += describe(&ops[i])
	}
	return text + stuck(m, ops)
}

// describe describes one operation of a search's counterexample.
func describe(op *history.Operation) string {
	switch op.Outcome {
	case history.Info:
		return fmt.Sprintf("%s was called at %s with unknown outcome", describeOp(op), seconds(op.Call))
	case history.Fail:
		return fmt.Sprintf("%s was refused between %s and %s", describeOp(op), seconds(op.Call),
			seconds(op.Return))
	}
	text := fmt.Sprintf("%s took effect between %s and %s", describeOp(op), seconds(op.Call),
		seconds(op.Return))
	if len(op.Input) == 0 {
		text = fmt.Sprintf("%s between %s and %s returned %s", describeOp(op), seconds(op.Call),
			seconds(op.Return),
			shorten(outputText(op)))
	}
	return text
}

// stuck describes how far the longest legal order gets.
func stuck(m *Model, ops []history.Operation) string {
	longest, state := longestOrder(m, ops)
	if longest == nil {
		return ""
	}
	placed := make(map[int64]bool)
	text := ". The longest order that works is "
	for n, op := range longest {
		placed[op.Index] = true
		if n > 0 {
			text += ", "
		}
		text += opName(op)
	}
	if len(longest) == 0 {
		text = ". None of them can come first"
	}
	text += fmt.Sprintf("; then the state is %s and nothing of the rest fits:", state)
	first := true
	for i := range ops {
		if !placed[ops[i].Index] {
			if !first {
				text += ","
			}
			text += " " + opName(&ops[i])
			first = false
		}
	}
	return text
}
