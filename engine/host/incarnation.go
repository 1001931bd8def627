package host

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// incarnation is one run of a process: whether it still runs, whether it is paused, and what it holds
// open.
type incarnation struct {
	number uint64
	gate   *gate
	dead   atomic.Bool

	mu    sync.Mutex
	files map[*os.File]struct{}
	atEnd []func() // called on the loop after it has ended
}

// pass waits while the process is paused, and fails with env.ErrDead once the process has ended.
func (i *incarnation) pass() error {
	i.gate.wait(&i.dead)
	if i.dead.Load() {
		return env.ErrDead
	}
	return nil
}

// alive reports whether the incarnation has not ended.
func (i *incarnation) alive() bool { return !i.dead.Load() }

// adopt notes an open file. If the process has ended, it closes the file and returns false.
func (i *incarnation) adopt(f *os.File) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.files == nil {
		f.Close()
		return false
	}
	i.files[f] = struct{}{}
	return true
}

// disown forgets a file that was closed.
func (i *incarnation) disown(f *os.File) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.files, f)
}

// release closes the files that the process left open. Its loop has ended.
func (i *incarnation) release() {
	for _, f := range i.atEnd {
		f()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for f := range i.files {
		f.Close()
	}
	i.files = nil
}

// gate stops a process between two events or before a disk call.
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

// wait blocks while the gate is closed and the incarnation is not dead.
func (g *gate) wait(dead *atomic.Bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed && !dead.Load() {
		g.change.Wait()
	}
}

// set closes or opens the gate.
func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	g.change.Broadcast()
}

// recheck wakes the waiters after their process was ended.
func (g *gate) recheck() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.change.Broadcast()
}
