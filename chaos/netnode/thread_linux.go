package netnode

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// thread is an operating-system thread that lives in a node's namespace for as long as the node
// does. Processes are started from it: they inherit its namespace, and they die when it ends,
// which is at the latest when this program does.
type thread struct {
	work chan func()
	done chan struct{}
}

// newThread makes the namespace of this name, and its thread.
func newThread(name string) (*thread, error) {
	t := &thread{work: make(chan func()), done: make(chan struct{})}
	made := make(chan error)
	go t.run(name, made)
	if err := <-made; err != nil {
		return nil, fmt.Errorf("making namespace %s: %w", name, err)
	}
	return t, nil
}

func (t *thread) run(name string, made chan<- error) {
	defer close(t.done)
	// The thread is unlocked only if it could return to the namespace that it came from.
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		made <- err
		return
	}
	defer home.Close()
	own, err := netns.NewNamed(name)
	if err != nil {
		made <- err
		leave(home)
		return
	}
	own.Close()
	made <- nil
	for do := range t.work {
		do()
	}
	leave(home)
}

func leave(home netns.NsHandle) {
	if netns.Set(home) == nil {
		runtime.UnlockOSThread()
	}
}

// do runs a function on the thread and waits for it.
func (t *thread) do(f func() error) error {
	result := make(chan error, 1)
	t.work <- func() { result <- f() }
	return <-result
}

// close ends the thread. Nothing may be started after it.
func (t *thread) close() {
	close(t.work)
	<-t.done
}
