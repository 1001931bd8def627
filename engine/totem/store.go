package totem

// packet is one multicast packet as it is kept for delivery and retransmission.
type packet struct {
	mcastHeader
	buf  []byte // the whole message, unsealed
	body []byte // what follows the header, in buf
	// coveredBy is the sequence of the new ring on which somebody has sent this packet again.
	coveredBy uint64
}

// store holds the packets of one ring that are not yet known to be with everybody, in a circle
// that grows up to MaxStoredPackets.
type store struct {
	ring      ringKey
	slots     []*packet // seq & (len-1)
	missed    []uint8   // how many visits missed this seq
	base      uint64    // all up to here was released
	aru       uint64    // all up to here was received
	high      uint64    // highest received
	delivered uint64    // all up to here was delivered
	pool      *packetPool
}

// packetPool keeps packets for reuse, at most poolPackets of them.
type packetPool struct{ free []*packet }

const (
	poolPackets      = 256
	firstStoreSlots  = 64
	maxMissedVisits  = 255
	poolMaxBodyBytes = 4096 // larger buffers are left to the garbage collector
)

func (p *packetPool) get() *packet {
	if n := len(p.free); n > 0 {
		pk := p.free[n-1]
		p.free = p.free[:n-1]
		pk.coveredBy = 0
		return pk
	}
	return &packet{}
}

func (p *packetPool) put(pk *packet) {
	if len(p.free) < poolPackets && cap(pk.buf) <= poolMaxBodyBytes {
		p.free = append(p.free, pk)
	}
}

func newStore(id ringKey, pool *packetPool) *store {
	return &store{ring: id, pool: pool,
		slots: make([]*packet, firstStoreSlots), missed: make([]uint8, firstStoreSlots)}
}

// at is the slot of a sequence number; it must be within the circle.
func (s *store) at(seq uint64) int { return int(seq & uint64(len(s.slots)-1)) }

// get is the packet with that number, or nil.
func (s *store) get(seq uint64) *packet {
	if seq <= s.base || seq > s.high {
		return nil
	}
	return s.slots[s.at(seq)]
}

// accepts says whether a packet of that number is new and can be kept.
func (s *store) accepts(seq uint64) bool {
	return seq > s.base && seq-s.base <= MaxStoredPackets && s.get(seq) == nil
}

// put keeps a packet that accepts said yes to.
func (s *store) put(pk *packet) {
	if !s.accepts(pk.seq) {
		panic("totem: storing a packet that is not accepted")
	}
	s.cover(pk.seq)
	s.slots[s.at(pk.seq)] = pk
	s.missed[s.at(pk.seq)] = 0
	s.high = max(s.high, pk.seq)
	for s.aru < s.high && s.slots[s.at(s.aru+1)] != nil {
		s.aru++
	}
}

// cover makes the circle large enough for a sequence number.
func (s *store) cover(seq uint64) {
	if seq-s.base <= uint64(len(s.slots)) {
		return
	}
	size := len(s.slots)
	for uint64(size) < seq-s.base {
		size *= 2
	}
	slots, missed := make([]*packet, size), make([]uint8, size)
	for q := s.base + 1; q <= s.base+uint64(len(s.slots)); q++ {
		slots[q&uint64(size-1)] = s.slots[s.at(q)]
		missed[q&uint64(size-1)] = s.missed[s.at(q)]
	}
	s.slots, s.missed = slots, missed
}

// miss counts that a visit missed a packet and returns the count.
func (s *store) miss(seq uint64) int {
	s.cover(seq)
	at := s.at(seq)
	if s.missed[at] < maxMissedVisits {
		s.missed[at]++
	}
	return int(s.missed[at])
}

// release drops everything up to a number that was delivered here and received by everybody.
func (s *store) release(upTo uint64) {
	if upTo > s.delivered || upTo > s.aru {
		panic("totem: releasing what was not delivered")
	}
	for ; s.base < upTo; s.base++ {
		at := s.at(s.base + 1)
		s.pool.put(s.slots[at])
		s.slots[at], s.missed[at] = nil, 0
	}
}

// drop ends the store.
func (s *store) drop() {
	for q := s.base + 1; q <= s.high; q++ {
		if pk := s.slots[s.at(q)]; pk != nil {
			s.pool.put(pk)
		}
	}
	s.slots, s.missed = nil, nil
}
