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
	// Links are the nodes that this node reaches both ways, directly or over a relay. They alone decide who
	// can be in a ring with it.
	Links   Set
	Primary Primary
	// Relays means that the node uses relays, and is one. Only then Direct and Quality are present: to which
	// nodes its direct links work, and the quality of those links by node, from 0 to gradeMax.
	Relays  bool
	Direct  Set
	Quality []byte
}

// sendsTo returns the nodes that a row of this node reaches without the help of others.
func (r *Row) sendsTo() Set {
	if r.Relays {
		return r.Direct
	}
	return r.Links
}

const (
	rowFlagLeaving = 1 << 0
	rowFlagRelays  = 1 << 1
	rowFlags       = rowFlagLeaving | rowFlagRelays

	// gradeMax is the greatest quality in a row, and gradeStep the least change that is published.
	gradeMax  = 15
	gradeStep = 3
)

// append appends a row of node i of n.
func (r *Row) append(b []byte, i, n int) []byte {
	le := binary.LittleEndian
	flags := byte(0)
	if r.IsLeaving {
		flags = rowFlagLeaving
	}
	if r.Relays {
		flags |= rowFlagRelays
	}
	b = append(le.AppendUint16(b, uint16(i)), flags)
	b = le.AppendUint64(le.AppendUint64(b, r.Version.Boot), r.Version.Number)
	b = r.Links.appendTo(le.AppendUint32(b, r.Votes), n)
	b = le.AppendUint32(le.AppendUint64(b, r.Primary.Ring.Seq), uint32(r.Primary.Ring.Rep))
	b = r.Primary.Members.appendTo(b, n)
	if !r.Relays {
		return b
	}
	b = r.Direct.appendTo(b, n)
	for at := 0; at < n; at += 2 {
		pair := r.Quality[at]
		if at+1 < n {
			pair |= r.Quality[at+1] << 4
		}
		b = append(b, pair)
	}
	return b
}

// decodeDirect reads what a row has at its end if the node uses relays.
func (r *Row) decodeDirect(b []byte, i, n int) (rest []byte, ok bool) {
	if r.Direct, b, ok = decodeSet(b, n); !ok || len(b) < (n+1)/2 || r.Direct.Has(i) {
		return nil, false
	}
	r.Quality = make([]byte, 0, n+1)
	for _, pair := range b[:(n+1)/2] {
		r.Quality = append(r.Quality, pair&gradeMax, pair>>4)
	}
	if len(r.Quality) > n && r.Quality[n] != 0 {
		return nil, false
	}
	r.Quality = r.Quality[:n]
	return b[(n+1)/2:], r.Quality[i] == 0 && (!r.IsLeaving || r.Direct.IsEmpty())
}

const rowFixedBytes = 2 + 1 + 8 + 8 + 4

// decodeRow reads a row from the front of b.
func decodeRow(b []byte, n int) (r Row, i int, rest []byte, err error) {
	le := binary.LittleEndian
	if len(b) < rowFixedBytes || b[2]&^rowFlags != 0 {
		return r, 0, nil, ErrMalformed
	}
	i = int(le.Uint16(b))
	r.IsLeaving, r.Relays = b[2]&rowFlagLeaving != 0, b[2]&rowFlagRelays != 0
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
	if r.Relays {
		if b, ok = r.decodeDirect(b, i, n); !ok {
			return r, 0, nil, ErrMalformed
		}
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
