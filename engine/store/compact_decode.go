package store

import (
	"bytes"
	"fmt"
	"math"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// decoder reads values of the compact form from the front of data. Its results do not alias data. After
// the first failure every value is zero.
type decoder struct {
	data       []byte
	offset     int
	failure    string // what could not be read
	sharedText string // a copy of data, which strings share; "" when each is a copy of its own
}

// shareStrings makes all later strings share one copy of the message. It is for lists, whose strings are used
// only briefly.
func (d *decoder) shareStrings() { d.sharedText = string(d.data) }

func (d *decoder) fail(what string) {
	if d.failure == "" {
		d.failure = what
	}
	d.offset = len(d.data)
}

// finish returns the first failure, or an error if bytes are left.
func (d *decoder) finish() error {
	switch {
	case d.failure != "":
		return fmt.Errorf("%w of %d bytes: %s", ErrBadCompact, len(d.data), d.failure)
	case d.offset != len(d.data):
		return fmt.Errorf("%w of %d bytes: something follows it", ErrBadCompact, len(d.data))
	}
	return nil
}

func (d *decoder) byte() byte {
	if d.offset == len(d.data) {
		d.fail("it is cut off")
		return 0
	}
	b := d.data[d.offset]
	d.offset++
	return b
}

func (d *decoder) expectTag(want byte) {
	if b := d.byte(); b != want {
		d.fail(fmt.Sprintf("its type is %#x, not %#x", b, want))
	}
}

// maxVarintShift is where the tenth byte of a varint begins, of which only one bit may be set.
const maxVarintShift = 63

func (d *decoder) uint() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		b := d.byte()
		if shift == maxVarintShift && b > 1 {
			d.fail("a number is too large")
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if b == 0 && shift > 0 {
				d.fail("a number is longer than it need be")
			}
			return v
		}
	}
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) readSmallInt() int {
	v := d.int()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail("a small number is large")
		return 0
	}
	return int(v)
}

func (d *decoder) u32() uint32 {
	v := d.uint()
	if v > math.MaxUint32 {
		d.fail("a number of 32 bits is larger")
		return 0
	}
	return uint32(v)
}

func (d *decoder) node() ring.NodeID { return ring.NodeID(d.u32()) }

// elementCount is the number of elements that follow, each of at least so many bytes.
func (d *decoder) elementCount(least int) int {
	v := d.uint()
	if v > uint64((len(d.data)-d.offset)/least) {
		d.fail("a list is longer than the message")
		return 0
	}
	return int(v)
}

func (d *decoder) string() string {
	n := d.elementCount(1)
	from := d.offset
	d.offset += n
	if d.sharedText != "" {
		return d.sharedText[from:d.offset]
	}
	return string(d.data[from:d.offset])
}

// bytes are nil when there are none.
func (d *decoder) bytes() []byte {
	n := d.elementCount(1)
	from := d.offset
	if d.offset += n; n == 0 {
		return nil
	}
	return bytes.Clone(d.data[from:d.offset])
}

func (d *decoder) flags(all ...*bool) {
	b := d.byte()
	for i, on := range all {
		*on = b&(1<<i) != 0
	}
	if b>>len(all) != 0 {
		d.fail("there are unknown flags")
	}
}

func (d *decoder) entry(i *EntryInfo) {
	i.Path = d.string()
	switch d.uint() {
	case codeFile:
		i.Kind = KindFile
	case codeDirectory:
		i.Kind = KindDirectory
	case codeOther:
		if i.Kind = d.string(); i.Kind == KindFile || i.Kind == KindDirectory {
			d.fail("a kind is written out that need not be")
		}
	default:
		d.fail("an entry's kind is unknown")
	}
	i.Size, i.Created, i.Mod, i.Writer = d.readSmallInt(), d.uint(), d.uint(), d.node()
	i.MtimeMS, i.Data = d.int(), d.bytes()
}

func (d *decoder) status() *Status {
	s := &Status{}
	s.Phase, s.Reason, s.Role = Phase(d.string()), d.string(), d.role()
	s.Incarnation, s.Ring, s.Epoch = d.string(), d.string(), d.string()
	s.Node = d.node()
	if n := d.elementCount(1); n > 0 {
		s.Members = make([]ring.NodeID, n)
		for i := range s.Members {
			s.Members[i] = d.node()
		}
	}
	d.flags(&s.Quorate)
	s.Revision = d.uint()
	if n := d.elementCount(leastMemberBytes); n > 0 {
		s.Config = make([]MemberStatus, n)
		for i := range s.Config {
			s.Config[i] = MemberStatus{Node: d.node(), Votes: d.u32(), Incarnation: d.string(),
				Present: d.string(), Name: d.string(), VotelessSinceMS: d.int()}
		}
	}
	s.Pending = d.readSmallInt()
	if n := d.elementCount(leastLossBytes); n > 0 {
		s.Losses = make([]LossStatus, n)
		for i := range s.Losses {
			s.Losses[i] = LossStatus{AtMS: d.int(), From: d.uint(), To: d.uint(), Confirmed: d.uint(),
				File: d.string()}
		}
	}
	return s
}

// role reads a role, of which there is one encoded form.
func (d *decoder) role() Role {
	text := d.string()
	if Role(text) == RoleUninitialized {
		d.fail("a role has two forms")
	}
	return decodedRole(text)
}

func (d *decoder) logRecord(l *LogRecord) {
	l.Revision = d.uint()
	for _, text := range []*string{&l.Epoch, &l.Request, &l.Op, &l.Path, &l.To, &l.Digest, &l.Chain} {
		*text = d.string()
	}
}
