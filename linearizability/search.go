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

// Reasons why a search ends without an answer.
var (
	errSearchTime   = errors.New("time limit reached")
	errSearchMemory = errors.New("memory limit reached")
	errSearchSize   = errors.New("too many operations for a search")
)

// budget is what all searches of one check share.
type budget struct {
	ctx    context.Context
	memory int64        // bytes allowed
	used   atomic.Int64 // bytes that the caches of running searches hold, estimated
}

// searchOverheadBytes is what porcupine holds per step that it took, beside the bit set: cache entry, call
// stack and the state of our models.
const searchOverheadBytes = 256

// search asks porcupine about one piece of a history.
func (b *budget) search(m *porcupine.Model, ops []porcupine.Operation) (Validity, error) {
	if len(ops) == 0 {
		return Valid, nil
	}
	perStep := int64(len(ops)/8 + searchOverheadBytes)
	var held int64
	var stopped error
	guarded := *m
	guarded.Partition = nil
	step := m.Step
	guarded.StepContext = func(ctx context.Context, state, in, out any) (bool, any) {
		if stopped != nil || ctx.Err() != nil {
			return false, state
		}
		if b.ctx.Err() != nil {
			stopped = errSearchTime
			return false, state
		}
		ok, next := step(state, in, out)
		if !ok {
			return false, next
		}
		held += perStep
		if b.used.Add(perStep) > b.memory {
			stopped = errSearchMemory
			return false, state
		}
		return true, next
	}
	ok := porcupine.CheckOperations(guarded, ops)
	b.used.Add(-held)
	switch {
	case ok && stopped == nil:
		return Valid, nil
	case stopped != nil:
		return Unknown, stopped
	}
	return Invalid, nil
}

// toPorcupine decodes operations for a search. Those that the model ignores are left out.
func toPorcupine(m *models.Model, ops []history.Operation) ([]porcupine.Operation, error) {
	list := make([]porcupine.Operation, 0, len(ops))
	for i := range ops {
		if role := m.Role(&ops[i]); role == models.Ignored || role == models.LocalObservation {
			continue
		}
		call, err := m.Decode(&ops[i], nil)
		if err != nil {
			return nil, fmt.Errorf("decoding %s: %w", opName(&ops[i]), err)
		}
		list = append(list, porcupine.Operation{ClientId: max(0, ops[i].Process), Input: call, Output: call,
			Call: ops[i].Call, Return: ops[i].Return, Metadata: &ops[i]})
	}
	return list, nil
}

// piece is a part of a history that is searched on its own.
type piece struct {
	ops    []porcupine.Operation
	result Validity
	reason error
}

// searchAll searches the pieces in a bounded pool, never all at once. It stops at the first that is invalid.
func searchAll(ctx context.Context, m *models.Model, pieces []piece, o *options) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	b := &budget{ctx: ctx, memory: o.memory}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(o.parallelism, len(pieces)) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(pieces) {
					return
				}
				p := &pieces[i]
				if len(p.ops) > o.searchOps {
					p.reason = fmt.Errorf("%w: %d, the limit is %d", errSearchSize, len(p.ops), o.searchOps)
					continue
				}
				p.result, p.reason = b.search(&m.Model, p.ops)
				if p.result == Invalid {
					next.Store(int64(len(pieces)))
				}
			}
		})
	}
	wait.Wait()
}

// splitByKey cuts a history of a keyed model into one piece per key, in order of first appearance.
func splitByKey(m *models.Model, ops []history.Operation) ([]piece, error) {
	if !m.Keyed {
		list, err := toPorcupine(m, ops)
		return []piece{{ops: list}}, err
	}
	index := make(map[string]int)
	var parts [][]history.Operation
	for i := range ops {
		k, ok := index[ops[i].Key]
		if !ok {
			k = len(parts)
			index[ops[i].Key] = k
			parts = append(parts, nil)
		}
		parts[k] = append(parts[k], ops[i])
	}
	pieces := make([]piece, len(parts))
	for k := range parts {
		list, err := toPorcupine(m, parts[k])
		if err != nil {
			return nil, err
		}
		pieces[k].ops = list
	}
	return pieces, nil
}

// elapsed is the clock for statistics; a check never decides by it.
func elapsed(since time.Time) time.Duration { return time.Since(since) }
