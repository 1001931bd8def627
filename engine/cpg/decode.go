package cpg

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Decode reads a message, whose payload aliases data. It fails with ErrMalformed.
func Decode(data []byte) (Message, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	d := decoder{rest: data[1:]}
	var m Message
	switch data[0] {
	case tagHello:
		m = Hello{}
	case tagReform:
		m = Reform{}
	case tagLeave:
		m = Leave{}
	case tagMulticast:
		m = d.multicast()
	case tagBusy:
		m = Busy{Cookie: d.u64()}
	case tagDeliver:
		m = d.deliver()
	case tagConfig:
		kind, greeting := Kind(d.takeEnum(2)), d.takeEnum(2) == 1
		m = Config{Kind: kind, Greeting: greeting, Ring: d.ring(),
			Members: d.nodes(), Joined: d.nodes(), Left: d.nodes()}
	case tagQuorum:
		quorate := d.takeEnum(2) == 1
		m = Quorum{Quorate: quorate, Ring: d.ring(), Votes: d.u32(), Expected: d.u32(), QuorumVotes: d.u32()}
	default:
		return nil, fmt.Errorf("%w: unknown type %d", ErrMalformed, data[0])
	}
	if d.isMalformed || len(d.rest) != 0 {
		return nil, fmt.Errorf("%w: type %d with %d bytes", ErrMalformed, data[0], len(data))
	}
	return m, nil
}

// DecodeDeliver reads a message if it is a Deliver, without making a [Message] of it. Most messages to a
// client are.
func DecodeDeliver(data []byte) (m Deliver, ok bool) {
	if len(data) == 0 || data[0] != tagDeliver {
		return m, false
	}
	d := decoder{rest: data[1:]}
	m = d.deliver()
	return m, !d.isMalformed
}

// DecodeMulticast reads a message if it is a Multicast, without making a [Message] of it. Most messages of a
// client are.
func DecodeMulticast(data []byte) (m Multicast, ok bool) {
	if len(data) == 0 || data[0] != tagMulticast {
		return m, false
	}
	d := decoder{rest: data[1:]}
	m = d.multicast()
	return m, !d.isMalformed
}

func (d *decoder) multicast() Multicast {
	return Multicast{Guarantee: Guarantee(d.takeEnum(2)), Cookie: d.u64(), Payload: d.takeRest()}
}

func (d *decoder) deliver() Deliver {
	return Deliver{Ring: d.ring(), Seq: d.u64(), From: d.node(), Payload: d.takeRest()}
}

// decoder reads values from the front of rest; after the first failure every value is zero.
type decoder struct {
	rest        []byte
	isMalformed bool
}

func (d *decoder) takeBytes(n int) []byte {
	if d.isMalformed || len(d.rest) < n {
		d.isMalformed = true
		return make([]byte, n)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) takeRest() []byte { return d.takeBytes(len(d.rest)) }

func (d *decoder) takeEnum(limit byte) byte {
	v := d.takeBytes(1)[0]
	if v >= limit {
		d.isMalformed = true
		return 0
	}
	return v
}

func (d *decoder) u32() uint32       { return binary.LittleEndian.Uint32(d.takeBytes(4)) }
func (d *decoder) u64() uint64       { return binary.LittleEndian.Uint64(d.takeBytes(8)) }
func (d *decoder) node() ring.NodeID { return ring.NodeID(d.u32()) }
func (d *decoder) ring() ring.ID     { return ring.ID{Seq: d.u64(), Rep: d.node()} }

func (d *decoder) nodes() []ring.NodeID {
	n := int(binary.LittleEndian.Uint16(d.takeBytes(2)))
	if n > ring.MaxNodes {
		d.isMalformed = true
	}
	if d.isMalformed || n == 0 {
		return nil
	}
	ids := make([]ring.NodeID, n)
	for i := range ids {
		ids[i] = d.node()
	}
	return ids
}
