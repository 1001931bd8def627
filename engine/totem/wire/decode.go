package wire

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrMalformed is returned by every decoder for bytes that no correct node sends.
var ErrMalformed = errors.New("malformed ring message")

// decoder reads values from the front of rest; after the first failure every value is zero.
type decoder struct {
	rest        []byte
	isMalformed bool
}

func (d *decoder) hasBytes(n int) bool {
	if d.isMalformed || len(d.rest) < n {
		d.isMalformed = true
		return false
	}
	return true
}

func (d *decoder) u8() byte {
	if !d.hasBytes(1) {
		return 0
	}
	v := d.rest[0]
	d.rest = d.rest[1:]
	return v
}

func (d *decoder) u16() uint16 {
	if !d.hasBytes(2) {
		return 0
	}
	v := binary.LittleEndian.Uint16(d.rest)
	d.rest = d.rest[2:]
	return v
}

func (d *decoder) u32() uint32 {
	if !d.hasBytes(4) {
		return 0
	}
	v := binary.LittleEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return v
}

func (d *decoder) u64() uint64 {
	if !d.hasBytes(8) {
		return 0
	}
	v := binary.LittleEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return v
}

// flags reads a byte and fails if it has other bits than the allowed ones.
func (d *decoder) flags(allowed byte) byte {
	v := d.u8()
	if v&^allowed != 0 {
		d.isMalformed = true
	}
	return v
}

func (d *decoder) node() ring.NodeID { return ring.NodeID(d.u32()) }
func (d *decoder) ring() RingKey {
	return RingKey{ID: ring.ID{Seq: d.u64(), Rep: d.node()}, Nonce: d.u64()}
}

// nodes reads a strictly ascending list of node ids into dst.
func (d *decoder) nodes(dst []ring.NodeID) []ring.NodeID {
	dst = dst[:0]
	n := int(d.u16())
	if n > ring.MaxNodes || !d.hasBytes(4*n) {
		d.isMalformed = true
		return dst
	}
	last := ring.NodeID(0)
	for range n {
		id := d.node()
		if id <= last {
			d.isMalformed = true
			return dst
		}
		dst, last = append(dst, id), id
	}
	return dst
}

func (d *decoder) end() error {
	if d.isMalformed || len(d.rest) != 0 {
		return ErrMalformed
	}
	return nil
}

// Decode reads a token, reusing t's retransmit list. b begins behind the type byte, as in all
// decoders.
func (t *Token) Decode(b []byte) error {
	d := decoder{rest: b}
	t.RetransFlag = d.flags(1) != 0
	t.Ring = d.ring()
	t.TokenSeq, t.Seq, t.Ordinal, t.Aru = d.u64(), d.u64(), d.u64(), d.u64()
	t.AruNode = d.node()
	t.Backlog, t.FlowControl = d.u32(), d.u32()
	n := int(d.u8())
	t.RetransmitRequests = t.RetransmitRequests[:0]
	if n > MaxRetransmits || d.isMalformed || len(d.rest) != 8*n {
		return ErrMalformed
	}
	for range n {
		seq := d.u64()
		if seq == 0 || seq > t.Seq || slices.Contains(t.RetransmitRequests, seq) {
			return ErrMalformed
		}
		t.RetransmitRequests = append(t.RetransmitRequests, seq)
	}
	if t.Aru > t.Seq || t.Ring.IsZero() || t.TokenSeq == 0 {
		return ErrMalformed
	}
	return d.end()
}

// Decode reads the header of a multicast packet; the rest of b is its body.
func (h *McastHeader) Decode(b []byte) (body []byte, err error) {
	d := decoder{rest: b}
	h.Flags = d.flags(mcastFlags)
	h.Ring, h.Seq, h.Author, h.Ordinal = d.ring(), d.u64(), d.node(), d.u64()
	if d.isMalformed || h.Seq == 0 || h.Author == 0 || h.Ring.IsZero() || len(d.rest) == 0 {
		return nil, ErrMalformed
	}
	return d.rest, nil
}

// Decode reads a join, reusing j's members.
func (j *Join) Decode(b []byte) error {
	d := decoder{rest: b}
	j.RingSeq, j.Digest, j.Members = d.u64(), d.u64(), d.nodes(j.Members)
	if len(j.Members) == 0 {
		return ErrMalformed
	}
	return d.end()
}

// Decode reads a commit token, reusing the memory of c's members and entries.
func (c *CommitToken) Decode(b []byte) error {
	d := decoder{rest: b}
	c.Ring, c.TokenSeq, c.EntriesFilled = d.ring(), d.u64(), int(d.u16())
	c.Members = d.nodes(c.Members)
	if d.isMalformed || len(c.Members) == 0 || c.Ring.Rep != c.Members[0] || c.Ring.Seq == 0 ||
		c.EntriesFilled == 0 || c.EntriesFilled > len(c.Members) {
		return ErrMalformed
	}
	c.Entries = slices.Grow(c.Entries[:0], len(c.Members))[:len(c.Members)]
	for i := range c.Entries {
		if err := c.Entries[i].decode(&d); err != nil || c.Entries[i].IsFilled != (i < c.EntriesFilled) {
			return ErrMalformed
		}
	}
	n := int(d.u16())
	if n > len(c.Members) {
		return ErrMalformed
	}
	c.Obligations = nil
	for range n {
		o := Obligation{OldRing: d.ring(), Authors: d.nodes(nil)}
		if d.isMalformed || o.OldRing.IsZero() || len(o.Authors) == 0 || c.ObligationOf(o.OldRing) != nil {
			return ErrMalformed
		}
		c.Obligations = append(c.Obligations, o)
	}
	return d.end()
}

// ObligationOf returns the authors of the obligation of an old ring, nil if there is none.
func (c *CommitToken) ObligationOf(old RingKey) []ring.NodeID {
	for i := range c.Obligations {
		if c.Obligations[i].OldRing == old {
			return c.Obligations[i].Authors
		}
	}
	return nil
}

// AddObligation adds authors to the obligation of an old ring.
func (c *CommitToken) AddObligation(old RingKey, nodes []ring.NodeID) {
	if len(nodes) == 0 {
		return
	}
	for i := range c.Obligations {
		if c.Obligations[i].OldRing == old {
			authors := append(c.Obligations[i].Authors, nodes...)
			slices.Sort(authors)
			c.Obligations[i].Authors = slices.Compact(authors)
			return
		}
	}
	c.Obligations = append(c.Obligations, Obligation{OldRing: old, Authors: slices.Clone(nodes)})
}

func (e *CommitEntry) decode(d *decoder) error {
	*e = CommitEntry{IsFilled: d.flags(1) != 0}
	if !e.IsFilled {
		return nil
	}
	e.OldRing = d.ring()
	e.MyAru, e.HighSeq, e.HighRingDelivered = d.u64(), d.u64(), d.u64()
	if d.isMalformed || e.MyAru > e.HighSeq || e.OldRing.IsZero() && (e.HighSeq != 0 ||
		e.HighRingDelivered != 0) {
		return ErrMalformed
	}
	return nil
}

// DecodeRingMessage reads what AppendRingMessage appends.
func DecodeRingMessage(b []byte) (RingKey, error) {
	d := decoder{rest: b}
	id := d.ring()
	if id.IsZero() {
		return id, ErrMalformed
	}
	return id, d.end()
}

// Decode reads a boot hint.
func (h *BootHint) Decode(b []byte) error {
	d := decoder{rest: b}
	h.Count = d.u64()
	if !d.hasBytes(len(h.ID)) || h.Count == 0 {
		return ErrMalformed
	}
	copy(h.ID[:], d.rest)
	d.rest = d.rest[len(h.ID):]
	return d.end()
}
