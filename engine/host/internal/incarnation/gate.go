package incarnation

import (
	"sync"
	"sync/atomic"
)

// Gate pauses a process between two events or before a call of the env interface. Create it with
// [NewGate].
type Gate struct {
	mu     sync.Mutex
	change *sync.Cond
	closed bool
}

// NewGate returns an open gate.
func NewGate() *Gate {
	g := &Gate{}
	g.change = sync.NewCond(&g.mu)
	return g
}

// Set closes or opens the gate.
func (g *Gate) Set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	g.change.Broadcast()
}

// wait blocks while the gate is closed and the incarnation is not dead.
func (g *Gate) wait(dead *atomic.Bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed && !dead.Load() {
		g.change.Wait()
	}
}

// recheck wakes the waiters after their incarnation has ended.
func (g *Gate) recheck() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.change.Broadcast()
}
