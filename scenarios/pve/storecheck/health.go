package storecheck

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

const (
	// diskReturnMax is how long a store may take to serve again after a disk error.
	diskReturnMax = 15 * time.Second
	// badLoss is the packet loss of a machine's link from which its ring is considered unstable: a token
	// that passes the link some hundred times a second is lost, with its retransmissions, every few
	// seconds.
	badLoss = fault.Always / 20
)

// HealthModel returns when a machine can serve. Processes that are watched are the caller's to add.
//
// A machine is late when its link adds half of what Totem waits for the others' joins before it sends its own
// again (corosync.conf(5), join): a join and the answer to it take longer than that, so the answer comes into
// the next gathering, and the machine may take long to come back.
func (c *Cluster) HealthModel(ts timescale.Ratio) check.HealthModel {
	return check.HealthModel{Votes: c.Votes, ExpectedVotes: c.ExpectedVotes,
		MemberProcess: cpg.Process, ServingProcess: store.Process, LateAfter: ts.Of(c.JoinInterval) / 2,
		LossMax: badLoss, Relays: c.Relays, DiskReturns: ts.Of(diskReturnMax)}
}
