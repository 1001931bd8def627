package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// newPacket keeps a copy of a multicast message, header included.
func (n *Node) newPacket(h mcastHeader, message []byte) *packet {
	pk := n.pool.get()
	pk.mcastHeader, pk.coveredBy = h, 0
	pk.buf = append(pk.buf[:0], message...)
	pk.body = pk.buf[mcastHeaderBytes:]
	return pk
}

// onMcast handles a multicast packet. from sent this copy; the header names the author.
func (n *Node) onMcast(from ring.NodeID, body []byte) error {
	var h mcastHeader
	content, err := h.decode(body)
	if err != nil {
		return err
	}
	if !has(n.known, h.from) {
		return errRefused
	}
	encapsulated := h.flags&mcastEncapsulated != 0
	if !encapsulated {
		if err := checkBody(content); err != nil {
			return err
		}
	}
	if h.ring != n.cur.ring {
		n.onForeign(from, h.ring, reasonForeign, reasonForeignGather)
		return nil
	}
	if h.from == n.cfg.Node || n.state == Commit || n.state == Gather && n.ringSeq != n.cur.ring.Seq {
		return nil // mine came back, or the old ring's state was reported and is frozen
	}
	if !n.cur.accepts(h.seq) {
		return nil
	}
	if encapsulated {
		if err := n.onEncapsulated(content); err != nil {
			return err
		}
	}
	message := n.in[:mcastHeaderBytes+len(content)]
	n.cur.put(n.newPacket(h, message))
	if n.state == Operational || n.state == Recovery {
		if n.state == Operational {
			n.deliverReady()
		}
		if !n.held {
			n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
		}
	}
	return nil
}

// deliverReady delivers in order what may be delivered in the present regular configuration.
func (n *Node) deliverReady() {
	s := n.cur
	for s.delivered < s.aru {
		pk := s.get(s.delivered + 1)
		if pk.flags&mcastSafe != 0 && pk.seq > n.safeUpTo {
			return
		}
		s.delivered++
		if pk.flags&mcastEncapsulated == 0 {
			n.deliverPacket(pk, false)
		}
	}
}

// skipEncapsulated passes over old packets on the new ring, which have no delivery of their own,
// so that a long exchange does not fill the store.
func (n *Node) skipEncapsulated() {
	s := n.cur
	for s.delivered < s.aru && s.get(s.delivered+1).flags&mcastEncapsulated != 0 {
		s.delivered++
	}
}

// deliverOld delivers what is left of the old ring, with the transitional configuration in
// between. All members of that configuration have the same packets here, and know the same about
// what was delivered elsewhere, so they deliver the same.
//
// In the old regular configuration: everything up to the first gap, or up to the first safe
// message that not everybody of the old ring is known to have. Then, in the transitional one, the
// rest; behind a gap only what comes from those who cannot have seen the missing packet.
func (n *Node) deliverOld() {
	s, r := n.old, &n.recovery
	for s.delivered < s.aru {
		pk := s.get(s.delivered + 1)
		if pk.flags&mcastSafe != 0 && pk.seq > r.known {
			break
		}
		s.delivered++
		if pk.flags&mcastEncapsulated == 0 {
			n.deliverPacket(pk, false)
		}
	}
	if s.ring.IsZero() {
		return
	}
	n.configure(Configuration{Kind: cpg.Transitional, Ring: s.ring.ID,
		Members: slices.Clone(n.transitional), Left: minus(nil, n.members, n.transitional)})
	for gap := false; s.delivered < s.high; {
		s.delivered++
		pk := s.get(s.delivered)
		if pk == nil {
			n.env.Probe("totem/recovery-gap")
			gap = true
			continue
		}
		if pk.flags&mcastEncapsulated != 0 {
			continue
		}
		if gap && !has(r.deliver, pk.from) {
			n.env.Probe("totem/recovery-discard")
			continue
		}
		if gap && !has(n.transitional, pk.from) {
			n.env.Probe("totem/owed")
		}
		n.deliverPacket(pk, true)
	}
}

// deliverPacket delivers the messages that end in a packet.
func (n *Node) deliverPacket(pk *packet, transitional bool) {
	ordinal := pk.ordinal
	for body := pk.body; len(body) > 0; {
		c, rest, err := nextChunk(body)
		if err != nil {
			panic("totem: delivering a packet that was not checked")
		}
		body = rest
		message, done := n.assembly.add(pk.from, c)
		if done {
			n.deliver(Delivery{Ring: pk.ring.ID, Ordinal: ordinal, From: pk.from,
				Guarantee: pk.guarantee(), Transitional: transitional, Payload: message})
		}
		if c.last {
			ordinal++
		}
	}
}

func (n *Node) deliver(d Delivery) {
	n.stats.Delivered++
	if !n.cfg.Quiet {
		n.env.Emit(Delivered{Node: n.cfg.Node, Ring: d.Ring, Ordinal: d.Ordinal, From: d.From,
			Guarantee: d.Guarantee, Transitional: d.Transitional, Digest: digest(d.Payload)})
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
