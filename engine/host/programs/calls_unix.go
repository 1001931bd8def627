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

// commandRunner are the programs that one incarnation of a process has called. Each runs in a process group
// of its own, so that killing it also kills the programs that it started.
type commandRunner struct {
	dir              string
	checkAlive       func() error  // fails once the incarnation has ended
	incarnationEnded chan struct{} // closed when the incarnation has ended

	mu         sync.Mutex
	lastID     env.CommandID
	resultByID map[env.CommandID]*env.CommandResult // nil while it is under way
}

// NewCalls returns the calls of one incarnation of a process, which run in the directory dir, and the
// function that ends all of them. Start asks pass first, which waits while the process is paused and
// fails once it has ended. The calls are nil on systems that are not Unix.
func NewCalls(dir string, pass func() error) (env.CommandRunner, func()) {
	c := newCalls(dir, pass)
	return c, func() { close(c.incarnationEnded) }
}

// newCalls returns calls of which none is under way.
func newCalls(dir string, pass func() error) *commandRunner {
	return &commandRunner{dir: dir, checkAlive: pass, resultByID: map[env.CommandID]*env.CommandResult{},
		incarnationEnded: make(chan struct{})}
}

// Start implements env.CommandRunner.
func (c *commandRunner) Start(call env.Command) (env.CommandID, error) {
	if err := c.checkAlive(); err != nil {
		return 0, err
	}
	if len(call.Args) == 0 || call.Limit <= 0 {
		return 0, fmt.Errorf("%w: a call needs a command and a time", ErrProgram)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.resultByID) >= maxCalls {
		return 0, fmt.Errorf("%w: %w", ErrProgram, errTooManyCalls)
	}
	out := &outputHead{}
	cmd := exec.Command(call.Args[0], call.Args[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, bytes.NewReader(bytes.Clone(call.Input)), out, out
	cmd.WaitDelay = pipeGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%w: starting %s: %w", ErrProgram, call.Args[0], err)
	}
	c.lastID++
	id := c.lastID
	c.resultByID[id] = nil
	go c.awaitEnd(id, cmd, out, call.Limit)
	return id, nil
}

// awaitEnd sees a program to its end.
func (c *commandRunner) awaitEnd(id env.CommandID, cmd *exec.Cmd, out *outputHead, limit time.Duration) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	alarm := time.NewTimer(limit)
	defer alarm.Stop()
	var r env.CommandResult
	select {
	case err := <-done:
		r = commandResult(cmd, err)
	case <-alarm.C:
		r.Err = env.ErrCommandTimeout
		killGroup(cmd, done)
	case <-c.incarnationEnded:
		killGroup(cmd, done)
		return
	}
	r.Output = out.keptBytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resultByID[id] = &r
}

// killGroup kills a program with everything that it started, and waits for its end.
func killGroup(cmd *exec.Cmd, done chan error) {
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // it may have ended just now
	<-done
}

// commandResult returns how a program ended that the host did not kill.
func commandResult(cmd *exec.Cmd, err error) env.CommandResult {
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
func (c *commandRunner) Result(id env.CommandID) (env.CommandResult, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.resultByID[id]
	if r == nil {
		return env.CommandResult{}, false
	}
	delete(c.resultByID, id)
	return *r, true
}

// outputHead keeps the beginning of what is written to it.
type outputHead struct {
	mu   sync.Mutex
	data []byte
}

// Write implements io.Writer.
func (h *outputHead) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.data = append(h.data, p[:min(len(p), env.MaxCallOutputBytes-len(h.data))]...)
	return len(p), nil
}

// keptBytes returns a copy of what was kept.
func (h *outputHead) keptBytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.data)
}
