package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// newPacket returns a copy of a multicast message, header included, as it is kept.
func (n *Node) newPacket(h wire.McastHeader, message []byte) *packet {
	pk := n.packetPool.takePacket()
	pk.McastHeader, pk.resentOnRing = h, 0
	pk.buf = append(pk.buf[:0], message...)
	pk.body = pk.buf[wire.McastHeaderBytes:]
	return pk
}

// onMcast handles a multicast packet, whoever sent this copy; the header names the author.
func (n *Node) onMcast(body []byte) error {
	var h wire.McastHeader
	content, err := h.Decode(body)
	if err != nil {
		return err
	}
	if !contains(n.knownIDs, h.Author) {
		return errRefused
	}
	encapsulated := h.Flags&wire.McastEncapsulated != 0
	if !encapsulated {
		if err := wire.CheckBody(content); err != nil {
			return err
		}
	}
	if h.Ring != n.current.ring {
		return nil // of another ring: if its nodes belong here, their rows say so
	}
	if h.Author == n.cfg.Node || n.state == Commit || n.state == Gather && n.ringSeq != n.current.ring.Seq {
		return nil // our own packet came back, or this node has reported its old-ring state in a commit token
	}
	if !n.current.acceptsSeq(h.Seq) {
		return nil
	}
	if encapsulated {
		if err := n.onEncapsulated(content); err != nil {
			return err
		}
	}
	message := n.openBuffer[:wire.McastHeaderBytes+len(content)]
	n.current.addPacket(n.newPacket(h, message))
	if n.state == Operational || n.state == Recovery {
		if n.state == Operational {
			n.deliverReady()
		}
		if !n.tokenHeld {
			n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
		}
	}
	return nil
}

// deliverReady delivers, in order, the packets that may be delivered in the present regular configuration.
func (n *Node) deliverReady() {
	s := n.current
	for s.highDelivered < s.myAru {
		pk := s.packetAt(s.highDelivered + 1)
		if pk.Flags&wire.McastSafe != 0 && pk.Seq > n.safeSeq {
			return
		}
		s.highDelivered++
		if pk.Flags&wire.McastEncapsulated == 0 {
			n.deliverPacket(pk, false)
		}
	}
}

// skipEncapsulated counts old packets on the new ring as delivered, so that they can be released and a
// long exchange does not fill the ring's memory.
func (n *Node) skipEncapsulated() {
	s := n.current
	for s.highDelivered < s.myAru && s.packetAt(s.highDelivered+1).Flags&wire.McastEncapsulated != 0 {
		s.highDelivered++
	}
}

// deliverOldRing delivers the remaining packets of the old ring, and the transitional configuration
// between them. All members of that configuration have the same packets and the same highRingDelivered
// now, so they deliver the same. enterRecovery has a worked example.
//
// The old regular configuration gets all packets up to the first gap, or up to the first safe packet that
// is not known to be with every member of the old ring. The transitional configuration gets the rest;
// behind a gap, only packets of authors that cannot have seen the missing packet.
func (n *Node) deliverOldRing() {
	s, r := n.oldRing, &n.recovery
	for s.highDelivered < s.myAru {
		pk := s.packetAt(s.highDelivered + 1)
		if pk.Flags&wire.McastSafe != 0 && pk.Seq > r.highRingDelivered {
			break
		}
		s.highDelivered++
		if pk.Flags&wire.McastEncapsulated == 0 {
			n.deliverPacket(pk, false)
		}
	}
	if s.ring.IsZero() {
		return
	}
	n.configure(Configuration{Kind: cpg.Transitional, Ring: s.ring.ID,
		Members: slices.Clone(n.transMembers), Left: difference(nil, n.members, n.transMembers)})
	for gap := false; s.highDelivered < s.highSeq; {
		s.highDelivered++
		pk := s.packetAt(s.highDelivered)
		if pk == nil {
			n.env.Probe("totem/recovery-gap")
			gap = true
			continue
		}
		if pk.Flags&wire.McastEncapsulated != 0 {
			continue
		}
		if gap && !contains(r.deliverMembers, pk.Author) {
			n.env.Probe("totem/recovery-discard")
			continue
		}
		if gap && !contains(n.transMembers, pk.Author) {
			n.env.Probe("totem/owed")
		}
		n.deliverPacket(pk, true)
	}
}

// deliverPacket delivers the messages whose last byte is in a packet.
func (n *Node) deliverPacket(pk *packet, transitional bool) {
	ordinal := pk.Ordinal
	for body := pk.body; len(body) > 0; {
		c, rest, err := wire.NextChunk(body)
		if err != nil {
			panic("totem: delivering a packet that was not checked")
		}
		body = rest
		message, done := n.assembler.addPiece(pk.Author, c)
		if done {
			n.deliver(Delivery{Ring: pk.Ring.ID, Ordinal: ordinal, From: pk.Author,
				Guarantee: pk.Guarantee(), Transitional: transitional, Payload: message})
		}
		if c.IsLast {
			ordinal++
		}
	}
}

func (n *Node) deliver(d Delivery) {
	n.stats.Delivered++
	if !n.cfg.Quiet {
		n.env.Emit(Delivered{Node: n.cfg.Node, Ring: d.Ring, Ordinal: d.Ordinal, From: d.From,
			Guarantee: d.Guarantee, Transitional: d.Transitional, Digest: fingerprint(d.Payload)})
	}
	n.inHandler = true
	n.handler.Deliver(d)
	n.inHandler = false
}

func (n *Node) configure(c Configuration) {
	if !n.cfg.Quiet {
		n.env.Emit(Membership{Node: n.cfg.Node, Kind: c.Kind, Ring: c.Ring,
			Members: slices.Clone(c.Members)})
	}
	n.inHandler = true
	n.handler.Configure(c)
	n.inHandler = false
}
