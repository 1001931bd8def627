package haproc

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/manager"
)

// CRM is the process of a node that may become the cluster's master. It implements env.Process.
type CRM struct {
	opts Options
	core core
	last ha.CRMState
}

// NewCRM prepares the process.
func NewCRM(o Options) *CRM { return &CRM{opts: o} }

// Start implements env.Process.
func (p *CRM) Start(e env.Env) error {
	if err := p.core.start(e, p.opts); err != nil {
		return err
	}
	p.core.tasks.Go(p.run)
	return nil
}

// Step implements env.Process.
func (p *CRM) Step(ev env.Event) { p.core.step(ev) }

// run makes rounds until the manager is done.
func (p *CRM) run(t *env.Task) {
	p.core.awaitStore(t)
	w := &crmEnv{storeEnv: newStoreEnv(&p.core, t), lastSeen: map[string]time.Duration{}, fenceTold: map[string]string{}}
	w.fencer = fence.New(p.core.env, p.core.tasks, fence.Options{Scale: p.opts.Timescale.Of, Changed: p.core.wake.Raise})
	crm := manager.NewCRM(w)
	p.tell(crm)
	for heard := false; ; {
		begun := p.core.env.Mono()
		if !heard && p.core.order != nil {
			heard = true
			crm.RequestShutdown()
		}
		round := crm.Round()
		p.tell(crm)
		if round.Exit {
			p.core.exit()
			return
		}
		// What has become of a fencing is worth a round of its own.
		p.core.pause(t, begun+p.core.seconds(round.PauseSeconds)-p.core.env.Mono(), heard)
	}
}

func (p *CRM) tell(crm *manager.CRM) {
	if s := crm.State(); s != p.last {
		p.last = s
		p.core.env.Emit(CRMStateChange{State: s})
	}
}

// crmEnv adds what concerns the manager's lock
// and fencing.
type crmEnv struct {
	*storeEnv
	fencer *fence.Fencer
	// lastSeen is when a node was in the ring last, fenceTold what was said of its devices last.
	lastSeen  map[string]time.Duration
	fenceTold map[string]string
}

// OpenWatchdog implements ha.Env.
func (w *crmEnv) OpenWatchdog() (ha.Watchdog, error) { return w.openWatchdog(ManagerLock) }

// ReadServiceConfig implements ha.CRMEnv: what the master gets is its own.
func (w *crmEnv) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	services, err := w.storeEnv.ReadServiceConfig()
	return cloneServices(services), err
}

// AcquireManagerLock implements ha.CRMEnv.
func (w *storeEnv) AcquireManagerLock() bool { return w.acquire(ManagerLock) }

// ReleaseManagerLock implements ha.CRMEnv.
func (w *storeEnv) ReleaseManagerLock() bool { return w.locks.Release(w.task, ManagerLock) }

// OpenWatchdog implements ha.Env.
func (w *storeEnv) OpenWatchdog() (ha.Watchdog, error) { return w.openWatchdog(AgentLock(w.opts.Node)) }

// Notify implements ha.CRMEnv.
func (w *storeEnv) Notify(n ha.FenceNotice) {
	w.env.Emit(FenceStep{Node: n.Node, Step: n.Step, Subject: n.Subject})
}
