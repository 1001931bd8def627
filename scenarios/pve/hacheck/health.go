package hacheck

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// How long a machine may take to recover from faults. DESIGN.md of scenarios/pve explains these numbers.
const (
	// settleTime is how long a machine may take from the end of its faults until its lock is renewed: a
	// new ring, the store's new epoch, a call that times out, a round.
	settleTime = 32 * time.Second
	// resettleTime replaces settleTime for a settled machine after another machine joined or failed.
	resettleTime = 24 * time.Second
	// diskReturnMax is how long a store may take to serve again after a disk error.
	diskReturnMax = 15 * time.Second
	// badLoss is the packet loss of a machine's link from which its ring is considered unstable: a token
	// that passes the link some hundred times a second is lost, with its retransmissions, every few
	// seconds.
	badLoss = fault.Always / 20
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
//
// A machine is late when its link adds half of what Totem waits for the others' joins before it sends its own
// again (corosync.conf(5), join): a join and the answer to it take longer than that, so the answer comes into
// the next gathering, and the machine may take long to come back.
func newHealth(c Cluster, r *scenarios.Run, power check.PowerLog) *health {
	return &health{check.NewHealth(r, power, check.HealthModel{Votes: c.Votes, ExpectedVotes: c.ExpectedVotes,
		MemberProcess: cpg.Process, ServingProcess: store.Process,
		Watched:   []string{lrmProcess, crmProcess, resource.HostProcess, watchdog.Process},
		LateAfter: r.Timescale.Of(c.JoinInterval) / 2, LossMax: badLoss,
		DiskReturns: r.Timescale.Of(diskReturnMax)})}
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
