package corosync

import (
	"fmt"
	"math"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// validateQuorum applies the rules of votequorum(5) about which options go together. What Corosync
// refuses at its start is an error; what it switches off by itself is a warning.
func (c *Config) validateQuorum(f *findings) {
	q := &c.Quorum
	switch {
	case q.Provider == "" && !q.hasKey("provider"):
		f.addWarning(q.sectionLine, "add \"provider: corosync_votequorum\" to section quorum",
			"quorum.provider is missing; this engine always uses corosync_votequorum")
	case q.Provider != "" && q.Provider != "corosync_votequorum":
		f.addError(q.lineOf("provider"), "write \"provider: corosync_votequorum\"",
			"quorum.provider %q is unknown", q.Provider)
	}
	if q.ExpectedVotes.Set && q.ExpectedVotes.Value == 0 {
		f.addStricter(q.lineOf("expected_votes"), "delete the line; the votes of the nodelist are added up",
			"quorum.expected_votes is 0")
	} else if ev := q.ExpectedVotes.Or(math.MaxUint32); ev < c.NodeVotes() {
		f.addWarning(q.lineOf("expected_votes"), "delete the line; the votes of the nodelist are added up",
			"quorum.expected_votes is %d, but the nodes have %d votes", ev, c.NodeVotes())
	}
	if q.ExpectedVotes.Set && c.expectedFromNodes() {
		f.addWarning(q.lineOf("expected_votes"), "delete the line, or delete the option that replaces it",
			"quorum.expected_votes has no effect: expected_votes_tracking and allow_downscale begin with "+
				"the %d votes of the nodelist", c.NodeVotes())
	}
	if q.TwoNode.Value && len(c.Nodes) > 2 {
		f.addWarning(q.lineOf("two_node"), "delete the line",
			"quorum.two_node is set in a cluster of %d nodes; Corosync keeps it in force, so every node "+
				"that sees at most one other is quorate by itself", len(c.Nodes))
	}
	if q.TwoNode.Value && q.AutoTieBreaker.Value {
		f.addWarning(q.lineOf("two_node"), "choose one of them",
			"quorum.two_node is switched off because auto_tie_breaker is set")
	}
	if q.TwoNode.Value && q.WaitForAll.Set && !q.WaitForAll.Value {
		f.addWarning(q.lineOf("wait_for_all"), "write \"wait_for_all: 1\" or delete the line",
			"quorum.two_node without wait_for_all lets both nodes start alone and be quorate at once")
	}
	if q.LastManStanding.Value {
		c.validateLMS(f)
	}
	c.validateTieBreaker(f)
}

// addVotequorum adds an error that votequorum ends with. Corosync starts it only if the file names it as
// provider; this engine always uses it.
func (c *Config) addVotequorum(f *findings, line int, remedy, format string, args ...any) {
	f.addRefusal(line, c.Quorum.Provider == "", remedy, format, args...)
}

// validateLMS checks last_man_standing.
func (c *Config) validateLMS(f *findings) {
	q := &c.Quorum
	for _, n := range c.Nodes {
		if n.Votes() > 1 {
			f.addWarning(n.lineOf("quorum_votes"), "write \"quorum_votes: 1\" for every node",
				"quorum.last_man_standing is switched off because node %s has %d votes", n.label(), n.Votes())
			break
		}
	}
	if q.LMSWindowMs.Value > 0 && q.LMSWindowMs.Value < uint32(minTimeout.Milliseconds()) {
		f.addStricter(q.lineOf("last_man_standing_window"), "write \"last_man_standing_window: 10000\"",
			"quorum.last_man_standing_window is %d ms, less than the minimum of %d ms",
			q.LMSWindowMs.Value, minTimeout.Milliseconds())
	}
}

// validateTieBreaker checks auto_tie_breaker.
func (c *Config) validateTieBreaker(f *findings) {
	q := &c.Quorum
	if !q.AutoTieBreaker.Value {
		if q.AutoTieBreakerNode != "" {
			f.addWarning(q.lineOf("auto_tie_breaker_node"), "add \"auto_tie_breaker: 1\" or delete the line",
				"quorum.auto_tie_breaker_node has no effect without auto_tie_breaker")
		}
		return
	}
	if _, ids, ok := ParseTieBreakerNode(q.AutoTieBreakerNode); !ok {
		f.addStricter(q.lineOf("auto_tie_breaker_node"),
			"write lowest, highest, or node ids with spaces between",
			"quorum.auto_tie_breaker_node %q is not valid", q.AutoTieBreakerNode)
	} else {
		for _, id := range ids {
			if _, known := c.Node(id); !known {
				f.addStricter(q.lineOf("auto_tie_breaker_node"), "write ids of the nodelist",
					"quorum.auto_tie_breaker_node: there is no node %d", id)
			}
		}
	}
	if c.tieBreakerOff() {
		if q.LastManStanding.Value {
			c.addVotequorum(f, q.lineOf("auto_tie_breaker"),
				"add \"wait_for_all: 1\", and better drop last_man_standing",
				"quorum.auto_tie_breaker and last_man_standing together need wait_for_all in a cluster with "+
					"an odd number of votes")
			return
		}
		f.addWarning(q.lineOf("auto_tie_breaker"), "add \"wait_for_all: 1\"",
			"quorum.auto_tie_breaker is switched off: with an odd number of votes it needs wait_for_all")
	}
}

// tieBreakerOff reports whether Corosync switches auto_tie_breaker off: with an odd number of votes it needs
// wait_for_all.
func (c *Config) tieBreakerOff() bool { return c.NodeVotes()%2 == 1 && !c.waitForAll() }

// waitForAll returns the option in force: as written, otherwise as two_node implies it.
func (c *Config) waitForAll() bool {
	return c.Quorum.WaitForAll.Or(c.Quorum.TwoNode.Value)
}

// TieBreakerSide is the side that stays quorate in a tie, see auto_tie_breaker_node in votequorum(5).
type TieBreakerSide uint8

const (
	// SideOfLowest is the side with the lowest node id, the default.
	SideOfLowest TieBreakerSide = iota
	// SideOfHighest is the side with the highest node id.
	SideOfHighest
	// SideOfFirstListed is the side with the first node of a list.
	SideOfFirstListed
)

// ParseTieBreakerNode reads quorum.auto_tie_breaker_node: "lowest" (also for an empty value),
// "highest", or a list of node ids in order of preference, which it returns. ok is false when the
// value is none of them.
func ParseTieBreakerNode(value string) (side TieBreakerSide, ids []ring.NodeID, ok bool) {
	switch value {
	case "", "lowest":
		return SideOfLowest, nil, true
	case "highest":
		return SideOfHighest, nil, true
	}
	for field := range strings.FieldsSeq(value) {
		n, what := parseNumber(field, 1, math.MaxUint32)
		if what != "" || len(ids) >= MaxNodes {
			return 0, nil, false
		}
		ids = append(ids, ring.NodeID(n))
	}
	return SideOfFirstListed, ids, len(ids) > 0
}

// validateDevice applies the rules about the quorum device, see corosync-qdevice(8).
func (c *Config) validateDevice(f *findings) {
	q, d := &c.Quorum, c.Quorum.Device
	if d == nil {
		return
	}
	if d.Model == "" && !d.hasKey("model") {
		f.addStricter(d.sectionLine, "add \"model: net\" or delete the section",
			"quorum.device has no model and is not used")
		return
	}
	for _, clash := range []struct {
		key string
		on  bool
	}{
		{"two_node", q.TwoNode.Value},
		{"last_man_standing", q.LastManStanding.Value},
		{"auto_tie_breaker", q.AutoTieBreaker.Value && !c.tieBreakerOff()},
		{"allow_downscale", q.AllowDownscale.Value},
	} {
		if clash.on {
			c.addVotequorum(f, q.lineOf(clash.key), fmt.Sprintf("delete %s or the device", clash.key),
				"quorum.%s and a quorum device cannot be used together", clash.key)
		}
	}
	c.validateDeviceVotes(f)
	for _, t := range []struct {
		key string
		ms  Opt[uint32]
	}{{"timeout", d.TimeoutMs}, {"sync_timeout", d.SyncTimeoutMs}} {
		if t.ms.Set && t.ms.Value < minDeviceTimeoutMs {
			f.addStricter(d.lineOf(t.key), "delete the line or write at least 1000",
				"quorum.device.%s is %d ms, less than %d ms", t.key, t.ms.Value, minDeviceTimeoutMs)
		}
	}
	c.validateDeviceNet(f)
}

// minDeviceTimeoutMs is the shortest timeout from which useful heartbeats can be derived.
const minDeviceTimeoutMs = 100

// validateDeviceVotes checks the votes of the device.
func (c *Config) validateDeviceVotes(f *findings) {
	q, d := &c.Quorum, c.Quorum.Device
	if d.VoteCount.Set {
		if q.ExpectedVotes.Set && q.ExpectedVotes.Value > 0 &&
			uint64(q.ExpectedVotes.Value) < uint64(d.VoteCount.Value)+2 {
			c.addVotequorum(f, d.lineOf("votes"), "lower the device's votes or delete quorum.expected_votes",
				"quorum.device.votes is %d with quorum.expected_votes %d; the nodes need at least 2",
				d.VoteCount.Value, q.ExpectedVotes.Value)
		}
		return
	}
	if d.hasKey("votes") {
		return
	}
	if q.ExpectedVotes.Set {
		c.addVotequorum(f, d.sectionLine,
			"add \"votes: N\" to section device, or delete quorum.expected_votes",
			"quorum.device.votes is needed when quorum.expected_votes is given")
	}
	if c.NodeVotes() != uint32(len(c.Nodes)) {
		c.addVotequorum(f, d.sectionLine, "add \"votes: N\" to section device",
			"quorum.device.votes is needed when not every node has one vote")
	}
}

// validateDeviceNet checks the section quorum.device.net.
func (c *Config) validateDeviceNet(f *findings) {
	d := c.Quorum.Device
	n := d.Net
	if n == nil {
		if d.Model == "net" {
			f.addStricter(d.sectionLine, "add \"net {\" with host and algorithm",
				"quorum.device has no section net")
		}
		return
	}
	if n.Host == "" && !n.hasKey("host") {
		f.addStricter(n.sectionLine, "add \"host: ADDRESS\" of the arbiter", "quorum.device.net has no host")
	} else if what, remedy := checkAddress(n.Host); n.Host != "" && what != "" {
		f.addStricter(n.lineOf("host"), remedy, "quorum.device.net.host %q %s", n.Host, what)
	}
	ffsplit := n.Algorithm == "ffsplit" || n.Algorithm == "" && !n.hasKey("algorithm")
	if ffsplit && (!d.VoteCount.Set || d.VoteCount.Value != 1) {
		f.addWarning(d.lineOf("votes"), "write \"votes: 1\" in section device",
			"with algorithm ffsplit, corosync-qdevice starts only if quorum.device.votes is written as 1")
	}
	if n.TieBreaker != "" && n.TieBreaker != "lowest" && n.TieBreaker != "highest" {
		id, what := parseNumber(n.TieBreaker, 1, math.MaxUint32)
		if _, known := c.Node(ring.NodeID(id)); what != "" || !known {
			f.addStricter(n.lineOf("tie_breaker"), "write lowest, highest or a node id of the nodelist",
				"quorum.device.net.tie_breaker %q names no node", n.TieBreaker)
		}
	}
}
