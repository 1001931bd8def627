package evs

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// Rule names a broken rule.
type Rule string

const (
	// Monotonic: a node installs rings of increasing sequence, over restarts too.
	Monotonic Rule = "ring-sequence-monotonic"
	// OneMembership: all nodes that install a ring agree on its members, and on which of them moved
	// together.
	OneMembership Rule = "one-membership"
	// Sequence: configurations alternate between regular and transitional.
	Sequence Rule = "configuration-sequence"
	// RightConfiguration: a message is delivered in its own ring or the transitional
	// configuration that closes it.
	RightConfiguration Rule = "right-configuration"
	// TotalOrder: a place in a ring's order names the same message everywhere, places only
	// grow, and in a regular configuration none is left out.
	TotalOrder Rule = "total-order"
	// NoDuplicates: no node delivers a message twice.
	NoDuplicates Rule = "no-duplicates"
	// Integrity: every delivered message was sent, by the node that the delivery names.
	Integrity Rule = "integrity"
	// SelfDelivery: a node that installs the next ring has delivered all messages that it sent.
	SelfDelivery Rule = "self-delivery"
	// Causal: a node that delivers a message has delivered all messages that its sender had delivered
	// before sending it.
	Causal Rule = "causal"
	// VirtualSynchrony: nodes that move together deliver the same messages in the ring they leave.
	VirtualSynchrony Rule = "virtual-synchrony"
	// Safe: a message that one node delivers as safe, every member delivers unless it crashes.
	Safe Rule = "safe"
)

// Violation is one broken rule, at a node and a ring.
type Violation struct {
	Rule Rule
	Node ring.NodeID
	Ring ring.ID
	Text string
}

// Error implements error.
func (v Violation) Error() string {
	return fmt.Sprintf("%s: node %d, ring %v: %s", v.Rule, v.Node, v.Ring, v.Text)
}

// MaxViolations bounds the violations that are kept; more are only counted.
const MaxViolations = 100

// Checker checks one run.
type Checker struct {
	nodes      map[ring.NodeID]*node
	rings      map[ringKey]*ringState
	order      []*ringState // as first seen, for Finish
	violations []Violation
	dropped    int
	partial    bool
}

// ringKey identifies a ring, also when its representative has used the same id again after a wipe of its
// disk.
type ringKey struct {
	id   ring.ID
	wipe int // how often the representative's disk had been wiped
}

// node is what is known of one node.
type node struct {
	id          ring.NodeID
	wipes       int
	highest     uint64     // highest ring sequence installed since the last wipe
	ring        *ringState // nil before the first
	stay        *stay      // in that ring
	highestRing ring.ID
}

// stay is what one node has done in one ring.
type stay struct {
	transitional  []ring.NodeID // nil in the regular configuration
	prefix        uint64        // messages 1 to here were delivered
	regular       uint64        // messages 1 to here were delivered in the regular configuration
	after         []uint64      // messages delivered in the transitional configuration, ascending
	last          uint64
	sent, ownSeen int
	departed      bool // installed another ring, as opposed to crashed
}

// hasDelivered reports whether the node delivered a message in this stay.
func (s *stay) hasDelivered(ordinal uint64) bool {
	if ordinal <= s.regular {
		return true
	}
	_, ok := slices.BinarySearch(s.after, ordinal)
	return ok
}

// message is what is known of one message of a ring.
type message struct {
	known     bool // from Sent or the first Delivered
	sent      bool
	delivered bool
	from      ring.NodeID
	digest    uint64
	guarantee cpg.Guarantee
	after     uint64 // with sent: the sender had delivered messages 1 to here when it sent this one
}

// ringState is what is known of one ring.
type ringState struct {
	key      ringKey
	members  []ring.NodeID
	messages []message // by ordinal-1
	sparse   map[uint64]*message
	stays    []*stay // by member, nil when not installed
	promises []promise
	moves    []move // groups that came into this ring together
}

// promise is a safe delivery and the nodes that must deliver the message too.
type promise struct {
	ordinal uint64
	by      ring.NodeID
	binds   []ring.NodeID
}

// move is a group of nodes that came together from one old ring.
type move struct {
	old     *ringState
	members []ring.NodeID
	first   ring.NodeID
	stay    *stay
}

// New returns a checker that has observed no record.
func New() *Checker {
	return &Checker{nodes: map[ring.NodeID]*node{}, rings: map[ringKey]*ringState{}}
}

// AllowMissingTail makes the checker accept that a killed process may have lost its last records, as real
// processes do. A delivered message without a record of its sending is then a violation only if the
// sender is known to have installed another ring.
func (c *Checker) AllowMissingTail() { c.partial = true }

// Violations returns the violations found so far.
func (c *Checker) Violations() []Violation { return c.violations }

// Dropped returns the number of violations beyond MaxViolations.
func (c *Checker) Dropped() int { return c.dropped }

// report keeps a violation.
func (c *Checker) report(rule Rule, n ring.NodeID, id ring.ID, format string, args ...any) {
	if len(c.violations) >= MaxViolations {
		c.dropped++
		return
	}
	text := fmt.Sprintf(format, args...)
	c.violations = append(c.violations, Violation{Rule: rule, Node: n, Ring: id, Text: text})
}

// Observe takes the next record of a machine. Records of one machine must come in their order. The
// interleaving of machines does not matter, except that a Started record with Fresh must come before the
// records of later rings. Records of other kinds are ignored.
func (c *Checker) Observe(_ env.MachineID, r env.Record) {
	switch r := r.(type) {
	case totem.Started:
		c.started(r)
	case totem.Membership:
		n := c.node(r.Node)
		if r.Kind == cpg.Transitional {
			c.transitional(n, r)
		} else {
			c.regular(n, r)
		}
	case totem.Sent:
		c.sent(c.node(r.Node), r)
	case totem.Delivered:
		c.delivered(c.node(r.Node), r)
	}
}

func (c *Checker) node(id ring.NodeID) *node {
	n := c.nodes[id]
	if n == nil {
		n = &node{id: id}
		c.nodes[id] = n
	}
	return n
}

func (c *Checker) started(r totem.Started) {
	n := c.node(r.Node)
	n.ring, n.stay = nil, nil
	if r.Fresh {
		n.wipes++
		n.highest, n.highestRing = 0, ring.ID{}
		return
	}
	if r.RingSeq < n.highest {
		c.report(Monotonic, n.id, n.highestRing, "restarted with sequence %d after installing %d",
			r.RingSeq, n.highest)
	}
}

func (c *Checker) transitional(n *node, r totem.Membership) {
	switch {
	case n.ring == nil || n.ring.key.id != r.Ring:
		c.report(Sequence, n.id, r.Ring, "transitional configuration of a ring that the node is not in")
		return
	case n.stay.transitional != nil:
		c.report(Sequence, n.id, r.Ring, "second transitional configuration")
		return
	}
	n.stay.transitional = slices.Clone(r.Members)
	if !slices.Contains(r.Members, n.id) {
		c.report(OneMembership, n.id, r.Ring, "not in its own transitional configuration %v", r.Members)
	}
	for _, m := range r.Members {
		if !slices.Contains(n.ring.members, m) {
			c.report(OneMembership, n.id, r.Ring, "transitional member %d was not in the ring", m)
		}
	}
}

// ringFor returns the state of a ring that a node installs, a new one if no node has installed it yet.
func (c *Checker) ringFor(n *node, id ring.ID, members []ring.NodeID) *ringState {
	key := ringKey{id: id, wipe: c.node(id.Rep).wipes}
	rs := c.rings[key]
	// A member may complete a ring just after its representative was wiped and restarted.
	if rs == nil && n.id != id.Rep && key.wipe > 0 {
		rs = c.rings[ringKey{id: id, wipe: key.wipe - 1}]
	}
	if rs == nil {
		rs = &ringState{key: key, members: slices.Clone(members), stays: make([]*stay, len(members))}
		c.rings[key] = rs
		c.order = append(c.order, rs)
	}
	return rs
}

func (c *Checker) regular(n *node, r totem.Membership) {
	if r.Ring.Seq <= n.highest {
		c.report(Monotonic, n.id, r.Ring, "installed after sequence %d", n.highest)
	}
	n.highest, n.highestRing = max(n.highest, r.Ring.Seq), r.Ring
	rs := c.ringFor(n, r.Ring, r.Members)
	at := slices.Index(rs.members, n.id)
	if !slices.Equal(rs.members, r.Members) || at < 0 || r.Members[0] != r.Ring.Rep {
		c.report(OneMembership, n.id, r.Ring, "members %v, but by other nodes or by its own id %v",
			r.Members, rs.members)
	}
	if n.ring != nil {
		c.checkDeparture(n, rs)
	}
	n.ring, n.stay = rs, &stay{}
	if at >= 0 {
		rs.stays[at] = n.stay
	}
}
