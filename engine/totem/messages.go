package totem

import (
	"encoding/binary"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Message types, the first byte behind the seal. 0 to 5 are Corosync's numbers.
const (
	typeToken       = 0
	typeMcast       = 1
	typeMergeDetect = 2
	typeJoin        = 3
	typeCommit      = 4
	typeHoldCancel  = 5
	typeBootHint    = 6
	typeFlushEnd    = 7
)

// token is the right to send, and what the holder must know.
type token struct {
	ring        ringKey
	tokenSeq    uint64 // grows by one a hop
	seq         uint64 // highest packet of the ring
	ordinal     uint64 // highest message of the ring
	aru         uint64 // everybody has received all up to here, see setAru
	aruNode     ring.NodeID
	backlog     uint32
	fcc         uint32
	retransFlag bool // somebody still has old packets to send (recovery)
	rtr         []uint64
}

// ringKey names a ring beyond doubt. A representative whose disk was wiped may give a ring the
// same id as an earlier one; the nonce that it draws tells them apart.
type ringKey struct {
	ring.ID
	nonce uint64
}

const ringKeyBytes = 8 + 4 + 8

func appendRing(b []byte, id ringKey) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Seq)
	b = binary.LittleEndian.AppendUint32(b, uint32(id.Rep))
	return binary.LittleEndian.AppendUint64(b, id.nonce)
}

func appendNodes(b []byte, ids []ring.NodeID) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(ids)))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}

func flagByte(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (t *token) append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, typeToken, flagByte(t.retransFlag)), t.ring)
	b = le.AppendUint64(b, t.tokenSeq)
	b = le.AppendUint64(b, t.seq)
	b = le.AppendUint64(b, t.ordinal)
	b = le.AppendUint64(b, t.aru)
	b = le.AppendUint32(b, uint32(t.aruNode))
	b = le.AppendUint32(b, t.backlog)
	b = le.AppendUint32(b, t.fcc)
	b = append(b, byte(len(t.rtr)))
	for _, seq := range t.rtr {
		b = le.AppendUint64(b, seq)
	}
	return b
}

// A multicast packet is mcastHeader followed by chunks (pack.go), or by one whole multicast
// packet of an older ring when it is encapsulated.
const (
	mcastHeaderBytes = 1 + 1 + ringKeyBytes + 8 + 4 + 8

	mcastSafe         = 1 << 0
	mcastEncapsulated = 1 << 1
	mcastFlags        = mcastSafe | mcastEncapsulated
)

// mcastHeader is the fixed part of a multicast packet.
type mcastHeader struct {
	flags   byte
	ring    ringKey
	seq     uint64
	from    ring.NodeID
	ordinal uint64 // of the first message that ends in this packet
}

func (h *mcastHeader) append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, typeMcast, h.flags), h.ring)
	b = le.AppendUint64(b, h.seq)
	b = le.AppendUint32(b, uint32(h.from))
	return le.AppendUint64(b, h.ordinal)
}

func (h *mcastHeader) guarantee() cpg.Guarantee {
	if h.flags&mcastSafe != 0 {
		return cpg.Safe
	}
	return cpg.Agreed
}

// join proposes a membership: procs without failed.
type join struct {
	leave   bool
	ringSeq uint64 // highest ring sequence that the sender committed to
	procs   []ring.NodeID
	failed  []ring.NodeID
}

func (j *join) append(b []byte) []byte {
	b = append(b, typeJoin, flagByte(j.leave))
	b = binary.LittleEndian.AppendUint64(b, j.ringSeq)
	return appendNodes(appendNodes(b, j.procs), j.failed)
}

// commitEntry is what one member of a ring that is being formed says about its old ring.
type commitEntry struct {
	filled    bool
	old       ringKey // zero: it had none since it started
	aru       uint64
	high      uint64
	delivered uint64 // the highest packet known to have been delivered by anybody in the old ring
}

// owed names nodes of an old ring whose packets must be delivered even behind a gap, because a
// member that moved on earlier may have delivered them.
type owed struct {
	old   ringKey
	nodes []ring.NodeID
}

// commit is the commit token.
type commit struct {
	ring     ringKey
	tokenSeq uint64
	index    int // entries filled so far
	members  []ring.NodeID
	entries  []commitEntry // by member
	owed     []owed        // of those old rings of which something is owed
}

func (c *commit) append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, typeCommit), c.ring)
	b = le.AppendUint64(b, c.tokenSeq)
	b = le.AppendUint16(b, uint16(c.index))
	b = appendNodes(b, c.members)
	for i := range c.entries {
		e := &c.entries[i]
		b = append(b, flagByte(e.filled))
		if !e.filled {
			continue
		}
		b = appendRing(b, e.old)
		b = le.AppendUint64(b, e.aru)
		b = le.AppendUint64(b, e.high)
		b = le.AppendUint64(b, e.delivered)
	}
	b = le.AppendUint16(b, uint16(len(c.owed)))
	for i := range c.owed {
		b = appendNodes(appendRing(b, c.owed[i].old), c.owed[i].nodes)
	}
	return b
}

// appendRingMessage writes a merge-detect or hold-cancel message: a type and a ring.
func appendRingMessage(b []byte, kind byte, id ringKey) []byte {
	return appendRing(append(b, kind), id)
}

// bootHint tells a node that its boot is older than one that the sender has accepted.
type bootHint struct {
	count uint64
	id    [16]byte
}

func (h *bootHint) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, typeBootHint), h.count)
	return append(b, h.id[:]...)
}
