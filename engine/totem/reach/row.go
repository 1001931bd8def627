package reach

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrMalformed is returned for bytes that no correct node sends.
var ErrMalformed = errors.New("malformed reachability message")

// ErrOtherNodes is returned for a message of a node that is configured with other nodes. Neither can say of
// which nodes the other one speaks, so there is no link between them.
var ErrOtherNodes = errors.New("the sender has another list of nodes, and can be in no ring with this one" +
	" until both have the same")

// Version orders the rows of one node: by start of the node, then by number.
type Version struct{ Boot, Number uint64 }

// Before reports whether v is older than o.
func (v Version) Before(o Version) bool {
	return v.Boot < o.Boot || v.Boot == o.Boot && v.Number < o.Number
}

// Primary is the newest quorate ring that a node knows of. The zero value stands for none.
type Primary struct {
	Ring    ring.ID
	Members Set
}

// after reports whether p is newer than o. A node whose disk was wiped may give a ring the id of an earlier
// one, so the members decide last: all nodes must choose the same.
func (p *Primary) after(o *Primary) bool {
	if c := p.Ring.Compare(o.Ring); c != 0 {
		return c > 0
	}
	return slices.Compare(p.Members[:], o.Members[:]) > 0
}

// Row is what one node reports: facts about itself and its own links, and nothing about others.
type Row struct {
	Version Version
	// IsLeaving means that the node has left in order and is in no ring.
	IsLeaving bool
	Votes     uint32
	Links     Set // the nodes to which this node has a link that works both ways
	Primary   Primary
}

const rowFlagLeaving = 1

// append appends a row of node i of n.
func (r *Row) append(b []byte, i, n int) []byte {
	le := binary.LittleEndian
	flags := byte(0)
	if r.IsLeaving {
		flags = rowFlagLeaving
	}
	b = append(le.AppendUint16(b, uint16(i)), flags)
	b = le.AppendUint64(le.AppendUint64(b, r.Version.Boot), r.Version.Number)
	b = r.Links.appendTo(le.AppendUint32(b, r.Votes), n)
	b = le.AppendUint32(le.AppendUint64(b, r.Primary.Ring.Seq), uint32(r.Primary.Ring.Rep))
	return r.Primary.Members.appendTo(b, n)
}

const rowFixedBytes = 2 + 1 + 8 + 8 + 4

// decodeRow reads a row from the front of b.
func decodeRow(b []byte, n int) (r Row, i int, rest []byte, err error) {
	le := binary.LittleEndian
	if len(b) < rowFixedBytes || b[2]&^rowFlagLeaving != 0 {
		return r, 0, nil, ErrMalformed
	}
	i = int(le.Uint16(b))
	r.IsLeaving = b[2] == rowFlagLeaving
	r.Version = Version{Boot: le.Uint64(b[3:]), Number: le.Uint64(b[11:])}
	r.Votes = le.Uint32(b[19:])
	var ok bool
	if r.Links, b, ok = decodeSet(b[rowFixedBytes:], n); !ok || len(b) < 8+4 {
		return r, 0, nil, ErrMalformed
	}
	r.Primary.Ring = ring.ID{Seq: le.Uint64(b), Rep: ring.NodeID(le.Uint32(b[8:]))}
	r.Primary.Members, b, ok = decodeSet(b[12:], n)
	if !ok || i >= n || r.Links.Has(i) || r.Version.Boot == 0 || r.Votes > votesMax ||
		r.Primary.Ring.IsZero() != r.Primary.Members.IsEmpty() || r.IsLeaving && !r.Links.IsEmpty() {
		return r, 0, nil, ErrMalformed
	}
	return r, i, b, nil
}

// votesMax bounds the votes of one node, as in Corosync.
const votesMax = 65535

// nodesHash identifies a list of nodes, and the version of the rules by which rows are read.
func nodesHash(nodes []ring.NodeID) uint64 {
	h := fnv.New64a()
	b := []byte("rules 1")
	for _, id := range nodes {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	h.Write(b)
	return h.Sum64()
}
