package netnode

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// namespaceThread is an operating-system thread that lives in a node's namespace for as long as the node
// does. Processes are started from it: they inherit its namespace, and they die when it ends,
// which is at the latest when this program does.
type namespaceThread struct {
	calls chan func()
	done  chan struct{}
}

// newNamespaceThread makes the namespace of this name, and its thread.
func newNamespaceThread(name string) (*namespaceThread, error) {
	t := &namespaceThread{calls: make(chan func()), done: make(chan struct{})}
	made := make(chan error)
	go t.serveCalls(name, made)
	if err := <-made; err != nil {
		return nil, fmt.Errorf("making namespace %s: %w", name, err)
	}
	return t, nil
}

func (t *namespaceThread) serveCalls(name string, made chan<- error) {
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
		leaveNamespace(home)
		return
	}
	own.Close()
	made <- nil
	for do := range t.calls {
		do()
	}
	leaveNamespace(home)
}

func leaveNamespace(home netns.NsHandle) {
	if netns.Set(home) == nil {
		runtime.UnlockOSThread()
	}
}

// callInside runs a function on the thread and waits for it.
func (t *namespaceThread) callInside(f func() error) error {
	result := make(chan error, 1)
	t.calls <- func() { result <- f() }
	return <-result
}

// close ends the thread. Nothing may be started after it.
func (t *namespaceThread) close() {
	close(t.calls)
	<-t.done
}
