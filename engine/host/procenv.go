package host

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// procEnv is the env.Env of one incarnation of a process. Only the process's loop uses it.
type procEnv struct {
	proc        *proc
	host        *Host
	incarnation *incarnation
	disk        *disk
	log         *slog.Logger
	rands       map[string]*osRand
	timers      timers
	alarm       *time.Timer
	exiting     bool
	reason      error
}

// newProcEnv returns the Env of the process's present incarnation.
func newProcEnv(p *proc) *procEnv {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	e := &procEnv{proc: p, host: p.host, incarnation: p.incarnation, timers: newTimers(),
		log: p.host.logger(p.spec.Name), rands: map[string]*osRand{}, alarm: time.NewTimer(time.Hour)}
	e.disk = &disk{root: p.host.disk, incarnation: e.incarnation}
	return e
}

// loop passes events to the process until it ends, and returns the reason that the process gave.
func (e *procEnv) loop(process env.Process) error {
	defer e.alarm.Stop()
	for !e.exiting {
		ev, ok := e.next()
		if !ok {
			return nil
		}
		process.Step(ev)
	}
	return e.reason
}

// next waits for an event and returns it: the oldest of what is due or has arrived. It returns false once
// the incarnation has ended.
func (e *procEnv) next() (env.Event, bool) {
	for {
		if e.incarnation.pass() != nil {
			return nil, false
		}
		deadline, armed := e.timers.first()
		arrived, queued := e.proc.inbox.peek()
		now := e.host.clock.mono()
		if armed && deadline <= now && (!queued || deadline <= arrived) {
			return env.TimerFired{ID: e.timers.pop()}, true
		}
		if queued {
			if it, ok := e.proc.inbox.take(); ok {
				return it.event, true
			}
			continue
		}
		e.wait(deadline, armed)
	}
}

// wait blocks until something arrives or the deadline is due.
func (e *procEnv) wait(deadline time.Duration, armed bool) {
	if !armed {
		<-e.proc.inbox.wake
		return
	}
	e.alarm.Reset(e.host.clock.until(deadline))
	select {
	case <-e.proc.inbox.wake:
	case <-e.alarm.C:
	}
}

// Self implements env.Env.
func (e *procEnv) Self() env.Self {
	return env.Self{Machine: e.host.cfg.Machine, Name: e.host.cfg.Name, Process: e.proc.spec.Name,
		Boot: e.host.state.Boot, Incarnation: e.incarnation.number}
}

// Mono implements env.Env.
func (e *procEnv) Mono() time.Duration { return e.host.clock.mono() }

// Wall implements env.Env.
func (e *procEnv) Wall() time.Time { return e.host.clock.wall() }

// SetTimer implements env.Env.
func (e *procEnv) SetTimer(id env.TimerID, after time.Duration) {
	e.timers.set(id, e.host.clock.mono()+max(after, 0))
}

// StopTimer implements env.Env.
func (e *procEnv) StopTimer(id env.TimerID) { e.timers.stop(id) }

// Send implements env.Env.
func (e *procEnv) Send(to env.MachineID, link env.LinkID, payload []byte) {
	if len(payload) > env.MaxDatagramBytes {
		panic(fmt.Sprintf("host: a datagram of %d bytes is larger than MaxDatagramBytes", len(payload)))
	}
	if int(link) >= len(e.proc.sockets) || e.incarnation.dead.Load() {
		return
	}
	e.proc.sockets[link].send(to, payload)
}

// Local implements env.Env.
func (e *procEnv) Local(to string, payload []byte) error {
	if len(payload) > env.MaxLocalBytes {
		panic(fmt.Sprintf("host: a local message of %d bytes is larger than MaxLocalBytes", len(payload)))
	}
	target := e.host.byName[to]
	if target == nil {
		return env.ErrLocalDown
	}
	return target.inbox.putIf(item{class: classLocal, from: e.proc.spec.Name, bytes: len(payload),
		at: e.host.clock.mono(), event: env.LocalMessage{From: e.proc.spec.Name,
			Payload: append([]byte(nil), payload...)}}, e.incarnation.alive)
}

// Complete implements env.Env.
func (e *procEnv) Complete(op env.OpID, output []byte) {
	if e.incarnation.dead.Load() {
		return
	}
	if !e.proc.ops.complete(op, append([]byte(nil), output...)) && !e.incarnation.dead.Load() {
		panic(fmt.Sprintf("host: operation %d was answered before or never given", op))
	}
}

// Disk implements env.Env.
func (e *procEnv) Disk() env.Disk { return e.disk }

// Rand implements env.Env.
func (e *procEnv) Rand(label string) env.Rand {
	if e.rands[label] == nil {
		e.rands[label] = &osRand{}
	}
	return e.rands[label]
}

// Log implements env.Env.
func (e *procEnv) Log() *slog.Logger { return e.log }

// Emit implements env.Env.
func (e *procEnv) Emit(r env.Record) {
	if e.incarnation.dead.Load() {
		return
	}
	if err := e.host.records.write(kernelNow(), e.proc.spec.Name, r); err != nil {
		e.host.log.Error("record is lost", "process", e.proc.spec.Name, "reason", err)
	}
}

// Probe implements env.Env.
func (e *procEnv) Probe(id string) { e.proc.probes.hit(id) }

// Exit implements env.Env.
func (e *procEnv) Exit(reason error) { e.exiting, e.reason = true, reason }

// EnterTask implements env.TaskHost. Disk calls simply block here, so there is nothing to do.
func (e *procEnv) EnterTask(func()) {}

// LeaveTask implements env.TaskHost.
func (e *procEnv) LeaveTask() {}

// SuspendLoop implements env.TaskHost; nothing suspends here.
func (e *procEnv) SuspendLoop() {}

// AtEnd implements env.EndNotifier: tasks of an ended process are unwound.
func (e *procEnv) AtEnd(release func()) { e.incarnation.atEnd = append(e.incarnation.atEnd, release) }
