package linearizability

import (
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Limits of the local refutation.
const (
	localSteps = 1 << 13 // of one window
	localOps   = 48      // of one window after leaving out mutations that no read depends on
)

// localSizes are the numbers of returns that a window spans, tried in this order.
var localSizes = [...]int{3, 6, 12}

// refuteLocally looks for a short window of a history that is invalid whatever the state before it, and
// returns its operations, or nil. Most mistakes show within a few operations, where a search over the
// whole history would first have to try every subset of the calls with unknown outcome. Calls that are
// open at the edges of the window get an unknown outcome, and mutations of which the model says that nothing
// in the window depends on them are left out, so that few remain.
func refuteLocally(b *budget, m *Model, ops []history.Operation) []history.Operation {
	if m.Unknown == nil || m.Without == nil {
		return nil
	}
	var returns []int64
	for i := range ops {
		if ops[i].Return != history.Never && m.Role(&ops[i]) != models.Ignored {
			returns = append(returns, ops[i].Return)
		}
	}
	slices.Sort(returns)
	free := fromAnything(m)
	for _, size := range localSizes {
		for end := size; end < len(returns); end += (size + 1) / 2 {
			if b.ctx.Err() != nil {
				return nil
			}
			window := suffix(m, prefix(m, ops, returns[end]), returns[end-size])
			for _, part := range simplify(m, window) {
				if len(part) > localOps {
					continue
				}
				list, err := toPorcupine(m, part)
				if err != nil {
					return nil
				}
				if result, _ := b.decide(free, list, localSteps); result == Invalid {
					return part
				}
			}
		}
	}
	return nil
}

// simplify leaves mutations out of a window: once with its refusals, which often forbid that, and once
// without.
func simplify(m *Model, window []history.Operation) [][]history.Operation {
	accepted := slices.DeleteFunc(slices.Clone(window), func(op history.Operation) bool {
		return op.Outcome == history.Fail
	})
	parts := [][]history.Operation{dropUnread(m, accepted)}
	if len(accepted) < len(window) {
		parts = append(parts, dropUnread(m, window))
	}
	return parts
}

// dropUnread leaves out every mutation with an unknown outcome that the model allows to leave out.
func dropUnread(m *Model, ops []history.Operation) []history.Operation {
	for again := true; again; {
		again = false
		for i := len(ops) - 1; i >= 0; i-- {
			if ops[i].Outcome != history.Info {
				continue
			}
			if rest, ok := m.Without(ops, i); ok {
				ops, again = rest, true
			}
		}
	}
	return ops
}
