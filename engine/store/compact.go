package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// The compact form of requests and responses is what the store and the other processes of its
// machine send each other: the HA manager asks so often that JSON cost more than all the rest.
// External clients, and people, use JSON.
//
// A message is a byte that names its type and version, then every field in the order of its
// struct. Unsigned numbers are varints, signed ones zigzag varints; strings and bytes come behind
// their length, lists behind their number. Empty bytes and lists are as good as none.
const (
	compactRequest  = 0x11
	compactResponse = 0x21
)

// ErrBadCompact is wrapped by every error of reading the compact form.
var ErrBadCompact = errors.New("bad local store message")

// EncodeCompact writes a request in the compact form.
func (r *Request) EncodeCompact() []byte {
	e := encoder(make([]byte, 0, 64+len(r.ID)+len(r.Path)+len(r.To)+len(r.Data)+len(r.After)))
	e = append(e, compactRequest)
	e.string(r.ID)
	e.string(r.Op)
	e.string(r.Path)
	e.string(r.To)
	e.bytes(r.Data)
	e.uint(r.Expect)
	e.flags(r.Local, r.Deep, r.Names, r.Retry, r.Chain != "")
	e.uint(r.Since)
	if r.Chain != "" {
		e.string(r.Chain)
	}
	e.string(r.After)
	e.int(int64(r.Limit))
	e.uint(r.From)
	e.uint(uint64(r.Node))
	e.string(r.Incarnation)
	return e
}

// DecodeCompactRequest reads a request in the compact form and refuses what [DecodeRequest]
// refuses: nothing may follow it, everything must be within its bounds. It keeps nothing of data.
// It fails with ErrBadRequest.
func DecodeCompactRequest(data []byte) (*Request, error) {
	if len(data) > MaxRequestBytes {
		return nil, fmt.Errorf("%w: %d bytes is more than %d", ErrBadRequest, len(data), MaxRequestBytes)
	}
	d := decoder{data: data}
	d.expectTag(compactRequest)
	r := &Request{ID: d.string(), Op: d.string(), Path: d.string(), To: d.string(), Data: d.bytes(),
		Expect: d.uint()}
	var chain bool
	d.flags(&r.Local, &r.Deep, &r.Names, &r.Retry, &chain)
	if r.Since = d.uint(); chain {
		if r.Chain = d.string(); r.Chain == "" {
			return nil, fmt.Errorf("%w: a chain is announced and missing", ErrBadRequest)
		}
	}
	r.After, r.Limit, r.From = d.string(), d.readSmallInt(), d.uint()
	r.Node, r.Incarnation = d.node(), d.string()
	if err := d.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return r, nil
}

// EncodeCompact writes a response in the compact form.
func (r *Response) EncodeCompact() []byte {
	e := encoder(make([]byte, 0, r.sizeHint()))
	e = append(e, compactResponse)
	e.string(r.ID)
	e.flags(r.OK, r.Remembered, r.More, r.Entry != nil, r.Status != nil, r.Changed)
	e.string(string(r.Code))
	e.string(r.Message)
	e.uint(r.Revision)
	e.uint(r.Actual)
	if r.Entry != nil {
		e.entry(r.Entry)
	}
	e.uint(uint64(len(r.Entries)))
	for i := range r.Entries {
		e.entry(&r.Entries[i])
	}
	e.uint(uint64(len(r.Paths)))
	for _, path := range r.Paths {
		e.string(path)
	}
	if r.Status != nil {
		e.status(r.Status)
	}
	e.string(r.Digest)
	e.string(r.Chain)
	e.uint(uint64(len(r.Log)))
	for i := range r.Log {
		e.logRecord(&r.Log[i])
	}
	return e
}

// sizeHint is about how long the compact form is.
func (r *Response) sizeHint() int {
	n := 96 + len(r.ID) + len(r.Message) + 160*len(r.Log)
	if r.Entry != nil {
		n += 48 + len(r.Entry.Path) + len(r.Entry.Data)
	}
	for i := range r.Entries {
		n += 32 + len(r.Entries[i].Path) + len(r.Entries[i].Data)
	}
	for _, path := range r.Paths {
		n += 2 + len(path)
	}
	if r.Status != nil {
		n += 160 + 80*len(r.Status.Config)
	}
	return n
}

// DecodeCompactResponse reads a response in the compact form. It keeps nothing of data and fails
// with ErrBadCompact.
func DecodeCompactResponse(data []byte) (*Response, error) {
	d := decoder{data: data}
	d.expectTag(compactResponse)
	r := &Response{ID: d.string()}
	var entry, status bool
	d.flags(&r.OK, &r.Remembered, &r.More, &entry, &status, &r.Changed)
	r.Code, r.Message = tree.Code(d.string()), d.string()
	r.Revision, r.Actual = d.uint(), d.uint()
	if entry {
		r.Entry = &EntryInfo{}
		d.entry(r.Entry)
	} else {
		d.shareStrings()
	}
	if n := d.elementCount(leastEntryBytes); n > 0 {
		r.Entries = make([]EntryInfo, n)
		for i := range r.Entries {
			d.entry(&r.Entries[i])
		}
	}
	if n := d.elementCount(1); n > 0 {
		r.Paths = make([]string, n)
		for i := range r.Paths {
			r.Paths[i] = d.string()
		}
	}
	if status {
		r.Status = d.status()
	}
	r.Digest, r.Chain = d.string(), d.string()
	if n := d.elementCount(leastLogBytes); n > 0 {
		r.Log = make([]LogRecord, n)
		for i := range r.Log {
			d.logRecord(&r.Log[i])
		}
	}
	if err := d.finish(); err != nil {
		return nil, err
	}
	return r, nil
}

// The fewest bytes that an element of a list takes: what a count can be at most follows from it.
const (
	leastEntryBytes  = 8
	leastLogBytes    = 8
	leastMemberBytes = 6
	leastLossBytes   = 5
)

// encoder is the compact form so far.
type encoder []byte

func (e *encoder) uint(v uint64) { *e = binary.AppendUvarint(*e, v) }
func (e *encoder) int(v int64)   { *e = binary.AppendVarint(*e, v) }

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) bytes(b []byte) {
	e.uint(uint64(len(b)))
	*e = append(*e, b...)
}

// flags packs up to eight into a byte.
func (e *encoder) flags(all ...bool) {
	var b byte
	for i, on := range all {
		if on {
			b |= 1 << i
		}
	}
	*e = append(*e, b)
}

// Kinds of entries in one byte; any other is written out behind codeOther.
const (
	codeOther = iota
	codeFile
	codeDirectory
)

func (e *encoder) entry(i *EntryInfo) {
	e.string(i.Path)
	switch i.Kind {
	case KindFile:
		e.uint(codeFile)
	case KindDirectory:
		e.uint(codeDirectory)
	default:
		e.uint(codeOther)
		e.string(i.Kind)
	}
	e.int(int64(i.Size))
	e.uint(i.Created)
	e.uint(i.Mod)
	e.uint(uint64(i.Writer))
	e.int(i.MtimeMS)
	e.bytes(i.Data)
}

func (e *encoder) status(s *Status) {
	for _, text := range [...]string{string(s.Phase), s.Reason, string(s.Role.encoded()), s.Incarnation,
		s.Ring, s.Epoch} {
		e.string(text)
	}
	e.uint(uint64(s.Node))
	e.uint(uint64(len(s.Members)))
	for _, n := range s.Members {
		e.uint(uint64(n))
	}
	e.flags(s.Quorate)
	e.uint(s.Revision)
	e.uint(uint64(len(s.Config)))
	for i := range s.Config {
		m := &s.Config[i]
		e.uint(uint64(m.Node))
		e.uint(uint64(m.Votes))
		e.string(m.Incarnation)
		e.string(m.Present)
		e.string(m.Name)
		e.int(m.VotelessSinceMS)
	}
	e.int(int64(s.Pending))
	e.uint(uint64(len(s.Losses)))
	for i := range s.Losses {
		l := &s.Losses[i]
		e.int(l.AtMS)
		e.uint(l.From)
		e.uint(l.To)
		e.uint(l.Confirmed)
		e.string(l.File)
	}
}

func (e *encoder) logRecord(l *LogRecord) {
	e.uint(l.Revision)
	for _, text := range []string{l.Epoch, l.Request, l.Op, l.Path, l.To, l.Digest, l.Chain} {
		e.string(text)
	}
}
