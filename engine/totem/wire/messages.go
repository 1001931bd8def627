package wire

import (
	"encoding/binary"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// The types of messages, the first byte behind the seal. 0 to 5 are Corosync's numbers; its 2, merge-detect,
// has no use here. 8 to 10 are those of package reach.
const (
	TypeToken       = 0
	TypeMcast       = 1
	TypeJoin        = 3
	TypeCommit      = 4
	TypeHoldCancel  = 5
	TypeBootHint    = 6
	TypePauseMarker = 7
)

// MaxRetransmits is the most entries in a token's retransmit list, as in Corosync.
const MaxRetransmits = 30

// Token is the right to send, with what its holder must know. The names are the paper's.
type Token struct {
	Ring               RingKey
	TokenSeq           uint64 // grows by one with each hop
	Seq                uint64 // the highest packet number given on the ring
	Ordinal            uint64 // the highest message number given on the ring
	Aru                uint64 // every member has received all packets up to here, see Node.updateAru in totem
	AruNode            ring.NodeID
	Backlog            uint32
	FlowControl        uint32
	RetransFlag        bool     // in Recovery: a member still has old packets to send
	RetransmitRequests []uint64 // packet numbers, at most MaxRetransmits
}

// RingKey identifies a ring. A representative whose disk was wiped may give a ring the id of an earlier
// one; the nonce, which the representative draws, distinguishes the two.
type RingKey struct {
	ring.ID
	Nonce uint64
}

// RingKeyBytes is the size of an encoded RingKey.
const RingKeyBytes = 8 + 4 + 8

func appendRing(b []byte, id RingKey) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Seq)
	b = binary.LittleEndian.AppendUint32(b, uint32(id.Rep))
	return binary.LittleEndian.AppendUint64(b, id.Nonce)
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

// Append appends the message, its type included.
func (t *Token) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, TypeToken, flagByte(t.RetransFlag)), t.Ring)
	b = le.AppendUint64(b, t.TokenSeq)
	b = le.AppendUint64(b, t.Seq)
	b = le.AppendUint64(b, t.Ordinal)
	b = le.AppendUint64(b, t.Aru)
	b = le.AppendUint32(b, uint32(t.AruNode))
	b = le.AppendUint32(b, t.Backlog)
	b = le.AppendUint32(b, t.FlowControl)
	b = append(b, byte(len(t.RetransmitRequests)))
	for _, seq := range t.RetransmitRequests {
		b = le.AppendUint64(b, seq)
	}
	return b
}

// A multicast packet is a McastHeader followed by chunks (chunk.go), or by one whole multicast
// packet of an older ring when it is encapsulated.
const (
	// McastHeaderBytes is the size of an encoded McastHeader.
	McastHeaderBytes = 1 + 1 + RingKeyBytes + 8 + 4 + 8

	// The flags of a multicast packet: its messages are safe; it holds one packet of an older ring.
	McastSafe         = 1 << 0
	McastEncapsulated = 1 << 1
	mcastFlags        = McastSafe | McastEncapsulated
)

// McastHeader is the fixed part of a multicast packet.
type McastHeader struct {
	Flags   byte
	Ring    RingKey
	Seq     uint64
	Author  ring.NodeID
	Ordinal uint64 // of the first message that ends in this packet
}

// Append appends the header, its type included.
func (h *McastHeader) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, TypeMcast, h.Flags), h.Ring)
	b = le.AppendUint64(b, h.Seq)
	b = le.AppendUint32(b, uint32(h.Author))
	return le.AppendUint64(b, h.Ordinal)
}

// Guarantee is that of the messages in the packet.
func (h *McastHeader) Guarantee() cpg.Guarantee {
	if h.Flags&McastSafe != 0 {
		return cpg.Safe
	}
	return cpg.Agreed
}

// Join proposes the members of the next ring.
type Join struct {
	RingSeq uint64 // highest ring sequence that the sender committed to
	Digest  uint64 // of the rows that the sender has, see reach
	Members []ring.NodeID
}

// Append appends the message, its type included.
func (j *Join) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, TypeJoin), j.RingSeq)
	return appendNodes(binary.LittleEndian.AppendUint64(b, j.Digest), j.Members)
}

// CommitEntry is what one member of a ring being formed reports about its old ring.
type CommitEntry struct {
	IsFilled          bool
	OldRing           RingKey // zero: none since the member started
	MyAru             uint64
	HighSeq           uint64
	HighRingDelivered uint64 // highest packet that any node may have delivered in the old ring
}

// Obligation names authors of an old ring whose packets must be delivered even behind a gap, because a
// member that installed a later ring may have delivered them (the obligation set of the paper). DESIGN.md
// has the argument under "Obligations behind a gap".
type Obligation struct {
	OldRing RingKey
	Authors []ring.NodeID
}

// CommitToken is the commit token: it goes around the new ring twice, see Node.onCommit in totem.
type CommitToken struct {
	Ring          RingKey
	TokenSeq      uint64
	EntriesFilled int // entries filled so far
	Members       []ring.NodeID
	Entries       []CommitEntry // by member
	Obligations   []Obligation  // of those old rings that have any
}

// Append appends the message, its type included.
func (c *CommitToken) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = appendRing(append(b, TypeCommit), c.Ring)
	b = le.AppendUint64(b, c.TokenSeq)
	b = le.AppendUint16(b, uint16(c.EntriesFilled))
	b = appendNodes(b, c.Members)
	for i := range c.Entries {
		e := &c.Entries[i]
		b = append(b, flagByte(e.IsFilled))
		if !e.IsFilled {
			continue
		}
		b = appendRing(b, e.OldRing)
		b = le.AppendUint64(b, e.MyAru)
		b = le.AppendUint64(b, e.HighSeq)
		b = le.AppendUint64(b, e.HighRingDelivered)
	}
	b = le.AppendUint16(b, uint16(len(c.Obligations)))
	for i := range c.Obligations {
		b = appendNodes(appendRing(b, c.Obligations[i].OldRing), c.Obligations[i].Authors)
	}
	return b
}

// AppendRingMessage appends a hold-cancel message: a type and a ring.
func AppendRingMessage(b []byte, kind byte, id RingKey) []byte {
	return appendRing(append(b, kind), id)
}

// BootHint notifies a node of a boot of that node that the sender has accepted.
type BootHint struct {
	Count uint64
	ID    [16]byte
}

// Append appends the message, its type included.
func (h *BootHint) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, TypeBootHint), h.Count)
	return append(b, h.ID[:]...)
}
