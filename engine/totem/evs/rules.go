package evs

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// checkDeparture checks a node that leaves its ring for another one.
func (c *Checker) checkDeparture(n *node, next *ringState) {
	s, old := n.currentStay, n.currentRing
	id := old.key.ringID
	s.leftForOtherRing = true
	if s.transitional == nil {
		c.addViolation(Sequence, n.id, id, "left for ring %v without a transitional configuration",
			next.key.ringID)
	}
	if s.sentCount != s.ownDelivered {
		c.addViolation(SelfDelivery, n.id, id, "sent %d messages and delivered %d of them", s.sentCount,
			s.ownDelivered)
	}
	for _, p := range old.promises {
		if slices.Contains(p.boundMembers, n.id) && !s.hasDelivered(p.ordinal) {
			c.addViolation(Safe, n.id, id, "left without safe message %d that node %d delivered", p.ordinal,
				p.promisedBy)
		}
	}
	c.checkVirtualSynchrony(n, next)
}

// checkVirtualSynchrony checks a node against the nodes that made the same move before.
func (c *Checker) checkVirtualSynchrony(n *node, next *ringState) {
	s, old := n.currentStay, n.currentRing
	for i := range next.jointMoves {
		m := &next.jointMoves[i]
		if m.oldRing != old {
			if slices.Contains(m.members, n.id) {
				c.addViolation(OneMembership, n.id, next.key.ringID,
					"came from ring %v, but node %d has it among those that came with it from %v",
					old.key.ringID, m.firstMember, m.oldRing.key.ringID)
			}
			continue
		}
		if !slices.Equal(m.members, s.transitional) {
			c.addViolation(OneMembership, n.id, old.key.ringID, "moves with %v, node %d with %v",
				s.transitional, m.firstMember, m.members)
			return
		}
		if m.firstStay.regularUpTo != s.regularUpTo || !slices.Equal(m.firstStay.transitionalDeliveries,
			s.transitionalDeliveries) {
			c.addViolation(VirtualSynchrony, n.id, old.key.ringID,
				"delivered %d messages and then %v, node %d on the same way %d and then %v",
				s.regularUpTo, s.transitionalDeliveries, m.firstMember, m.firstStay.regularUpTo,
				m.firstStay.transitionalDeliveries)
		}
		return
	}
	next.jointMoves = append(next.jointMoves, jointMove{oldRing: old, members: s.transitional,
		firstMember: n.id, firstStay: s})
}

// maxDenseJump bounds by how much a record can lengthen the slice of messages; a message with a larger
// ordinal is kept in a map.
const maxDenseJump = 1 << 16

// messageAt returns the entry of a message, a new one if there is none.
func (rs *ringState) messageAt(ordinal uint64) *message {
	if at := ordinal - 1; at < uint64(len(rs.messages))+maxDenseJump {
		for uint64(len(rs.messages)) <= at {
			rs.messages = append(rs.messages, message{})
		}
		return &rs.messages[at]
	}
	if rs.outOfOrder == nil {
		rs.outOfOrder = map[uint64]*message{}
	}
	if rs.outOfOrder[ordinal] == nil {
		rs.outOfOrder[ordinal] = &message{}
	}
	return rs.outOfOrder[ordinal]
}

// onSent checks a sent message.
func (c *Checker) onSent(n *node, r totem.Sent) {
	if n.currentRing == nil || n.currentRing.key.ringID != r.Ring || n.currentStay.transitional != nil {
		c.addViolation(RightConfiguration, n.id, r.Ring,
			"sent message %d in a ring that it is not in", r.Ordinal)
		return
	}
	n.currentStay.sentCount++
	m := n.currentRing.messageAt(r.Ordinal)
	if m.wasSent {
		c.addViolation(TotalOrder, n.id, r.Ring, "place %d was given to two messages", r.Ordinal)
		return
	}
	c.compareRecords(n, r.Ring, m, message{sender: n.id, digest: r.Digest, guarantee: r.Guarantee}, r.Ordinal)
	m.wasSent, m.senderHadDelivered = true, n.currentStay.deliveredUpTo
}

// compareRecords compares what a record holds about a message with what earlier records held.
func (c *Checker) compareRecords(n *node, id ring.ID, m *message, said message, ordinal uint64) {
	if !m.isKnown {
		m.isKnown, m.sender, m.digest, m.guarantee = true, said.sender, said.digest, said.guarantee
		return
	}
	if m.sender != said.sender || m.digest != said.digest || m.guarantee != said.guarantee {
		c.addViolation(TotalOrder, n.id, id,
			"message %d differs: from %d with digest %x here, from %d with digest %x elsewhere",
			ordinal, said.sender, said.digest, m.sender, m.digest)
	}
}

// onDelivered checks a delivered message.
func (c *Checker) onDelivered(n *node, r totem.Delivered) {
	if n.currentRing == nil || n.currentRing.key.ringID != r.Ring ||
		r.Transitional != (n.currentStay.transitional != nil) {
		c.addViolation(RightConfiguration, n.id, r.Ring,
			"message %d delivered outside of its configuration", r.Ordinal)
		return
	}
	s := n.currentStay
	switch {
	case r.Ordinal == 0 || r.Ordinal <= s.lastDelivered && !s.hasDelivered(r.Ordinal):
		c.addViolation(TotalOrder, n.id, r.Ring, "message %d delivered after %d", r.Ordinal, s.lastDelivered)
		return
	case r.Ordinal <= s.lastDelivered:
		c.addViolation(NoDuplicates, n.id, r.Ring, "message %d delivered again", r.Ordinal)
		return
	case !r.Transitional && r.Ordinal != s.lastDelivered+1:
		c.addViolation(TotalOrder, n.id, r.Ring, "message %d delivered right after %d", r.Ordinal,
			s.lastDelivered)
	}
	s.lastDelivered = r.Ordinal
	if r.Ordinal == s.deliveredUpTo+1 {
		s.deliveredUpTo++
	}
	if r.Transitional {
		s.transitionalDeliveries = append(s.transitionalDeliveries, r.Ordinal)
	} else {
		s.regularUpTo = r.Ordinal
	}
	if r.From == n.id {
		s.ownDelivered++
	}
	if !slices.Contains(n.currentRing.members, r.From) {
		c.addViolation(Integrity, n.id, r.Ring, "message %d comes from %d, which is no member", r.Ordinal,
			r.From)
	}
	m := n.currentRing.messageAt(r.Ordinal)
	m.wasDelivered = true
	if m.wasSent && m.senderHadDelivered > s.deliveredUpTo {
		c.addViolation(Causal, n.id, r.Ring, "message %d delivered without %d, on which it may depend",
			r.Ordinal, s.deliveredUpTo+1)
	}
	c.compareRecords(n, r.Ring, m, message{sender: r.From, digest: r.Digest, guarantee: r.Guarantee},
		r.Ordinal)
	if r.Guarantee == cpg.Safe {
		c.noteSafeDelivery(n, r)
	}
}

// noteSafeDelivery notes a safe delivery, and checks the nodes that have left the ring already.
func (c *Checker) noteSafeDelivery(n *node, r totem.Delivered) {
	binds := n.currentRing.members
	if r.Transitional {
		binds = n.currentStay.transitional
	}
	n.currentRing.promises = addPromise(n.currentRing.promises,
		safePromise{ordinal: r.Ordinal, promisedBy: n.id, boundMembers: binds})
	for i, s := range n.currentRing.stayByMember {
		if s != nil && s.leftForOtherRing && slices.Contains(binds, n.currentRing.members[i]) &&
			!s.hasDelivered(r.Ordinal) {
			c.addViolation(Safe, n.currentRing.members[i], r.Ring,
				"left without safe message %d that node %d delivered",
				r.Ordinal, n.id)
		}
	}
}

// addPromise adds a promise unless the same nodes are already bound to the same message.
func addPromise(ps []safePromise, p safePromise) []safePromise {
	for i := len(ps) - 1; i >= 0 && ps[i].ordinal >= p.ordinal; i-- {
		if ps[i].ordinal == p.ordinal && slices.Equal(ps[i].boundMembers, p.boundMembers) {
			return ps
		}
	}
	at, _ := slices.BinarySearchFunc(ps, p.ordinal, func(q safePromise, o uint64) int {
		if q.ordinal < o {
			return -1
		}
		return 1
	})
	return slices.Insert(ps, at, p)
}

// Finish checks the rules that need the whole run, and returns all violations.
func (c *Checker) Finish() []Violation {
	for _, rs := range c.ringsInOrder {
		for i := range rs.messages {
			c.checkIntegrity(rs, uint64(i+1), &rs.messages[i])
		}
		sparse := make([]uint64, 0, len(rs.outOfOrder))
		for o := range rs.outOfOrder {
			sparse = append(sparse, o)
		}
		slices.Sort(sparse)
		for _, o := range sparse {
			c.checkIntegrity(rs, o, rs.outOfOrder[o])
		}
	}
	return c.violations
}

// hasDeparted reports whether a member is known to have left the ring for another one.
func (rs *ringState) hasDeparted(id ring.NodeID) bool {
	at := slices.Index(rs.members, id)
	return at >= 0 && rs.stayByMember[at] != nil && rs.stayByMember[at].leftForOtherRing
}

// checkIntegrity reports a message that was delivered and never sent.
func (c *Checker) checkIntegrity(rs *ringState, ordinal uint64, m *message) {
	if m.wasDelivered && !m.wasSent && !(c.allowsMissingTail && !rs.hasDeparted(m.sender)) {
		c.addViolation(Integrity, m.sender, rs.key.ringID, "message %d was delivered and never sent", ordinal)
	}
}
