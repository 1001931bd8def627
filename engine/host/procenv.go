package host

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/hostdisk"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
)

// procEnv is the env.Env of one incarnation of a process. Only the process's loop uses it.
type procEnv struct {
	blockingTasks
	proc          *proc
	host          *Host
	incarnation   *incarnation.Incarnation
	disk          *hostdisk.Disk
	log           *slog.Logger
	randByLabel   map[string]*osRand
	timers        timers
	hasCalledExit bool  // the process has called Exit
	exitReason    error // of Exit
}

// newProcEnv returns the Env of the process's present incarnation.
func newProcEnv(p *proc) *procEnv {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	e := &procEnv{proc: p, host: p.host, incarnation: p.incarnation, timers: newTimers(),
		log: p.host.loggerFor(p.spec.Name), randByLabel: map[string]*osRand{}}
	e.disk = hostdisk.New(p.host.diskRoot, e.incarnation)
	return e
}

// Self implements env.Env.
func (e *procEnv) Self() env.Self {
	return env.Self{Machine: e.host.cfg.Machine, Name: e.host.cfg.Name, Process: e.proc.spec.Name,
		Boot: e.host.savedState.Boot, Incarnation: e.incarnation.Number()}
}

// Mono implements env.Env.
func (e *procEnv) Mono() time.Duration { return e.host.clock.monotonic() }

// Wall implements env.Env.
func (e *procEnv) Wall() time.Time { return e.host.clock.wallTime() }

// SetTimer implements env.Env.
func (e *procEnv) SetTimer(id env.TimerID, after time.Duration) {
	e.timers.setTimer(id, e.host.clock.monotonic()+max(after, 0))
}

// StopTimer implements env.Env.
func (e *procEnv) StopTimer(id env.TimerID) { e.timers.stopTimer(id) }

// Send implements env.Env.
func (e *procEnv) Send(to env.MachineID, link env.LinkID, payload []byte) {
	if len(payload) > env.MaxDatagramBytes {
		panic(fmt.Sprintf("host: a datagram of %d bytes is larger than MaxDatagramBytes", len(payload)))
	}
	if int(link) >= len(e.proc.sockets) || !e.incarnation.Alive() {
		return
	}
	e.proc.sockets[link].sendTo(to, payload)
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
	return target.inbox.putIf(inboxItem{class: classLocal, sender: e.proc.spec.Name, bytes: len(payload),
		arrivedAt: e.host.clock.monotonic(), event: env.LocalMessage{From: e.proc.spec.Name,
			Payload: append([]byte(nil), payload...)}}, e.incarnation.Alive)
}

// Complete implements env.Env.
func (e *procEnv) Complete(op env.OpID, output []byte) {
	if !e.incarnation.Alive() {
		return
	}
	if !e.proc.ops.completeOperation(op, append([]byte(nil), output...)) && e.incarnation.Alive() {
		panic(fmt.Sprintf("host: operation %d was answered before or never given", op))
	}
}

// Disk implements env.Env.
func (e *procEnv) Disk() env.Disk { return e.disk }

// Rand implements env.Env.
func (e *procEnv) Rand(label string) env.Rand {
	if e.randByLabel[label] == nil {
		e.randByLabel[label] = &osRand{}
	}
	return e.randByLabel[label]
}

// Log implements env.Env.
func (e *procEnv) Log() *slog.Logger { return e.log }

// Emit implements env.Env.
func (e *procEnv) Emit(r env.Record) {
	if !e.incarnation.Alive() {
		return
	}
	if err := e.host.records.Write(kernel.Now(), e.proc.spec.Name, r); err != nil {
		e.host.log.Error("record is lost", "process", e.proc.spec.Name, "reason", err)
	}
}

// Probe implements env.Env.
func (e *procEnv) Probe(id string) { e.proc.probes.countHit(id) }

// Exit implements env.Env.
func (e *procEnv) Exit(reason error) { e.hasCalledExit, e.exitReason = true, reason }

// AtEnd implements env.EndNotifier: tasks of an ended process are unwound.
func (e *procEnv) AtEnd(release func()) { e.incarnation.AtEnd(release) }

// Programs implements env.ProgramHost.
func (e *procEnv) Programs() env.Programs {
	return programs.New(e.host.cfg.Dir, e.host.cfg.RecordFile != "", e.incarnation.Pass)
}

// Commands implements env.CommandHost.
func (e *procEnv) Commands() env.CommandRunner {
	calls, end := programs.NewCalls(e.host.cfg.Dir, e.incarnation.Pass)
	e.incarnation.AtEnd(end)
	return calls
}
