package quorum

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrConfig is wrapped by every error about a configuration that cannot be used.
var ErrConfig = errors.New("quorum configuration")

// TieBreaker is the rule for a tie, when exactly half of the votes is present.
type TieBreaker uint8

const (
	TieNone    TieBreaker = iota // auto_tie_breaker is off
	TieLowest                    // the side with the lowest node id of the last quorate ring
	TieHighest                   // the side with the highest
	TieList                      // the side with the first of a list of nodes
)

// Config is what a node's corosync.conf configures about quorum.
type Config struct {
	Self          ring.NodeID
	Votes         uint32 // of this node
	ExpectedVotes uint32 // of the whole cluster, the device included
	ExpectedGiven bool   // written in the file, not the sum of the votes
	NodeVotes     uint32 // sum over the nodelist, without the device
	Nodes         int    // in the nodelist

	TwoNode               bool
	WaitForAll            bool
	WaitForAllGiven       bool // written in the file, not implied by TwoNode
	LastManStanding       bool
	LastManStandingWindow time.Duration
	TieBreaker            TieBreaker
	TieBreakerList        []ring.NodeID // for TieList, in order of preference
	AllowDownscale        bool
	TrackExpected         bool   // expected_votes_tracking; AllowDownscale implies it
	TrackedExpected       uint32 // what was persisted last, 0 if nothing

	Device            bool // a quorum device is configured
	DeviceVotes       uint32
	DeviceTimeout     time.Duration // silence after which the device's vote is gone
	DeviceSyncTimeout time.Duration // longest wait for the device in a sync
}

// FromCorosync returns the quorum configuration of one of the nodes of a file. t comes from
// corosync.Derive, scaled if the run is. It fails with ErrConfig.
func FromCorosync(c *corosync.Config, t corosync.Timers, self ring.NodeID) (Config, error) {
	node, ok := c.Node(self)
	if !ok {
		return Config{}, fmt.Errorf("%w: node %d is not in the nodelist of %s; add it there",
			ErrConfig, self, c.File)
	}
	q := &c.Quorum
	cfg := Config{
		Self:                  self,
		Votes:                 node.Votes(),
		ExpectedVotes:         c.ExpectedVotes(),
		ExpectedGiven:         q.ExpectedVotes.Set,
		NodeVotes:             c.NodeVotes(),
		Nodes:                 len(c.Nodes),
		TwoNode:               q.TwoNode.Value,
		WaitForAll:            q.WaitForAll.Or(q.TwoNode.Value),
		WaitForAllGiven:       q.WaitForAll.Set,
		LastManStanding:       q.LastManStanding.Value,
		LastManStandingWindow: t.LastManStandingWindow,
		AllowDownscale:        q.AllowDownscale.Value,
		TrackExpected:         q.ExpectedVotesTracking.Value || q.AllowDownscale.Value,
		Device:                q.Device != nil && q.Device.Model != "",
		DeviceVotes:           c.DeviceVotes(),
		DeviceTimeout:         t.DeviceTimeout,
		DeviceSyncTimeout:     t.DeviceSyncTimeout,
	}
	if q.AutoTieBreaker.Value {
		side, list, ok := corosync.ParseTieBreakerNode(q.AutoTieBreakerNode)
		if !ok {
			return Config{}, fmt.Errorf("%w: auto_tie_breaker_node %q; write lowest, highest or node ids",
				ErrConfig, q.AutoTieBreakerNode)
		}
		cfg.TieBreakerList = list
		cfg.TieBreaker = map[corosync.TieBreakerSide]TieBreaker{
			corosync.SideOfLowest: TieLowest, corosync.SideOfHighest: TieHighest,
			corosync.SideOfFirstListed: TieList,
		}[side]
	}
	return cfg, cfg.checkCombinations()
}

// Plain returns the configuration without any option and without the device: a majority of the nodes'
// votes is quorate. It keeps expected_votes if that is above the sum of the votes. A lower value is
// replaced by the sum, because it would let two sides be quorate.
func (c Config) Plain() Config {
	expected := c.NodeVotes
	if !c.Device {
		expected = max(expected, c.ExpectedVotes)
	}
	return Config{Self: c.Self, Votes: c.Votes, ExpectedVotes: expected, NodeVotes: c.NodeVotes,
		Nodes: c.Nodes}
}

// checkCombinations refuses the combinations that votequorum refuses when it starts.
func (c Config) checkCombinations() error {
	refuse := func(what string) error { return fmt.Errorf("%w: %s", ErrConfig, what) }
	switch {
	case c.Self == 0:
		return refuse("this node has no id")
	case c.ExpectedVotes == 0:
		return refuse("expected votes are 0; give the nodes votes")
	case c.Votes > maxVotes || c.DeviceVotes > maxVotes || c.ExpectedVotes > maxExpected:
		return refuse("there are too many votes")
	case c.TwoNode && c.Device:
		return refuse("two_node and a quorum device cannot be used together")
	case c.LastManStanding && c.Device:
		return refuse("last_man_standing and a quorum device cannot be used together")
	case c.TieBreaker != TieNone && !c.tieNeedsWaitForAll() && c.Device:
		return refuse("auto_tie_breaker and a quorum device cannot be used together")
	case c.AllowDownscale && c.Device:
		return refuse("allow_downscale and a quorum device cannot be used together")
	case c.tieNeedsWaitForAll() && c.LastManStanding:
		return refuse("auto_tie_breaker and last_man_standing with an odd number of votes need wait_for_all")
	case c.Device && c.ExpectedGiven && c.DeviceVotes > 0 && c.ExpectedVotes < c.DeviceVotes+2:
		return refuse("the quorum device has too many votes for the expected votes")
	case c.TieBreaker == TieList && len(c.TieBreakerList) == 0:
		return refuse("the list of tie-breaker nodes is empty")
	}
	return nil
}

// tieNeedsWaitForAll reports whether auto_tie_breaker lacks the wait_for_all that it needs. With an odd
// number of votes, the half with one vote more can be the side without the tie-breaker, and must not
// become quorate by itself after a restart.
func (c Config) tieNeedsWaitForAll() bool {
	return c.TieBreaker != TieNone && c.NodeVotes%2 == 1 && !c.WaitForAll
}

// lmsNeedsOneVote is logged when a node has more than one vote.
const lmsNeedsOneVote = "Last Man Standing feature is supported only when all cluster nodes votes are " +
	"set to 1. Disabling LMS."

// withoutConflicts applies what votequorum switches off by itself, and logs it. It is called at the start and
// at each reload, and its result is not carried over, so that a cluster which grows from odd to even gets
// its tie-breaker back on all nodes.
func (c Config) withoutConflicts(log func(Level, string, ...any)) Config {
	if c.TwoNode && c.TieBreaker != TieNone {
		log(Crit, "two_node and auto_tie_breaker are both specified but are not compatible.")
		log(Crit, "two_node has been disabled, please fix your corosync.conf")
		c.TwoNode = false
	}
	if c.tieNeedsWaitForAll() {
		log(Crit, "auto_tie_breaker is set and the cluster has an odd number of nodes.")
		log(Crit, "wait_for_all needs to be set for this configuration but it is missing")
		log(Crit, "Therefore auto_tie_breaker has been disabled. Please fix your corosync.conf")
		c.TieBreaker = TieNone
	}
	if c.LastManStanding && c.Votes > 1 {
		log(Warning, lmsNeedsOneVote)
		c.LastManStanding = false
	}
	c.TrackExpected = c.TrackExpected || c.AllowDownscale
	c.TieBreakerList = slices.Clone(c.TieBreakerList)
	return c
}
