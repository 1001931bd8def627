package incarnation

import (
	"sync"
	"sync/atomic"
)

// Gate pauses a process between two events or before a call of the env interface. Create it with
// [NewGate].
type Gate struct {
	mu      sync.Mutex
	changed *sync.Cond
	closed  bool
}

// NewGate returns an open gate.
func NewGate() *Gate {
	g := &Gate{}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// Set closes or opens the gate.
func (g *Gate) Set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	g.changed.Broadcast()
}

// waitOpen blocks while the gate is closed and the incarnation is not dead.
func (g *Gate) waitOpen(dead *atomic.Bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed && !dead.Load() {
		g.changed.Wait()
	}
}

// wakeWaiters wakes the waiters after their incarnation has ended.
func (g *Gate) wakeWaiters() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed.Broadcast()
}
