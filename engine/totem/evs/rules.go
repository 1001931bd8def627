package evs

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// checkDeparture checks a node that leaves its ring for another one.
func (c *Checker) checkDeparture(n *node, next *ringState) {
	s, old := n.stay, n.ring
	id := old.key.id
	s.departed = true
	if s.transitional == nil {
		c.report(Sequence, n.id, id, "left for ring %v without a transitional configuration", next.key.id)
	}
	if s.sent != s.ownSeen {
		c.report(SelfDelivery, n.id, id, "sent %d messages and delivered %d of them", s.sent, s.ownSeen)
	}
	for _, p := range old.promises {
		if slices.Contains(p.binds, n.id) && !s.hasDelivered(p.ordinal) {
			c.report(Safe, n.id, id, "left without safe message %d that node %d delivered", p.ordinal, p.by)
		}
	}
	c.checkVirtualSynchrony(n, next)
}

// checkVirtualSynchrony checks a node against the nodes that made the same move before.
func (c *Checker) checkVirtualSynchrony(n *node, next *ringState) {
	s, old := n.stay, n.ring
	for i := range next.moves {
		m := &next.moves[i]
		if m.old != old {
			if slices.Contains(m.members, n.id) {
				c.report(OneMembership, n.id, next.key.id,
					"came from ring %v, but node %d has it among those that came with it from %v",
					old.key.id, m.first, m.old.key.id)
			}
			continue
		}
		if !slices.Equal(m.members, s.transitional) {
			c.report(OneMembership, n.id, old.key.id, "moves with %v, node %d with %v",
				s.transitional, m.first, m.members)
			return
		}
		if m.stay.regular != s.regular || !slices.Equal(m.stay.after, s.after) {
			c.report(VirtualSynchrony, n.id, old.key.id,
				"delivered %d messages and then %v, node %d on the same way %d and then %v",
				s.regular, s.after, m.first, m.stay.regular, m.stay.after)
		}
		return
	}
	next.moves = append(next.moves, move{old: old, members: s.transitional, first: n.id, stay: s})
}

// maxDenseJump bounds by how much a record can lengthen the slice of messages; a message with a larger
// ordinal is kept in a map.
const maxDenseJump = 1 << 16

// message returns the entry of a message, a new one if there is none.
func (rs *ringState) message(ordinal uint64) *message {
	if at := ordinal - 1; at < uint64(len(rs.messages))+maxDenseJump {
		for uint64(len(rs.messages)) <= at {
			rs.messages = append(rs.messages, message{})
		}
		return &rs.messages[at]
	}
	if rs.sparse == nil {
		rs.sparse = map[uint64]*message{}
	}
	if rs.sparse[ordinal] == nil {
		rs.sparse[ordinal] = &message{}
	}
	return rs.sparse[ordinal]
}

// sent checks a sent message.
func (c *Checker) sent(n *node, r totem.Sent) {
	if n.ring == nil || n.ring.key.id != r.Ring || n.stay.transitional != nil {
		c.report(RightConfiguration, n.id, r.Ring,
			"sent message %d in a ring that it is not in", r.Ordinal)
		return
	}
	n.stay.sent++
	m := n.ring.message(r.Ordinal)
	if m.sent {
		c.report(TotalOrder, n.id, r.Ring, "place %d was given to two messages", r.Ordinal)
		return
	}
	c.agree(n, r.Ring, m, message{from: n.id, digest: r.Digest, guarantee: r.Guarantee}, r.Ordinal)
	m.sent, m.after = true, n.stay.prefix
}

// agree compares what a record holds about a message with what earlier records held.
func (c *Checker) agree(n *node, id ring.ID, m *message, said message, ordinal uint64) {
	if !m.known {
		m.known, m.from, m.digest, m.guarantee = true, said.from, said.digest, said.guarantee
		return
	}
	if m.from != said.from || m.digest != said.digest || m.guarantee != said.guarantee {
		c.report(TotalOrder, n.id, id,
			"message %d differs: from %d with digest %x here, from %d with digest %x elsewhere",
			ordinal, said.from, said.digest, m.from, m.digest)
	}
}

// delivered checks a delivered message.
func (c *Checker) delivered(n *node, r totem.Delivered) {
	if n.ring == nil || n.ring.key.id != r.Ring || r.Transitional != (n.stay.transitional != nil) {
		c.report(RightConfiguration, n.id, r.Ring,
			"message %d delivered outside of its configuration", r.Ordinal)
		return
	}
	s := n.stay
	switch {
	case r.Ordinal == 0 || r.Ordinal <= s.last && !s.hasDelivered(r.Ordinal):
		c.report(TotalOrder, n.id, r.Ring, "message %d delivered after %d", r.Ordinal, s.last)
		return
	case r.Ordinal <= s.last:
		c.report(NoDuplicates, n.id, r.Ring, "message %d delivered again", r.Ordinal)
		return
	case !r.Transitional && r.Ordinal != s.last+1:
		c.report(TotalOrder, n.id, r.Ring, "message %d delivered right after %d", r.Ordinal, s.last)
	}
	s.last = r.Ordinal
	if r.Ordinal == s.prefix+1 {
		s.prefix++
	}
	if r.Transitional {
		s.after = append(s.after, r.Ordinal)
	} else {
		s.regular = r.Ordinal
	}
	if r.From == n.id {
		s.ownSeen++
	}
	if !slices.Contains(n.ring.members, r.From) {
		c.report(Integrity, n.id, r.Ring, "message %d comes from %d, which is no member", r.Ordinal, r.From)
	}
	m := n.ring.message(r.Ordinal)
	m.delivered = true
	if m.sent && m.after > s.prefix {
		c.report(Causal, n.id, r.Ring, "message %d delivered without %d, on which it may depend",
			r.Ordinal, s.prefix+1)
	}
	c.agree(n, r.Ring, m, message{from: r.From, digest: r.Digest, guarantee: r.Guarantee}, r.Ordinal)
	if r.Guarantee == cpg.Safe {
		c.noteSafeDelivery(n, r)
	}
}

// noteSafeDelivery notes a safe delivery, and checks the nodes that have left the ring already.
func (c *Checker) noteSafeDelivery(n *node, r totem.Delivered) {
	binds := n.ring.members
	if r.Transitional {
		binds = n.stay.transitional
	}
	n.ring.promises = addPromise(n.ring.promises, promise{ordinal: r.Ordinal, by: n.id, binds: binds})
	for i, s := range n.ring.stays {
		if s != nil && s.departed && slices.Contains(binds, n.ring.members[i]) && !s.hasDelivered(r.Ordinal) {
			c.report(Safe, n.ring.members[i], r.Ring, "left without safe message %d that node %d delivered",
				r.Ordinal, n.id)
		}
	}
}

// addPromise adds a promise unless the same nodes are already bound to the same message.
func addPromise(ps []promise, p promise) []promise {
	for i := len(ps) - 1; i >= 0 && ps[i].ordinal >= p.ordinal; i-- {
		if ps[i].ordinal == p.ordinal && slices.Equal(ps[i].binds, p.binds) {
			return ps
		}
	}
	at, _ := slices.BinarySearchFunc(ps, p.ordinal, func(q promise, o uint64) int {
		if q.ordinal < o {
			return -1
		}
		return 1
	})
	return slices.Insert(ps, at, p)
}

// Finish checks the rules that need the whole run, and returns all violations.
func (c *Checker) Finish() []Violation {
	for _, rs := range c.order {
		for i := range rs.messages {
			c.checkIntegrity(rs, uint64(i+1), &rs.messages[i])
		}
		sparse := make([]uint64, 0, len(rs.sparse))
		for o := range rs.sparse {
			sparse = append(sparse, o)
		}
		slices.Sort(sparse)
		for _, o := range sparse {
			c.checkIntegrity(rs, o, rs.sparse[o])
		}
	}
	return c.violations
}

// departed reports whether a member is known to have left the ring for another one.
func (rs *ringState) departed(id ring.NodeID) bool {
	at := slices.Index(rs.members, id)
	return at >= 0 && rs.stays[at] != nil && rs.stays[at].departed
}

// checkIntegrity reports a message that was delivered and never sent.
func (c *Checker) checkIntegrity(rs *ringState, ordinal uint64, m *message) {
	if m.delivered && !m.sent && !(c.partial && !rs.departed(m.from)) {
		c.report(Integrity, m.from, rs.key.id, "message %d was delivered and never sent", ordinal)
	}
}
