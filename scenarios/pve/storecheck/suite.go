package storecheck

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Cluster is what the checks must know of a cluster.
type Cluster struct {
	Machines []string      // their names, by id
	Nodes    []ring.NodeID // by machine
	Votes    []uint32      // by machine
	// ExpectedVotes is what votequorum expects, at least the sum of the votes.
	ExpectedVotes uint32
	// JoinInterval is what Totem waits between two joins of a node (corosync.conf(5), join).
	JoinInterval time.Duration
	// Relays means that nodes whose link does not work reach each other over a third one.
	Relays bool
	// Token is after how long a ring misses its token, Consensus how long its members wait for silent ones
	// before they agree without them (corosync.conf(5), token and consensus).
	Token, Consensus time.Duration
	// Watches means that clients watch paths.
	Watches bool
	// LogKeep is how many changes each store keeps in its log at least; 0 stands for more than checks need.
	LogKeep uint64
	// Others reports whether an operation in the clients' history is no request to the store.
	Others func(operation string) bool
}

// machineOf returns the id of a node's machine; false when the cluster has no such node.
func (c *Cluster) machineOf(id ring.NodeID) (int, bool) {
	m := slices.Index(c.Nodes, id)
	return max(m, 0), m >= 0
}

// Evidence is what the checks share when the run has finished.
type Evidence struct {
	Run *scenarios.Run
	Log *Log
	// Incomplete means that records of machines that lost power may be missing: real nodes lose the last
	// ones, the simulator never does.
	Incomplete bool
}

// Check is a check of the store.
type Check = check.Check[*Evidence]

// Suite is a watch of checks with the log that they share.
type Suite struct {
	*check.Watch[*Evidence]
	Log *Log
}

// New makes the suite of all checks.
func New(c Cluster) *Suite {
	checks := []Check{checkHistory{c}, NewEpochs(c), NewQuorum(c), newMembership(c), newRecoveryCheck(c),
		checkTrees{c}, checkGuests{c}, NewLeaves(c), NewLosses(c), NewAvailability(c), NewRingVotes(c)}
	if c.Watches {
		checks = append(checks, NewWatches(c))
	}
	return With(c, checks...)
}

// With makes a suite of some checks.
func With(c Cluster, checks ...Check) *Suite {
	log := newLog(c)
	gather := func(r *scenarios.Run) *Evidence {
		return &Evidence{Run: r, Log: log, Incomplete: r.Backend != simulated}
	}
	return &Suite{Watch: check.NewWatch(gather, checks...).Also(log), Log: log}
}

// simulated is the backend in which no record is ever lost.
const simulated = "sim"
