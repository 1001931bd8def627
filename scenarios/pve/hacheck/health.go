package hacheck

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
)

// How long a machine may take to recover from faults. DESIGN.md of scenarios/pve explains these numbers.
const (
	// settleTime is how long a machine may take from the end of its faults until its lock is renewed: a
	// new ring, the store's new epoch, a call that times out, a round.
	settleTime = 32 * time.Second
	// resettleTime replaces settleTime for a settled machine after another machine joined or failed.
	resettleTime = 24 * time.Second
)

// Places in check.HealthModel.Watched of the processes that the checks ask for.
const (
	watchedLRM = iota
	watchedCRM
	watchedHost
	watchedWatchdog
)

// health is the health of the cluster's machines, with its meaning for the HA manager.
type health struct{ *check.Health }

// newHealth derives the health of a run's machines.
func newHealth(c Cluster, r *scenarios.Run, power check.PowerLog) *health {
	store := storecheck.Cluster{Votes: c.Votes, ExpectedVotes: c.ExpectedVotes, JoinInterval: c.JoinInterval,
		Relays: c.Relays}
	model := store.HealthModel(r.Timescale)
	model.Watched = []string{lrmProcess, crmProcess, resource.HostProcess, watchdog.Process}
	return &health{check.NewHealth(r, power, model)}
}

// agentRuns reports whether a machine is healthy in a phase, and what runs services on it.
func agentRuns(p *check.Phase, m env.MachineID) bool {
	off := p.Stopped[m]
	return p.InMajority[m] && !off.Has(watchedLRM) && !off.Has(watchedHost) && !off.Has(watchedWatchdog)
}

// managerRuns reports whether a machine is healthy in a phase, and its CRM can be the master.
func managerRuns(p *check.Phase, m env.MachineID) bool {
	off := p.Stopped[m]
	return p.InMajority[m] && !off.Has(watchedCRM) && !off.Has(watchedWatchdog)
}

// anyManagerRuns reports whether some machine could be the master in a phase.
func anyManagerRuns(p *check.Phase) bool {
	for m := range p.InMajority {
		if managerRuns(p, env.MachineID(m)) {
			return true
		}
	}
	return false
}

// settled is check.Health.Settled with the HA manager's times, and the delay of a ring with longer timers.
func (h *health) settled(e *Evidence, span check.Span, holds func(*check.Phase) bool) (time.Duration, bool) {
	return h.Settled(span, e.scaledTime(settleTime+e.RingDelay), e.scaledTime(resettleTime+e.RingDelay),
		holds)
}

// ExcusedTimeOf measures for how much of a run the checks excuse machines.
func ExcusedTimeOf(c Cluster, r *scenarios.Run) check.ExcusedTime {
	var power check.PowerLog
	for _, record := range r.Records {
		power.Observe(record)
	}
	return newHealth(c, r, power).ExcusedTime()
}
