// Package incarnation is one run of a process on a real machine: whether it still runs, whether it is
// paused, and what must be released when it ends.
//
// Everything that a process reaches through the env interface asks its incarnation first: a disk call, a
// watchdog and a program each have no effect once the process has ended.
//
// Package incarnation never starts or ends a process: package host does that, and notes it here.
package incarnation

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Incarnation is one run of a process. Create it with [New].
type Incarnation struct {
	number uint64
	gate   *Gate
	dead   atomic.Bool

	mu    sync.Mutex
	files map[*os.File]struct{} // open files; nil after Release
	atEnd []func()              // called on the loop after it has ended
}

// New returns an incarnation that runs. number counts the incarnations of the process, from 1. gate is
// the process's gate, which all its incarnations share.
func New(number uint64, gate *Gate) *Incarnation {
	return &Incarnation{number: number, gate: gate, files: map[*os.File]struct{}{}}
}

// Number returns the number of the incarnation.
func (i *Incarnation) Number() uint64 { return i.number }

// Pass waits while the process is paused, and fails with env.ErrDead once the incarnation has ended.
func (i *Incarnation) Pass() error {
	i.gate.waitOpen(&i.dead)
	if i.dead.Load() {
		return env.ErrDead
	}
	return nil
}

// Alive reports whether the incarnation has not ended.
func (i *Incarnation) Alive() bool { return !i.dead.Load() }

// End ends the incarnation: from now on Pass fails, also for callers that wait at the gate.
func (i *Incarnation) End() {
	i.dead.Store(true)
	i.gate.wakeWaiters()
}

// AddFile notes an open file. After Release it closes the file and returns false.
func (i *Incarnation) AddFile(f *os.File) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.files == nil {
		f.Close()
		return false
	}
	i.files[f] = struct{}{}
	return true
}

// RemoveFile forgets a file that was closed.
func (i *Incarnation) RemoveFile(f *os.File) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.files, f)
}

// OpenFiles returns how many files are open.
func (i *Incarnation) OpenFiles() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.files)
}

// AtEnd registers a function that Release calls. Only the process's loop calls it.
func (i *Incarnation) AtEnd(release func()) { i.atEnd = append(i.atEnd, release) }

// Release calls the functions of AtEnd and closes the files that the process left open. The process's
// loop calls it after the last Step.
func (i *Incarnation) Release() {
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
