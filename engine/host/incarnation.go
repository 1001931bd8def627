package host

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// incarnation is one incarnation of a process: whether it still runs, whether it is paused, and what it
// holds open.
type incarnation struct {
	number uint64
	gate   *gate
	dead   atomic.Bool

	mu    sync.Mutex
	files map[*os.File]struct{}
	atEnd []func() // run on the loop once it has ended
}

// pass waits while the process is paused and fails once it has ended.
func (l *incarnation) pass() error {
	l.gate.wait(&l.dead)
	if l.dead.Load() {
		return env.ErrDead
	}
	return nil
}

func (l *incarnation) alive() bool { return !l.dead.Load() }

// adopt notes an open file, or closes it at once when the process has ended.
func (l *incarnation) adopt(f *os.File) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files == nil {
		f.Close()
		return false
	}
	l.files[f] = struct{}{}
	return true
}

func (l *incarnation) disown(f *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.files, f)
}

// release closes what the process left open. The loop has ended.
func (l *incarnation) release() {
	for _, f := range l.atEnd {
		f()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.files {
		f.Close()
	}
	l.files = nil
}

// gate stops a process where it is, between two events or on its way to the disk.
type gate struct {
	mu     sync.Mutex
	change *sync.Cond
	closed bool
}

func newGate() *gate {
	g := &gate{}
	g.change = sync.NewCond(&g.mu)
	return g
}

func (g *gate) wait(dead *atomic.Bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed && !dead.Load() {
		g.change.Wait()
	}
}

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	g.change.Broadcast()
}

// recheck makes waiters look again, after their process was ended.
func (g *gate) recheck() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.change.Broadcast()
}
