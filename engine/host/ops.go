package host

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// clientOperations are the operations that a process was given and has not answered.
type clientOperations struct {
	mu             sync.Mutex
	nextID         env.OpID
	answerChannels map[env.OpID]chan []byte
	abandoned      map[env.OpID]bool // the client went away; an answer may still come
	abandonOrder   []env.OpID        // of abandonment
	forgottenCount env.OpID          // abandoned ones up to here are no longer remembered
}

func newOps() *clientOperations {
	return &clientOperations{answerChannels: map[env.OpID]chan []byte{}, abandoned: map[env.OpID]bool{}}
}

// addOperation makes room for an operation; false if too many wait already.
func (o *clientOperations) addOperation() (env.OpID, chan []byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.answerChannels) >= maxPendingOps {
		return 0, nil, false
	}
	o.nextID++
	answer := make(chan []byte, 1)
	o.answerChannels[o.nextID] = answer
	return o.nextID, answer, true
}

// isWaiting reports whether an operation waits for its answer.
func (o *clientOperations) isWaiting(op env.OpID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.answerChannels[op]
	return ok
}

// withdrawOperation removes an operation that was not given to the process.
func (o *clientOperations) withdrawOperation(op env.OpID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.answerChannels, op)
}

// abandonOperation notes that the client no longer waits for the answer.
func (o *clientOperations) abandonOperation(op env.OpID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.answerChannels[op]; !ok {
		return
	}
	delete(o.answerChannels, op)
	o.abandoned[op] = true
	o.abandonOrder = append(o.abandonOrder, op)
	if len(o.abandonOrder) > maxAbandonedOps {
		o.forgottenCount = max(o.forgottenCount, o.abandonOrder[0])
		delete(o.abandoned, o.abandonOrder[0])
		o.abandonOrder = o.abandonOrder[1:]
	}
}

// completeOperation passes an answer to the client; false if the operation was not waiting for one.
func (o *clientOperations) completeOperation(op env.OpID, output []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer, ok := o.answerChannels[op]; ok {
		delete(o.answerChannels, op)
		answer <- output
		return true
	}
	if o.abandoned[op] {
		delete(o.abandoned, op)
		return true
	}
	return op <= o.forgottenCount
}

// failAll ends the wait of all clients: the process has ended.
func (o *clientOperations) failAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, answer := range maps.All(o.answerChannels) {
		close(answer)
	}
	clear(o.answerChannels)
	clear(o.abandoned)
	o.abandonOrder, o.forgottenCount = nil, 0
}

// Invoke gives an operation to a process and waits for the answer. It fails with ErrRefused or
// ErrNoProcess if the operation was certainly not given to the process, and with ErrUnknown otherwise.
func (h *Host) Invoke(ctx context.Context, process string, input []byte) ([]byte, error) {
	p := h.byName[process]
	if p == nil {
		return nil, fmt.Errorf("%w: %q", hostapi.ErrNoProcess, process)
	}
	if p.spec.API.NoOperations {
		return nil, fmt.Errorf("%s: %w: %w", process, hostapi.ErrRefused, hostapi.ErrNoOperations)
	}
	op, answer, ok := p.ops.addOperation()
	if !ok {
		return nil, fmt.Errorf("%w: %s has %d unanswered operations",
			hostapi.ErrRefused, process, maxPendingOps)
	}
	it := inboxItem{class: classOp, arrivedAt: h.clock.monotonic(), event: env.Invoked{Op: op, Input: input}}
	if err := p.inbox.putIf(it, func() bool { return p.ops.isWaiting(op) }); err != nil {
		p.ops.withdrawOperation(op)
		return nil, fmt.Errorf("%w by %s: %w", hostapi.ErrRefused, process, err)
	}
	select {
	case output, ok := <-answer:
		if !ok {
			return nil, fmt.Errorf("%w: %s ended before it answered", hostapi.ErrUnknown, process)
		}
		return output, nil
	case <-ctx.Done():
		p.ops.abandonOperation(op)
		return nil, fmt.Errorf("%w: %s has not answered: %w", hostapi.ErrUnknown, process, ctx.Err())
	}
}
