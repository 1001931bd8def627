package host

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// ops are the operations that a process was given and has not answered.
type ops struct {
	mu        sync.Mutex
	next      env.OpID
	pending   map[env.OpID]chan []byte
	abandoned map[env.OpID]bool // the client went away; an answer may still come
	order     []env.OpID        // of abandonment
	forgotten env.OpID          // abandoned ones up to here are no longer remembered
}

func newOps() *ops {
	return &ops{pending: map[env.OpID]chan []byte{}, abandoned: map[env.OpID]bool{}}
}

// add makes room for an operation; false if too many wait already.
func (o *ops) add() (env.OpID, chan []byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) >= maxPendingOps {
		return 0, nil, false
	}
	o.next++
	answer := make(chan []byte, 1)
	o.pending[o.next] = answer
	return o.next, answer, true
}

// isWaiting reports whether an operation waits for its answer.
func (o *ops) isWaiting(op env.OpID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.pending[op]
	return ok
}

// withdraw removes an operation that was not given to the process.
func (o *ops) withdraw(op env.OpID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.pending, op)
}

// abandon notes that the client no longer waits for the answer.
func (o *ops) abandon(op env.OpID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.pending[op]; !ok {
		return
	}
	delete(o.pending, op)
	o.abandoned[op] = true
	o.order = append(o.order, op)
	if len(o.order) > maxAbandonedOps {
		o.forgotten = max(o.forgotten, o.order[0])
		delete(o.abandoned, o.order[0])
		o.order = o.order[1:]
	}
}

// complete passes an answer to the client; false if the operation was not waiting for one.
func (o *ops) complete(op env.OpID, output []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer, ok := o.pending[op]; ok {
		delete(o.pending, op)
		answer <- output
		return true
	}
	if o.abandoned[op] {
		delete(o.abandoned, op)
		return true
	}
	return op <= o.forgotten
}

// failAll ends the wait of all clients: the process has ended.
func (o *ops) failAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, answer := range maps.All(o.pending) {
		close(answer)
	}
	clear(o.pending)
	clear(o.abandoned)
	o.order, o.forgotten = nil, 0
}

// Invoke gives an operation to a process and waits for the answer. It fails with ErrRefused or
// ErrNoProcess if the operation was certainly not given to the process, and with ErrUnknown otherwise.
func (h *Host) Invoke(ctx context.Context, process string, input []byte) ([]byte, error) {
	p := h.byName[process]
	if p == nil {
		return nil, fmt.Errorf("%w: %q", hostapi.ErrNoProcess, process)
	}
	if h.opsInFlight.Add(1) > maxOpsInFlight {
		h.opsInFlight.Add(-1)
		return nil, fmt.Errorf("%w: %d operations are under way", hostapi.ErrRefused, maxOpsInFlight)
	}
	defer h.opsInFlight.Add(-1)
	op, answer, ok := p.ops.add()
	if !ok {
		return nil, fmt.Errorf("%w: %s has %d unanswered operations",
			hostapi.ErrRefused, process, maxPendingOps)
	}
	it := item{class: classOp, at: h.clock.mono(), event: env.Invoked{Op: op, Input: input}}
	if err := p.inbox.putIf(it, func() bool { return p.ops.isWaiting(op) }); err != nil {
		p.ops.withdraw(op)
		return nil, fmt.Errorf("%w by %s: %w", hostapi.ErrRefused, process, err)
	}
	select {
	case output, ok := <-answer:
		if !ok {
			return nil, fmt.Errorf("%w: %s ended before it answered", hostapi.ErrUnknown, process)
		}
		return output, nil
	case <-ctx.Done():
		p.ops.abandon(op)
		return nil, fmt.Errorf("%w: %s has not answered: %w", hostapi.ErrUnknown, process, ctx.Err())
	}
}
