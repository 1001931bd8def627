package haproc

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/manager"
)

// CRM is the process of a node that can become the cluster's master. It implements env.Process.
type CRM struct {
	opts      Options
	core      core
	lastState ha.CRMState
}

// NewCRM returns the CRM process of a node; [CRM.Start] checks the options.
func NewCRM(o Options) *CRM { return &CRM{opts: o} }

// Start implements env.Process.
func (p *CRM) Start(e env.Env) error {
	if err := p.core.startParts(e, p.opts); err != nil {
		return err
	}
	p.core.tasks.Go(p.run)
	return nil
}

// Step implements env.Process.
func (p *CRM) Step(ev env.Event) { p.core.offerEvent(ev) }

// run waits for the store and makes rounds until the CRM ends.
func (p *CRM) run(t *env.Task) {
	p.core.awaitStore(t)
	crm := manager.NewCRM(newCRMEnv(&p.core, t))
	crm.IdleFactor = p.core.opts.IdleFactor
	p.emitState(crm)
	p.core.runRounds(t, crm.RequestShutdown, func() ha.Round {
		round := crm.Round()
		p.emitState(crm)
		return round
	})
}

// emitState emits the state of the CRM when it has changed.
func (p *CRM) emitState(crm *manager.CRM) {
	if s := crm.State(); s != p.lastState {
		p.lastState = s
		p.core.env.Emit(CRMStateChange{State: s})
	}
}

// crmEnv is the environment of the CRM: a storeEnv with the manager's lock and fencing.
type crmEnv struct {
	*storeEnv
	fencer *fence.Fencer
	// lastSeen is when each node was last in the ring. fenceLogged is the last log text about each
	// node's devices.
	lastSeen    map[string]time.Duration
	fenceLogged map[string]string
}

func newCRMEnv(c *core, t *env.Task) *crmEnv {
	return &crmEnv{
		storeEnv: newStoreEnv(c, t),
		fencer: fence.New(c.env, c.tasks, fence.Options{Scale: c.opts.Timescale.Of,
			Changed: c.wakeForRound.Raise}),
		lastSeen: map[string]time.Duration{}, fenceLogged: map[string]string{},
	}
}

// OpenWatchdog implements ha.Env.
func (w *crmEnv) OpenWatchdog() (ha.Watchdog, error) { return w.openWatchdog(ManagerLock) }

// ReadServiceConfig implements ha.Env. The master gets a copy of its own.
func (w *crmEnv) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	services, err := w.storeEnv.ReadServiceConfig()
	return cloneServices(services), err
}

// Decisions implements ha.DecisionsKnown. A CRM that has not read the settings yet reads them when it can.
func (w *crmEnv) Decisions() ha.Decisions {
	if !w.datacenter.isParsed && w.Quorate() {
		if settings, err := w.ReadDatacenter(); err == nil {
			return settings.Decisions
		}
	}
	if !w.datacenter.isParsed || w.datacenter.err != nil {
		return ha.DecisionsStrict
	}
	return w.datacenter.parsedValue.Decisions
}

// AcquireManagerLock implements ha.CRMEnv.
func (w *storeEnv) AcquireManagerLock() bool { return w.acquireLock(ManagerLock) }

// ReleaseManagerLock implements ha.CRMEnv.
func (w *storeEnv) ReleaseManagerLock() bool { return w.locks.Release(w.task, ManagerLock) }

// OpenWatchdog implements ha.Env.
func (w *storeEnv) OpenWatchdog() (ha.Watchdog, error) { return w.openWatchdog(AgentLock(w.opts.Node)) }

// Notify implements ha.CRMEnv.
func (w *storeEnv) Notify(n ha.FenceNotice) {
	w.env.Emit(FenceStep{Node: n.Node, Step: n.Step, Subject: n.Subject})
}
