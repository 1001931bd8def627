package host

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// linkID converts the index of a link.
func linkID(i int) env.LinkID { return env.LinkID(i) }

// proc is one configured process: what stays the same over its incarnations.
type proc struct {
	host    *Host
	spec    *Process
	inbox   *inbox
	gate    *incarnation.Gate
	ops     *ops
	sockets []*socket
	stats   netStats
	probes  probes

	// Guarded by the host's lock.
	up          bool
	incarnation *incarnation.Incarnation
	running     bool   // Start has returned
	held        bool   // killed by Kill: stays down until Start
	paused      bool   // from outside
	ended       string // why the last incarnation ended

	restart chan struct{}
	quit    chan struct{} // closed when the host ends
}

// newProc returns a process without incarnations.
func newProc(h *Host, spec *Process) *proc {
	return &proc{host: h, spec: spec, inbox: newInbox(), gate: incarnation.NewGate(), ops: newOps(),
		restart: make(chan struct{}, 1), quit: make(chan struct{})}
}

// upNotice is the event that a process runs.
func upNotice(p *proc, now time.Duration) item {
	return item{class: classNotice, at: now, event: env.LocalUp{Process: p.spec.Name}}
}

// downNotice is the event that a process has ended.
func downNotice(p *proc, now time.Duration) item {
	return item{class: classNotice, at: now, event: env.LocalDown{Process: p.spec.Name}}
}

// closeSockets closes the sockets of the process.
func (p *proc) closeSockets() {
	for _, s := range p.sockets {
		s.conn.Close()
	}
}

// supervise runs one incarnation after the other until the host ends. The first was created before.
func (p *proc) supervise() {
	for {
		p.runIncarnation()
		if !p.awaitStart() {
			return
		}
		if !p.host.startIncarnation(p) {
			return
		}
	}
}

// runIncarnation runs the present incarnation to its end.
func (p *proc) runIncarnation() {
	defer func() {
		if v := recover(); v != nil {
			err := fmt.Errorf("%w: %s: %v", ErrPanic, p.spec.Name, v)
			p.host.log.Error("process panicked", "process", p.spec.Name, "panic", v,
				"stack", string(debug.Stack()))
			p.finish(err)
			p.host.fail(err)
		}
	}()
	e := newProcEnv(p)
	process := p.spec.New()
	err := process.Start(e)
	if err != nil {
		err = fmt.Errorf("starting: %w", err)
	} else {
		p.setRunning(true)
		err = newLoop(e).run(process)
	}
	e.incarnation.Release()
	p.finish(err)
}

// setRunning notes whether Start of the process has returned.
func (p *proc) setRunning(on bool) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.running = on
}

// finish records the end of an incarnation. err is the reason that the process gave, nil if the host
// ended it.
func (p *proc) finish(err error) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.running = false
	if !p.up { // ended from outside
		return
	}
	p.host.markDown(p)
	p.ended = "it ended without a reason"
	if err != nil {
		p.ended = err.Error()
	}
	if errors.Is(err, env.ErrStopped) {
		p.held = true
		p.host.log.Info("process ended on request", "process", p.spec.Name)
		return
	}
	p.host.log.Warn("process ended by itself", "process", p.spec.Name, "reason", p.ended)
}

// awaitStart waits for the restart delay or for a Start; false if the host ends.
func (p *proc) awaitStart() bool {
	var delay <-chan time.Time
	p.host.mu.Lock()
	if !p.held && p.spec.Restart > 0 {
		delay = time.After(p.spec.Restart)
	}
	p.host.mu.Unlock()
	for {
		select {
		case <-p.quit:
			return false
		case <-p.restart:
			return true
		case <-delay:
			p.host.mu.Lock()
			held := p.held
			p.host.mu.Unlock()
			if !held {
				return true
			}
			delay = nil
		}
	}
}
