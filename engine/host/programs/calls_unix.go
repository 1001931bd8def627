//go:build unix

package programs

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// maxCalls bounds the programs that one process has under way or not asked about.
const maxCalls = 256

// pipeGrace is how long what a program has left behind may keep its output open.
const pipeGrace = time.Second

// errTooManyCalls refuses a call beyond maxCalls.
var errTooManyCalls = errors.New("too many programs are under way")

// calls are the programs that one incarnation of a process has called. Each runs in a process group of
// its own, so that killing it also kills the programs that it started.
type calls struct {
	dir  string
	pass func() error  // fails once the incarnation has ended
	stop chan struct{} // closed when the incarnation has ended

	mu   sync.Mutex
	last env.CommandID
	ends map[env.CommandID]*env.CommandResult // nil while it is under way
}

// NewCalls returns the calls of one incarnation of a process, which run in the directory dir, and the
// function that ends all of them. Start asks pass first, which waits while the process is paused and
// fails once it has ended. The calls are nil on systems that are not Unix.
func NewCalls(dir string, pass func() error) (env.CommandRunner, func()) {
	c := newCalls(dir, pass)
	return c, func() { close(c.stop) }
}

// newCalls returns calls of which none is under way.
func newCalls(dir string, pass func() error) *calls {
	return &calls{dir: dir, pass: pass, ends: map[env.CommandID]*env.CommandResult{},
		stop: make(chan struct{})}
}

// Start implements env.CommandRunner.
func (c *calls) Start(call env.Command) (env.CommandID, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	if len(call.Args) == 0 || call.Limit <= 0 {
		return 0, fmt.Errorf("%w: a call needs a command and a time", ErrProgram)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ends) >= maxCalls {
		return 0, fmt.Errorf("%w: %w", ErrProgram, errTooManyCalls)
	}
	out := &head{}
	cmd := exec.Command(call.Args[0], call.Args[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, bytes.NewReader(bytes.Clone(call.Input)), out, out
	cmd.WaitDelay = pipeGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%w: starting %s: %w", ErrProgram, call.Args[0], err)
	}
	c.last++
	id := c.last
	c.ends[id] = nil
	go c.await(id, cmd, out, call.Limit)
	return id, nil
}

// await sees a program to its end.
func (c *calls) await(id env.CommandID, cmd *exec.Cmd, out *head, limit time.Duration) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	alarm := time.NewTimer(limit)
	defer alarm.Stop()
	var r env.CommandResult
	select {
	case err := <-done:
		r = endOf(cmd, err)
	case <-alarm.C:
		r.Err = env.ErrCommandTimeout
		killGroup(cmd, done)
	case <-c.stop:
		killGroup(cmd, done)
		return
	}
	r.Output = out.kept()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends[id] = &r
}

// killGroup kills a program with everything that it started, and waits for its end.
func killGroup(cmd *exec.Cmd, done chan error) {
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // it may have ended just now
	<-done
}

// endOf returns how a program ended that the host did not kill.
func endOf(cmd *exec.Cmd, err error) env.CommandResult {
	var exit *exec.ExitError
	switch state := cmd.ProcessState; {
	case state == nil:
		return env.CommandResult{Err: fmt.Errorf("%w: %w", ErrProgram, err)}
	case !state.Exited():
		return env.CommandResult{Err: fmt.Errorf("%w: %s", ErrProgram, state)}
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		return env.CommandResult{Err: fmt.Errorf("%w: %w", ErrProgram, err)}
	default:
		return env.CommandResult{Code: state.ExitCode()}
	}
}

// Result implements env.CommandRunner.
func (c *calls) Result(id env.CommandID) (env.CommandResult, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.ends[id]
	if r == nil {
		return env.CommandResult{}, false
	}
	delete(c.ends, id)
	return *r, true
}

// head keeps the beginning of what is written to it.
type head struct {
	mu   sync.Mutex
	data []byte
}

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.data = append(h.data, p[:min(len(p), env.MaxCallOutputBytes-len(h.data))]...)
	return len(p), nil
}

// kept returns a copy of what was kept.
func (h *head) kept() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.data)
}
