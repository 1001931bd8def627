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
	nodes             map[ring.NodeID]*node
	rings             map[ringKey]*ringState
	ringsInOrder      []*ringState // as first seen, for Finish
	violations        []Violation
	droppedCount      int
	allowsMissingTail bool
}

// ringKey identifies a ring, also when its representative has used the same id again after a wipe of its
// disk.
type ringKey struct {
	ringID    ring.ID
	wipeCount int // how often the representative's disk had been wiped
}

// node is what is known of one node.
type node struct {
	id             ring.NodeID
	wipeCount      int
	highestRingSeq uint64     // highest ring sequence installed since the last wipe
	currentRing    *ringState // nil before the first
	currentStay    *ringStay  // in that ring
	highestRing    ring.ID
}

// ringStay is what one node has done in one ring.
type ringStay struct {
	transitional            []ring.NodeID // nil in the regular configuration
	deliveredUpTo           uint64        // messages 1 to here were delivered
	regularUpTo             uint64        // messages 1 to here were delivered in the regular configuration
	transitionalDeliveries  []uint64      // messages delivered in the transitional configuration, ascending
	lastDelivered           uint64
	sentCount, ownDelivered int
	leftForOtherRing        bool // installed another ring, as opposed to crashed
}

// hasDelivered reports whether the node delivered a message in this stay.
func (s *ringStay) hasDelivered(ordinal uint64) bool {
	if ordinal <= s.regularUpTo {
		return true
	}
	_, ok := slices.BinarySearch(s.transitionalDeliveries, ordinal)
	return ok
}

// message is what is known of one message of a ring.
type message struct {
	isKnown            bool // from Sent or the first Delivered
	wasSent            bool
	wasDelivered       bool
	sender             ring.NodeID
	digest             uint64
	guarantee          cpg.Guarantee
	senderHadDelivered uint64 // with sent: the sender had delivered messages 1 to here when it sent this one
}

// ringState is what is known of one ring.
type ringState struct {
	key          ringKey
	members      []ring.NodeID
	messages     []message // by ordinal-1
	outOfOrder   map[uint64]*message
	stayByMember []*ringStay // by member, nil when not installed
	promises     []safePromise
	jointMoves   []jointMove // groups that came into this ring together
}

// safePromise is a safe delivery and the nodes that must deliver the message too.
type safePromise struct {
	ordinal      uint64
	promisedBy   ring.NodeID
	boundMembers []ring.NodeID
}

// jointMove is a group of nodes that came together from one old ring.
type jointMove struct {
	oldRing     *ringState
	members     []ring.NodeID
	firstMember ring.NodeID
	firstStay   *ringStay
}

// New returns a checker that has observed no record.
func New() *Checker {
	return &Checker{nodes: map[ring.NodeID]*node{}, rings: map[ringKey]*ringState{}}
}

// AllowMissingTail makes the checker accept that a killed process may have lost its last records, as real
// processes do. A delivered message without a record of its sending is then a violation only if the
// sender is known to have installed another ring.
func (c *Checker) AllowMissingTail() { c.allowsMissingTail = true }

// Violations returns the violations found so far.
func (c *Checker) Violations() []Violation { return c.violations }

// Dropped returns the number of violations beyond MaxViolations.
func (c *Checker) Dropped() int { return c.droppedCount }

// addViolation keeps a violation.
func (c *Checker) addViolation(rule Rule, n ring.NodeID, id ring.ID, format string, args ...any) {
	if len(c.violations) >= MaxViolations {
		c.droppedCount++
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
		c.onStarted(r)
	case totem.Membership:
		n := c.node(r.Node)
		if r.Kind == cpg.Transitional {
			c.onTransitional(n, r)
		} else {
			c.onRegular(n, r)
		}
	case totem.Sent:
		c.onSent(c.node(r.Node), r)
	case totem.Delivered:
		c.onDelivered(c.node(r.Node), r)
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

func (c *Checker) onStarted(r totem.Started) {
	n := c.node(r.Node)
	n.currentRing, n.currentStay = nil, nil
	if r.Fresh {
		n.wipeCount++
		n.highestRingSeq, n.highestRing = 0, ring.ID{}
		return
	}
	if r.RingSeq < n.highestRingSeq {
		c.addViolation(Monotonic, n.id, n.highestRing, "restarted with sequence %d after installing %d",
			r.RingSeq, n.highestRingSeq)
	}
}

func (c *Checker) onTransitional(n *node, r totem.Membership) {
	switch {
	case n.currentRing == nil || n.currentRing.key.ringID != r.Ring:
		c.addViolation(Sequence, n.id, r.Ring, "transitional configuration of a ring that the node is not in")
		return
	case n.currentStay.transitional != nil:
		c.addViolation(Sequence, n.id, r.Ring, "second transitional configuration")
		return
	}
	n.currentStay.transitional = slices.Clone(r.Members)
	if !slices.Contains(r.Members, n.id) {
		c.addViolation(OneMembership, n.id, r.Ring, "not in its own transitional configuration %v", r.Members)
	}
	for _, m := range r.Members {
		if !slices.Contains(n.currentRing.members, m) {
			c.addViolation(OneMembership, n.id, r.Ring, "transitional member %d was not in the ring", m)
		}
	}
}

// ringFor returns the state of a ring that a node installs, a new one if no node has installed it yet.
func (c *Checker) ringFor(n *node, id ring.ID, members []ring.NodeID) *ringState {
	key := ringKey{ringID: id, wipeCount: c.node(id.Rep).wipeCount}
	rs := c.rings[key]
	// A member may complete a ring just after its representative was wiped and restarted.
	if rs == nil && n.id != id.Rep && key.wipeCount > 0 {
		rs = c.rings[ringKey{ringID: id, wipeCount: key.wipeCount - 1}]
	}
	if rs == nil {
		rs = &ringState{key: key, members: slices.Clone(members),
			stayByMember: make([]*ringStay, len(members))}
		c.rings[key] = rs
		c.ringsInOrder = append(c.ringsInOrder, rs)
	}
	return rs
}

func (c *Checker) onRegular(n *node, r totem.Membership) {
	if r.Ring.Seq <= n.highestRingSeq {
		c.addViolation(Monotonic, n.id, r.Ring, "installed after sequence %d", n.highestRingSeq)
	}
	n.highestRingSeq, n.highestRing = max(n.highestRingSeq, r.Ring.Seq), r.Ring
	rs := c.ringFor(n, r.Ring, r.Members)
	at := slices.Index(rs.members, n.id)
	if !slices.Equal(rs.members, r.Members) || at < 0 || r.Members[0] != r.Ring.Rep {
		c.addViolation(OneMembership, n.id, r.Ring, "members %v, but by other nodes or by its own id %v",
			r.Members, rs.members)
	}
	if n.currentRing != nil {
		c.checkDeparture(n, rs)
	}
	n.currentRing, n.currentStay = rs, &ringStay{}
	if at >= 0 {
		rs.stayByMember[at] = n.currentStay
	}
}
