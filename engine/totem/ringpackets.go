package totem

// packet is a multicast packet, kept for delivery and retransmission.
type packet struct {
	mcastHeader
	buf  []byte // the whole message, unsealed
	body []byte // what follows the header, in buf
	// resentOnRing is the sequence of the new ring on which a node has sent this packet again; 0: none.
	resentOnRing uint64
}

// ringPackets holds the packets of one ring that are not yet known to be with every member: a circular
// buffer that grows up to MaxStoredPackets. Always released <= highDelivered <= myAru <= highSeq, except
// that delivery of an old ring passes gaps.
type ringPackets struct {
	ring          ringKey
	slots         []*packet // by seq modulo len(slots), a power of two
	missed        []uint8   // by the same index: visits that found this packet missing
	released      uint64    // all packets up to here were dropped
	myAru         uint64    // all packets up to here were received (my_aru)
	highSeq       uint64    // highest packet received (my_high_seq)
	highDelivered uint64    // all packets up to here were delivered (my_high_delivered)
	pool          *packetPool
}

// packetPool keeps at most poolPackets packets for reuse.
type packetPool struct{ free []*packet }

const (
	poolPackets      = 256
	firstSlots       = 64
	maxMissedVisits  = 255
	poolMaxBodyBytes = 4096 // packets with a larger buffer are not kept
)

func (p *packetPool) get() *packet {
	if n := len(p.free); n > 0 {
		pk := p.free[n-1]
		p.free = p.free[:n-1]
		pk.resentOnRing = 0
		return pk
	}
	return &packet{}
}

func (p *packetPool) put(pk *packet) {
	if len(p.free) < poolPackets && cap(pk.buf) <= poolMaxBodyBytes {
		p.free = append(p.free, pk)
	}
}

func newRingPackets(id ringKey, pool *packetPool) *ringPackets {
	return &ringPackets{ring: id, pool: pool,
		slots: make([]*packet, firstSlots), missed: make([]uint8, firstSlots)}
}

// slotOf returns the slot of a sequence number, which must be within the buffer.
func (s *ringPackets) slotOf(seq uint64) int { return int(seq & uint64(len(s.slots)-1)) }

// get returns the packet with a sequence number, or nil.
func (s *ringPackets) get(seq uint64) *packet {
	if seq <= s.released || seq > s.highSeq {
		return nil
	}
	return s.slots[s.slotOf(seq)]
}

// accepts reports whether a packet with a sequence number is new and can be kept.
func (s *ringPackets) accepts(seq uint64) bool {
	return seq > s.released && seq-s.released <= MaxStoredPackets && s.get(seq) == nil
}

// put keeps a packet. It panics unless accepts reports true for it.
func (s *ringPackets) put(pk *packet) {
	if !s.accepts(pk.seq) {
		panic("totem: storing a packet that is not accepted")
	}
	s.growTo(pk.seq)
	s.slots[s.slotOf(pk.seq)] = pk
	s.missed[s.slotOf(pk.seq)] = 0
	s.highSeq = max(s.highSeq, pk.seq)
	for s.myAru < s.highSeq && s.slots[s.slotOf(s.myAru+1)] != nil {
		s.myAru++
	}
}

// growTo makes the buffer large enough for a sequence number.
func (s *ringPackets) growTo(seq uint64) {
	if seq-s.released <= uint64(len(s.slots)) {
		return
	}
	size := len(s.slots)
	for uint64(size) < seq-s.released {
		size *= 2
	}
	slots, missed := make([]*packet, size), make([]uint8, size)
	for q := s.released + 1; q <= s.released+uint64(len(s.slots)); q++ {
		slots[q&uint64(size-1)] = s.slots[s.slotOf(q)]
		missed[q&uint64(size-1)] = s.missed[s.slotOf(q)]
	}
	s.slots, s.missed = slots, missed
}

// countMiss counts a visit that found a packet missing and returns the count so far.
func (s *ringPackets) countMiss(seq uint64) int {
	s.growTo(seq)
	at := s.slotOf(seq)
	if s.missed[at] < maxMissedVisits {
		s.missed[at]++
	}
	return int(s.missed[at])
}

// release drops all packets up to a sequence number, which were delivered here and received by everybody.
func (s *ringPackets) release(upTo uint64) {
	if upTo > s.highDelivered || upTo > s.myAru {
		panic("totem: releasing what was not delivered")
	}
	for ; s.released < upTo; s.released++ {
		at := s.slotOf(s.released + 1)
		s.pool.put(s.slots[at])
		s.slots[at], s.missed[at] = nil, 0
	}
}

// drop drops all packets. Nothing may be stored or read afterwards.
func (s *ringPackets) drop() {
	for q := s.released + 1; q <= s.highSeq; q++ {
		if pk := s.slots[s.slotOf(q)]; pk != nil {
			s.pool.put(pk)
		}
	}
	s.slots, s.missed = nil, nil
}
