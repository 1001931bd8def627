package totem

import "github.com/holdfast-sim/holdfast/engine/totem/wire"

// packet is a multicast packet, kept for delivery and retransmission.
type packet struct {
	wire.McastHeader
	buf  []byte // the whole message, unsealed
	body []byte // what follows the header, in buf
	// resentOnRing is the sequence of the new ring on which a node has sent this packet again; 0: none.
	resentOnRing uint64
}

// ringPackets holds the packets of one ring that are not yet known to be with every member: a circular
// buffer that grows up to MaxStoredPackets. Always released <= highDelivered <= myAru <= highSeq, except
// that delivery of an old ring passes gaps.
type ringPackets struct {
	ring          wire.RingKey
	slots         []*packet // by seq modulo len(slots), a power of two
	missedVisits  []uint8   // by the same index: visits that found this packet missing
	releasedUpTo  uint64    // all packets up to here were dropped
	myAru         uint64    // all packets up to here were received (my_aru)
	highSeq       uint64    // highest packet received (my_high_seq)
	highDelivered uint64    // all packets up to here were delivered (my_high_delivered)
	pool          *packetPool
}

// packetPool keeps at most poolPackets packets for reuse.
type packetPool struct{ freePackets []*packet }

const (
	poolPackets      = 256
	firstSlots       = 64
	maxMissedVisits  = 255
	poolMaxBodyBytes = 4096 // packets with a larger buffer are not kept
)

func (p *packetPool) takePacket() *packet {
	if n := len(p.freePackets); n > 0 {
		pk := p.freePackets[n-1]
		p.freePackets = p.freePackets[:n-1]
		pk.resentOnRing = 0
		return pk
	}
	return &packet{}
}

func (p *packetPool) returnPacket(pk *packet) {
	if len(p.freePackets) < poolPackets && cap(pk.buf) <= poolMaxBodyBytes {
		p.freePackets = append(p.freePackets, pk)
	}
}

func newRingPackets(id wire.RingKey, pool *packetPool) *ringPackets {
	return &ringPackets{ring: id, pool: pool,
		slots: make([]*packet, firstSlots), missedVisits: make([]uint8, firstSlots)}
}

// slotOf returns the slot of a sequence number, which must be within the buffer.
func (s *ringPackets) slotOf(seq uint64) int { return int(seq & uint64(len(s.slots)-1)) }

// packetAt returns the packet with a sequence number, or nil.
func (s *ringPackets) packetAt(seq uint64) *packet {
	if seq <= s.releasedUpTo || seq > s.highSeq {
		return nil
	}
	return s.slots[s.slotOf(seq)]
}

// acceptsSeq reports whether a packet with a sequence number is new and can be kept.
func (s *ringPackets) acceptsSeq(seq uint64) bool {
	return seq > s.releasedUpTo && seq-s.releasedUpTo <= MaxStoredPackets && s.packetAt(seq) == nil
}

// addPacket keeps a packet. It panics unless accepts reports true for it.
func (s *ringPackets) addPacket(pk *packet) {
	if !s.acceptsSeq(pk.Seq) {
		panic("totem: storing a packet that is not accepted")
	}
	s.growTo(pk.Seq)
	s.slots[s.slotOf(pk.Seq)] = pk
	s.missedVisits[s.slotOf(pk.Seq)] = 0
	s.highSeq = max(s.highSeq, pk.Seq)
	for s.myAru < s.highSeq && s.slots[s.slotOf(s.myAru+1)] != nil {
		s.myAru++
	}
}

// growTo makes the buffer large enough for a sequence number.
func (s *ringPackets) growTo(seq uint64) {
	if seq-s.releasedUpTo <= uint64(len(s.slots)) {
		return
	}
	size := len(s.slots)
	for uint64(size) < seq-s.releasedUpTo {
		size *= 2
	}
	slots, missed := make([]*packet, size), make([]uint8, size)
	for q := s.releasedUpTo + 1; q <= s.releasedUpTo+uint64(len(s.slots)); q++ {
		slots[q&uint64(size-1)] = s.slots[s.slotOf(q)]
		missed[q&uint64(size-1)] = s.missedVisits[s.slotOf(q)]
	}
	s.slots, s.missedVisits = slots, missed
}

// countMiss counts a visit that found a packet missing and returns the count since it was requested last.
func (s *ringPackets) countMiss(seq uint64) int {
	s.growTo(seq)
	at := s.slotOf(seq)
	if s.missedVisits[at] < maxMissedVisits {
		s.missedVisits[at]++
	}
	return int(s.missedVisits[at])
}

// forgetMisses makes the count of a packet's misses begin again.
func (s *ringPackets) forgetMisses(seq uint64) { s.missedVisits[s.slotOf(seq)] = 0 }

// releaseUpTo drops all packets up to a sequence number, which were delivered here and received by everybody.
func (s *ringPackets) releaseUpTo(upTo uint64) {
	if upTo > s.highDelivered || upTo > s.myAru {
		panic("totem: releasing what was not delivered")
	}
	for ; s.releasedUpTo < upTo; s.releasedUpTo++ {
		at := s.slotOf(s.releasedUpTo + 1)
		s.pool.returnPacket(s.slots[at])
		s.slots[at], s.missedVisits[at] = nil, 0
	}
}

// dropAll drops all packets. Nothing may be stored or read afterwards.
func (s *ringPackets) dropAll() {
	for q := s.releasedUpTo + 1; q <= s.highSeq; q++ {
		if pk := s.slots[s.slotOf(q)]; pk != nil {
			s.pool.returnPacket(pk)
		}
	}
	s.slots, s.missedVisits = nil, nil
}
