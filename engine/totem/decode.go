package totem

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
func (d *decoder) ring() ringKey {
	return ringKey{ID: ring.ID{Seq: d.u64(), Rep: d.node()}, nonce: d.u64()}
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

// decode reads a token, reusing t's retransmit list. b begins behind the type byte, as in all
// decoders.
func (t *token) decode(b []byte) error {
	d := decoder{rest: b}
	t.retransFlag = d.flags(1) != 0
	t.ring = d.ring()
	t.tokenSeq, t.seq, t.ordinal, t.aru = d.u64(), d.u64(), d.u64(), d.u64()
	t.aruNode = d.node()
	t.backlog, t.flowControl = d.u32(), d.u32()
	n := int(d.u8())
	t.retransmitRequests = t.retransmitRequests[:0]
	if n > MaxRetransmits || d.isMalformed || len(d.rest) != 8*n {
		return ErrMalformed
	}
	for range n {
		seq := d.u64()
		if seq == 0 || seq > t.seq || slices.Contains(t.retransmitRequests, seq) {
			return ErrMalformed
		}
		t.retransmitRequests = append(t.retransmitRequests, seq)
	}
	if t.aru > t.seq || t.ring.IsZero() || t.tokenSeq == 0 {
		return ErrMalformed
	}
	return d.end()
}

// decode reads the header of a multicast packet; the rest of b is its body.
func (h *mcastHeader) decode(b []byte) (body []byte, err error) {
	d := decoder{rest: b}
	h.flags = d.flags(mcastFlags)
	h.ring, h.seq, h.author, h.ordinal = d.ring(), d.u64(), d.node(), d.u64()
	if d.isMalformed || h.seq == 0 || h.author == 0 || h.ring.IsZero() || len(d.rest) == 0 {
		return nil, ErrMalformed
	}
	return d.rest, nil
}

func (j *joinMessage) decode(b []byte) error {
	d := decoder{rest: b}
	j.ringSeq, j.digest, j.members = d.u64(), d.u64(), d.nodes(j.members)
	if len(j.members) == 0 {
		return ErrMalformed
	}
	return d.end()
}

func (c *commitToken) decode(b []byte) error {
	d := decoder{rest: b}
	c.ring, c.tokenSeq, c.entriesFilled = d.ring(), d.u64(), int(d.u16())
	c.members = d.nodes(c.members)
	if d.isMalformed || len(c.members) == 0 || c.ring.Rep != c.members[0] || c.ring.Seq == 0 ||
		c.entriesFilled == 0 || c.entriesFilled > len(c.members) {
		return ErrMalformed
	}
	c.entries = slices.Grow(c.entries[:0], len(c.members))[:len(c.members)]
	for i := range c.entries {
		if err := c.entries[i].decode(&d); err != nil || c.entries[i].isFilled != (i < c.entriesFilled) {
			return ErrMalformed
		}
	}
	n := int(d.u16())
	if n > len(c.members) {
		return ErrMalformed
	}
	c.obligations = nil
	for range n {
		o := obligation{oldRing: d.ring(), authors: d.nodes(nil)}
		if d.isMalformed || o.oldRing.IsZero() || len(o.authors) == 0 || c.obligationOf(o.oldRing) != nil {
			return ErrMalformed
		}
		c.obligations = append(c.obligations, o)
	}
	return d.end()
}

// obligationOf returns the authors of the obligation of an old ring, nil if there is none.
func (c *commitToken) obligationOf(old ringKey) []ring.NodeID {
	for i := range c.obligations {
		if c.obligations[i].oldRing == old {
			return c.obligations[i].authors
		}
	}
	return nil
}

// addObligation adds authors to the obligation of an old ring.
func (c *commitToken) addObligation(old ringKey, nodes []ring.NodeID) {
	if len(nodes) == 0 {
		return
	}
	for i := range c.obligations {
		if c.obligations[i].oldRing == old {
			c.obligations[i].authors = union(c.obligations[i].authors, nodes)
			return
		}
	}
	c.obligations = append(c.obligations, obligation{oldRing: old, authors: slices.Clone(nodes)})
}

func (e *commitEntry) decode(d *decoder) error {
	*e = commitEntry{isFilled: d.flags(1) != 0}
	if !e.isFilled {
		return nil
	}
	e.oldRing = d.ring()
	e.myAru, e.highSeq, e.highRingDelivered = d.u64(), d.u64(), d.u64()
	if d.isMalformed || e.myAru > e.highSeq || e.oldRing.IsZero() && (e.highSeq != 0 ||
		e.highRingDelivered != 0) {
		return ErrMalformed
	}
	return nil
}

func decodeRingMessage(b []byte) (ringKey, error) {
	d := decoder{rest: b}
	id := d.ring()
	if id.IsZero() {
		return id, ErrMalformed
	}
	return id, d.end()
}

func (h *bootHint) decode(b []byte) error {
	d := decoder{rest: b}
	h.count = d.u64()
	if !d.hasBytes(len(h.id)) || h.count == 0 {
		return ErrMalformed
	}
	copy(h.id[:], d.rest)
	d.rest = d.rest[len(h.id):]
	return d.end()
}
