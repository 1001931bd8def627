package haproc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// StepDriver is a driver that also takes events of its process.
type StepDriver interface {
	resource.Driver
	// Step takes an event if it is the driver's and reports whether it did.
	Step(ev env.Event) bool
}

// DriverMaker makes the driver for a process.
type DriverMaker func(e env.Env) StepDriver

// LRM is the process that manages the services of its node. It implements env.Process.
type LRM struct {
	opts      Options
	core      core
	driver    StepDriver
	executor  executor
	lrm       *lrm.LRM
	lastState ha.LRMState
}

// NewLRM returns the LRM process of a node; [LRM.Start] checks the options.
func NewLRM(o Options) *LRM { return &LRM{opts: o} }

// Start implements env.Process.
func (p *LRM) Start(e env.Env) error {
	if err := p.core.startParts(e, p.opts); err != nil {
		return err
	}
	e.Log().Info("safety margin between the watchdog's reset and a takeover",
		"margin", p.opts.Margin().String())
	p.driver = p.opts.NewDriver(e)
	p.executor.process, p.executor.workers = p, map[string]*worker{}
	p.core.tasks.Go(p.run)
	return nil
}

// Step implements env.Process.
func (p *LRM) Step(ev env.Event) {
	if !p.driver.Step(ev) {
		p.core.offerEvent(ev)
	}
}

// run waits for the store and makes rounds until the LRM ends.
func (p *LRM) run(t *env.Task) {
	p.core.awaitStore(t)
	w := newStoreEnv(&p.core, t)
	p.executor.env = w
	l := lrm.New(w, &p.executor, nil)
	l.IdleFactor = p.core.opts.IdleFactor
	p.lrm = l
	p.emitState(l)
	shutdown := func() {
		w.dropCache() // the shutdown policy must be the current one
		l.RequestShutdown()
	}
	p.core.runRounds(t, shutdown, func() ha.Round {
		round := l.Round()
		p.emitState(l)
		return round
	})
}

// emitState emits the state of the LRM when it has changed.
func (p *LRM) emitState(l *lrm.LRM) {
	if s := l.State(); s != p.lastState {
		p.core.env.Emit(LRMStateChange{State: s, Started: p.lastState == ""})
		p.lastState = s
	}
}

// AcquireAgentLock implements ha.LRMEnv.
func (w *storeEnv) AcquireAgentLock() bool { return w.acquireLock(AgentLock(w.opts.Node)) }

// ReleaseAgentLock implements ha.LRMEnv.
func (w *storeEnv) ReleaseAgentLock() bool { return w.locks.Release(w.task, AgentLock(w.opts.Node)) }

// executor runs resource commands in tasks. It implements lrm.Executor.
type executor struct {
	process  *LRM
	env      *storeEnv
	workers  map[string]*worker
	finished env.Signal
}

type worker struct {
	isDone   bool
	exitCode ha.ExitCode
}

// maxWorkers bounds max_workers of datacenter.cfg.
const maxWorkers = 64

// MaxWorkers implements lrm.Executor.
func (x *executor) MaxWorkers() int {
	settings, err := x.env.ReadDatacenter()
	if err != nil || settings.MaxWorkers < 1 {
		return ha.DefaultDatacenter().MaxWorkers
	}
	return min(settings.MaxWorkers, maxWorkers)
}

// Start implements lrm.Executor.
func (x *executor) Start(cmd lrm.Command) bool {
	if x.workers[cmd.SID] != nil {
		return false
	}
	// The strings are parts of the manager's status file; without copies they would keep it in memory.
	cmd.SID, cmd.UID, cmd.Target = strings.Clone(cmd.SID), strings.Clone(cmd.UID), strings.Clone(cmd.Target)
	cmd.State = ha.ServiceState(strings.Clone(string(cmd.State)))
	wk := &worker{}
	x.workers[cmd.SID] = wk
	core := &x.process.core
	core.env.Emit(CommandBegun{UID: cmd.UID, SID: cmd.SID, State: cmd.State, Target: cmd.Target})
	core.tasks.Go(func(t *env.Task) {
		w := newStoreEnv(core, t)
		core.sleepAt(t, "ha/late-command")
		lookup := func(string) lrm.Resource {
			r := &managedResource{env: w, driver: x.process.driver, command: cmd, modeOf: x.process.lrm}
			return lockedGuestCheck{r, w, x.process.driver}
		}
		switch moved, err := w.movedBefore(cmd); {
		case err != nil:
			w.Log(ha.LevelWarning, fmt.Sprintf("asking whether service %s was moved: %v", cmd.SID, err))
			wk.exitCode = ha.ExitTryAgain
		case moved:
			core.env.Probe("ha/move-had-been-done")
			wk.exitCode = ha.ExitSuccess
		default:
			wk.exitCode = lrm.RunCommand(w, lookup, cmd)
		}
		core.sleepAt(t, "ha/late-result")
		wk.isDone = true
		core.env.Emit(CommandDone{UID: cmd.UID, SID: cmd.SID, State: cmd.State, ExitCode: wk.exitCode})
		x.finished.Raise()
	})
	return true
}

// movedBefore reports whether a move was already completed by an earlier incarnation of this node that
// ended before it could report the result: the configuration is on the target, and this node wrote it.
// Otherwise the answer would be that the service is on the wrong node, which an administrator must
// resolve. So it fails where the store does not answer.
func (w *storeEnv) movedBefore(cmd lrm.Command) (bool, error) {
	if !cmd.State.Moving() || cmd.Target == w.opts.Node {
		return false, nil
	}
	_, _, err := w.store.Read(w.task, GuestPath(cmd.SID, w.opts.Node))
	if !errors.Is(err, client.ErrNotFound) {
		return false, err
	}
	e, err := w.store.ReadEntry(w.task, GuestPath(cmd.SID, cmd.Target))
	if errors.Is(err, client.ErrNotFound) {
		return false, nil
	}
	return err == nil && e.Writer == w.opts.ownID(), err
}

// Finished implements lrm.Executor.
func (x *executor) Finished(sid string) (ha.ExitCode, bool) {
	wk := x.workers[sid]
	if wk == nil || !wk.isDone {
		return 0, false
	}
	delete(x.workers, sid)
	return wk.exitCode, true
}

// Wait implements lrm.Executor.
func (x *executor) Wait(seconds int) {
	x.env.task.Wait(&x.finished, x.process.core.scaledSeconds(seconds))
}

// managedResource adapts a driver to the interface lrm.Resource, within one worker.
type managedResource struct {
	env     *storeEnv
	driver  resource.Driver
	command lrm.Command
	modeOf  modeReader
}

// Running implements lrm.Resource.
func (r *managedResource) Running(sid string) bool {
	on, err := r.driver.Running(r.env.task, sid)
	if err != nil && !errors.Is(err, resource.ErrHostDown) {
		r.env.Log(ha.LevelErr, "asking whether "+sid+" runs: "+err.Error())
		return true // a service counts as running unless it is known to be stopped
	}
	return on
}

// Start implements lrm.Resource.
func (r *managedResource) Start(sid string) {
	r.logUnexpectedEnd(sid)
	conf, err := r.env.readFile(GuestPath(sid, r.env.opts.Node))
	if err == nil {
		err = r.driver.Start(r.env.task, sid, conf.data)
	}
	if err != nil {
		r.env.Log(ha.LevelErr, "starting "+sid+": "+err.Error())
	}
}

// logUnexpectedEnd logs that a resource ended without being stopped.
func (r *managedResource) logUnexpectedEnd(sid string) {
	s, err := r.driver.Status(r.env.task, sid)
	if err == nil && !s.Running && s.ExitCode != nil {
		r.env.Log(ha.LevelWarning, fmt.Sprintf("service %s has ended by itself (exit code %d)", sid,
			*s.ExitCode))
	}
}

// Stop implements lrm.Resource.
func (r *managedResource) Stop(sid string, timeoutSeconds *ha.Int) {
	timeout := r.env.opts.Timescale.Of(DefaultStopTimeout)
	if r.env.opts.StopTimeout > 0 {
		timeout = r.env.opts.StopTimeout
	}
	if timeoutSeconds != nil {
		timeout = r.env.scaledSeconds(int(*timeoutSeconds))
	}
	if err := r.driver.Stop(r.env.task, sid, timeout); err != nil {
		r.env.Log(ha.LevelErr, "stopping "+sid+": "+err.Error())
	}
}
