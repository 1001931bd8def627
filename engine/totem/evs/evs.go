package evs

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// Rule names what was broken.
type Rule string

const (
	// Monotonic: a node installs rings of ever higher sequence, over restarts too.
	Monotonic Rule = "ring-sequence-monotonic"
	// OneMembership: all who install a ring agree on its members, and on who moved together.
	OneMembership Rule = "one-membership"
	// Sequence: configurations come as regular, transitional, regular.
	Sequence Rule = "configuration-sequence"
	// RightConfiguration: a message is delivered in its own ring or the transitional
	// configuration that closes it.
	RightConfiguration Rule = "right-configuration"
	// TotalOrder: a place in a ring's order names the same message everywhere, places only
	// grow, and in a regular configuration none is left out.
	TotalOrder Rule = "total-order"
	// NoDuplicates: no node delivers a message twice.
	NoDuplicates Rule = "no-duplicates"
	// Integrity: what is delivered was sent, by the node that it is said to come from.
	Integrity Rule = "integrity"
	// SelfDelivery: a node that moves on has delivered all that it sent.
	SelfDelivery Rule = "self-delivery"
	// Causal: whoever delivers a message has delivered what its sender had delivered before.
	Causal Rule = "causal"
	// VirtualSynchrony: nodes that move together delivered the same.
	VirtualSynchrony Rule = "virtual-synchrony"
	// Safe: what one delivered as safe, every member delivers that does not crash.
	Safe Rule = "safe"
)

// Violation is one breach.
type Violation struct {
	Rule Rule
	Node ring.NodeID
	Ring ring.ID
	Text string
}

// Error makes a violation usable as an error.
func (v Violation) Error() string {
	return fmt.Sprintf("%s: node %d, ring %v: %s", v.Rule, v.Node, v.Ring, v.Text)
}

// MaxViolations is how many violations are kept; the rest is only counted.
const MaxViolations = 100

// Checker follows a run.
type Checker struct {
	nodes      map[ring.NodeID]*node
	rings      map[ringKey]*ringState
	order      []*ringState // as first seen, for Finish
	violations []Violation
	dropped    int
	partial    bool
}

// ringKey tells a ring from one of the same name that its representative formed after its disk
// had been wiped.
type ringKey struct {
	id   ring.ID
	wipe int // how often the representative had been wiped
}

type node struct {
	id          ring.NodeID
	wipes       int
	highest     uint64     // highest ring sequence installed since the last wipe
	ring        *ringState // nil before the first
	stay        *stay      // in that ring
	highestRing ring.ID
}

// stay is what one node did in one ring.
type stay struct {
	transitional  []ring.NodeID // nil in the regular configuration
	prefix        uint64        // messages 1 to here were delivered
	regular       uint64        // messages 1 to here were delivered in the regular one
	after         []uint64      // what was delivered in the transitional one, ascending
	last          uint64
	sent, ownSeen int
	departed      bool // moved on to another ring, as opposed to crashed
}

func (s *stay) delivered(ordinal uint64) bool {
	if ordinal <= s.regular {
		return true
	}
	_, ok := slices.BinarySearch(s.after, ordinal)
	return ok
}

type message struct {
	known     bool // from Sent or the first Delivered
	sent      bool
	delivered bool
	from      ring.NodeID
	digest    uint64
	guarantee cpg.Guarantee
	after     uint64 // what its sender had delivered when it sent it, once sent is known
}

type ringState struct {
	key      ringKey
	members  []ring.NodeID
	messages []message // by ordinal-1
	sparse   map[uint64]*message
	stays    []*stay // by member, nil when not installed
	promises []promise
	moves    []move // groups that came into this ring together
}

// promise is a safe delivery: whom it binds.
type promise struct {
	ordinal uint64
	by      ring.NodeID
	binds   []ring.NodeID
}

// move is a group that came from one old ring.
type move struct {
	old     *ringState
	members []ring.NodeID
	first   ring.NodeID
	stay    *stay
}

// New returns a checker that has seen nothing.
func New() *Checker {
	return &Checker{nodes: map[ring.NodeID]*node{}, rings: map[ringKey]*ringState{}}
}

// AllowMissingTail tells the checker that a killed process may have taken its last records
// with it, as real ones do. What was delivered without a record of its sending is then a breach
// only if the sender is known to have moved on from that ring.
func (c *Checker) AllowMissingTail() { c.partial = true }

// Violations returns what was found so far.
func (c *Checker) Violations() []Violation { return c.violations }

// Dropped is how many violations were found beyond MaxViolations.
func (c *Checker) Dropped() int { return c.dropped }

func (c *Checker) breach(rule Rule, n ring.NodeID, id ring.ID, format string, args ...any) {
	if len(c.violations) >= MaxViolations {
		c.dropped++
		return
	}
	text := fmt.Sprintf(format, args...)
	c.violations = append(c.violations, Violation{Rule: rule, Node: n, Ring: id, Text: text})
}

// Observe takes the next record of a machine. Records of one machine must come in their order; how
// machines interleave does not matter except that a Started with Fresh must come before records
// that build on it. Records of other kinds are ignored.
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
		c.breach(Monotonic, n.id, n.highestRing, "restarted with sequence %d after installing %d",
			r.RingSeq, n.highest)
	}
}

func (c *Checker) transitional(n *node, r totem.Membership) {
	switch {
	case n.ring == nil || n.ring.key.id != r.Ring:
		c.breach(Sequence, n.id, r.Ring, "transitional configuration of a ring that the node is not in")
		return
	case n.stay.transitional != nil:
		c.breach(Sequence, n.id, r.Ring, "second transitional configuration")
		return
	}
	n.stay.transitional = slices.Clone(r.Members)
	if !slices.Contains(r.Members, n.id) {
		c.breach(OneMembership, n.id, r.Ring, "not in its own transitional configuration %v", r.Members)
	}
	for _, m := range r.Members {
		if !slices.Contains(n.ring.members, m) {
			c.breach(OneMembership, n.id, r.Ring, "transitional member %d was not in the ring", m)
		}
	}
}

// ringFor finds or makes the state of a ring that a node installs.
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
		c.breach(Monotonic, n.id, r.Ring, "installed after sequence %d", n.highest)
	}
	n.highest, n.highestRing = max(n.highest, r.Ring.Seq), r.Ring
	rs := c.ringFor(n, r.Ring, r.Members)
	at := slices.Index(rs.members, n.id)
	if !slices.Equal(rs.members, r.Members) || at < 0 || r.Members[0] != r.Ring.Rep {
		c.breach(OneMembership, n.id, r.Ring, "members %v, others or its own name say %v",
			r.Members, rs.members)
	}
	if n.ring != nil {
		c.depart(n, rs)
	}
	n.ring, n.stay = rs, &stay{}
	if at >= 0 {
		rs.stays[at] = n.stay
	}
}
