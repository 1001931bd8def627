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
	ops     *clientOperations
	sockets []*socket
	stats   netStats
	probes  probes

	// Guarded by the host's lock.
	isUp          bool
	incarnation   *incarnation.Incarnation
	startReturned bool   // Start has returned
	heldDown      bool   // killed by Kill: stays down until Start
	isPaused      bool   // from outside
	endReason     string // why the last incarnation ended

	startSignal chan struct{}
	hostEnded   chan struct{} // closed when the host ends
}

// newProc returns a process without incarnations.
func newProc(h *Host, spec *Process) *proc {
	return &proc{host: h, spec: spec, inbox: newInbox(), gate: incarnation.NewGate(), ops: newOps(),
		startSignal: make(chan struct{}, 1), hostEnded: make(chan struct{})}
}

// upNotice is the event that a process runs.
func upNotice(p *proc, now time.Duration) inboxItem {
	return inboxItem{class: classNotice, arrivedAt: now, event: env.LocalUp{Process: p.spec.Name}}
}

// downNotice is the event that a process has ended.
func downNotice(p *proc, now time.Duration) inboxItem {
	return inboxItem{class: classNotice, arrivedAt: now, event: env.LocalDown{Process: p.spec.Name}}
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
			p.recordEnd(err)
			p.host.failWith(err)
		}
	}()
	e := newProcEnv(p)
	process := p.spec.New()
	err := process.Start(e)
	if err != nil {
		err = fmt.Errorf("starting: %w", err)
	} else {
		p.setRunning(true)
		err = newLoop(e).runProcess(process)
	}
	e.incarnation.Release()
	p.recordEnd(err)
}

// setRunning notes whether Start of the process has returned.
func (p *proc) setRunning(on bool) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.startReturned = on
}

// recordEnd records the end of an incarnation. err is the reason that the process gave, nil if the host
// ended it.
func (p *proc) recordEnd(err error) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.startReturned = false
	if !p.isUp { // ended from outside
		return
	}
	p.host.markDown(p)
	p.endReason = "it ended without a reason"
	if err != nil {
		p.endReason = err.Error()
	}
	if errors.Is(err, env.ErrStopped) {
		p.heldDown = true
		p.host.log.Info("process ended on request", "process", p.spec.Name)
		return
	}
	p.host.log.Warn("process ended by itself", "process", p.spec.Name, "reason", p.endReason)
}

// awaitStart waits for the restart delay or for a Start; false if the host ends.
func (p *proc) awaitStart() bool {
	var delay <-chan time.Time
	p.host.mu.Lock()
	if !p.heldDown && p.spec.Restart > 0 {
		delay = time.After(p.spec.Restart)
	}
	p.host.mu.Unlock()
	for {
		select {
		case <-p.hostEnded:
			return false
		case <-p.startSignal:
			return true
		case <-delay:
			p.host.mu.Lock()
			held := p.heldDown
			p.host.mu.Unlock()
			if !held {
				return true
			}
			delay = nil
		}
	}
}
