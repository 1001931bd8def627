package totem

import (
	"encoding/binary"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Message types, the first byte behind the seal. 0 to 5 are Corosync's numbers; its 2, merge-detect, has no
// use here. 8 to 10 are those of package reach.
const (
	typeToken       = 0
	typeMcast       = 1
	typeJoin        = 3
	typeCommit      = 4
	typeHoldCancel  = 5
	typeBootHint    = 6
	typePauseMarker = 7
)

// token is the right to send, with what its holder must know. The names are the paper's.
type token struct {
	ring               ringKey
	tokenSeq           uint64 // grows by one with each hop
	seq                uint64 // the highest packet number given on the ring
	ordinal            uint64 // the highest message number given on the ring
	aru                uint64 // every member has received all packets up to here, see updateAru
	aruNode            ring.NodeID
	backlog            uint32
	flowControl        uint32
	retransFlag        bool // in Recovery: a member still has old packets to send
	retransmitRequests []uint64
}

// ringKey identifies a ring. A representative whose disk was wiped may give a ring the id of an earlier
// one; the nonce, which the representative draws, distinguishes the two.
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
	b = le.AppendUint32(b, t.flowControl)
	b = append(b, byte(len(t.retransmitRequests)))
	for _, seq := range t.retransmitRequests {
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
	author  ring.NodeID
	ordinal uint64 // of the first message that ends in this packet
}

func (h *mcastHeader) append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, typeMcast, h.flags), h.ring)
	b = le.AppendUint64(b, h.seq)
	b = le.AppendUint32(b, uint32(h.author))
	return le.AppendUint64(b, h.ordinal)
}

func (h *mcastHeader) guarantee() cpg.Guarantee {
	if h.flags&mcastSafe != 0 {
		return cpg.Safe
	}
	return cpg.Agreed
}

// joinMessage proposes the members of the next ring.
type joinMessage struct {
	ringSeq uint64 // highest ring sequence that the sender committed to
	digest  uint64 // of the rows that the sender has, see reach
	members []ring.NodeID
}

func (j *joinMessage) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, typeJoin), j.ringSeq)
	return appendNodes(binary.LittleEndian.AppendUint64(b, j.digest), j.members)
}

// commitEntry is what one member of a ring being formed reports about its old ring.
type commitEntry struct {
	isFilled          bool
	oldRing           ringKey // zero: none since the member started
	myAru             uint64
	highSeq           uint64
	highRingDelivered uint64 // highest packet that any node may have delivered in the old ring
}

// obligation names authors of an old ring whose packets must be delivered even behind a gap, because a
// member that installed a later ring may have delivered them (the obligation set of the paper). DESIGN.md
// has the argument under "Obligations behind a gap".
type obligation struct {
	oldRing ringKey
	authors []ring.NodeID
}

// commitToken is the commit token: it goes around the new ring twice, see onCommit.
type commitToken struct {
	ring          ringKey
	tokenSeq      uint64
	entriesFilled int // entries filled so far
	members       []ring.NodeID
	entries       []commitEntry // by member
	obligations   []obligation  // of those old rings that have any
}

func (c *commitToken) append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, typeCommit), c.ring)
	b = le.AppendUint64(b, c.tokenSeq)
	b = le.AppendUint16(b, uint16(c.entriesFilled))
	b = appendNodes(b, c.members)
	for i := range c.entries {
		e := &c.entries[i]
		b = append(b, flagByte(e.isFilled))
		if !e.isFilled {
			continue
		}
		b = appendRing(b, e.oldRing)
		b = le.AppendUint64(b, e.myAru)
		b = le.AppendUint64(b, e.highSeq)
		b = le.AppendUint64(b, e.highRingDelivered)
	}
	b = le.AppendUint16(b, uint16(len(c.obligations)))
	for i := range c.obligations {
		b = appendNodes(appendRing(b, c.obligations[i].oldRing), c.obligations[i].authors)
	}
	return b
}

// appendRingMessage writes a hold-cancel message: a type and a ring.
func appendRingMessage(b []byte, kind byte, id ringKey) []byte {
	return appendRing(append(b, kind), id)
}

// bootHint notifies a node of a boot of that node that the sender has accepted.
type bootHint struct {
	count uint64
	id    [16]byte
}

func (h *bootHint) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, typeBootHint), h.count)
	return append(b, h.id[:]...)
}
