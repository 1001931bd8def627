package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
)

type messageKind uint8

const (
	kindVoteRequest messageKind = 1 + iota
	kindVoteReply
	kindAppendRequest
	kindAppendReply
	kindForward // a client's request, on its way to the leader
	kindAnswer  // the leader's answer to it
	kinds
)

// Limits of what a message may hold.
const (
	maxKeyBytes     = 128
	maxValueBytes   = 16 << 10
	maxSessionBytes = 64
	// maxEntries bounds the entries of one message, so that they fit into a datagram with short values.
	maxEntries      = 64
	maxMessageBytes = 60 << 10
)

// message is what replicas send each other. A kind uses only some of the fields.
type message struct {
	Kind messageKind
	Term uint64
	// Index is the last index of a candidate's log, the index before the entries of an append request, or
	// the index up to which a follower's log is known to match. LogTerm is the term of the entry there.
	Index, LogTerm uint64
	Commit         uint64 // the leader's
	Success        bool   // of a reply
	Entries        []entry
	Number         uint64 // of a forwarded request
	Command        command
	Answer         answer
}

// entry is one position of the log.
type entry struct {
	Term    uint64
	Command command
}

type function uint8

const (
	read function = 1 + iota
	write
)

// command is a request of a client.
type command struct {
	Function function
	Key      string
	Value    string
	// Session and Serial identify a request. A session has one request at a time.
	Session string
	Serial  uint64
}

type status uint8

const (
	statusOK status = 1 + iota
	// statusUnknown: the request may have been applied or may be later, for example because a later one of
	// its session was applied.
	statusUnknown
	// statusRefused: the request was not applied and never will be.
	statusRefused
	statuses
)

// answer is what a command returned.
type answer struct {
	Status status
	Value  string // of a read; "" before the first write
	Reason string // why it was refused
}

var errMalformed = errors.New("malformed message")

func (m *message) encode() []byte {
	b := append(make([]byte, 0, 64), byte(m.Kind))
	for _, number := range []uint64{m.Term, m.Index, m.LogTerm, m.Commit} {
		b = binary.AppendUvarint(b, number)
	}
	b = appendBool(b, m.Success)
	switch m.Kind {
	case kindAppendRequest:
		b = binary.AppendUvarint(b, uint64(len(m.Entries)))
		for i := range m.Entries {
			b = appendEntry(b, &m.Entries[i])
		}
	case kindForward:
		b = appendCommand(binary.AppendUvarint(b, m.Number), &m.Command)
	case kindAnswer:
		b = append(binary.AppendUvarint(b, m.Number), byte(m.Answer.Status))
		b = appendText(appendText(b, m.Answer.Value), m.Answer.Reason)
	}
	return b
}

func appendBool(b []byte, value bool) []byte {
	if value {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendEntry(b []byte, e *entry) []byte {
	return appendCommand(binary.AppendUvarint(b, e.Term), &e.Command)
}

func appendCommand(b []byte, c *command) []byte {
	b = append(b, byte(c.Function))
	b = appendText(appendText(b, c.Key), c.Value)
	return binary.AppendUvarint(appendText(b, c.Session), c.Serial)
}

// decode reads a message. A datagram can hold anything.
func decode(b []byte) (message, error) {
	d := decoder{rest: b}
	m := message{Kind: messageKind(d.byte())}
	m.Term, m.Index, m.LogTerm, m.Commit = d.number(), d.number(), d.number(), d.number()
	m.Success = d.bool()
	switch m.Kind {
	case kindAppendRequest:
		count := d.number()
		d.require(count <= maxEntries)
		for i := uint64(0); i < count && !d.failed; i++ {
			m.Entries = append(m.Entries, d.entry())
		}
	case kindForward:
		m.Number, m.Command = d.number(), d.command()
	case kindAnswer:
		m.Number = d.number()
		m.Answer = answer{Status: status(d.byte()), Value: d.text(maxValueBytes),
			Reason: d.text(maxValueBytes)}
		d.require(m.Answer.Status > 0 && m.Answer.Status < statuses)
	}
	d.require(m.Kind > 0 && m.Kind < kinds && len(d.rest) == 0)
	if d.failed {
		return message{}, fmt.Errorf("%w of %d bytes", errMalformed, len(b))
	}
	return m, nil
}

// decoder reads values one after the other. After the first that is not there, all are zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) require(ok bool) {
	if !ok {
		d.failed, d.rest = true, nil
	}
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.require(false)
		return 0
	}
	first := d.rest[0]
	d.rest = d.rest[1:]
	return first
}

func (d *decoder) bool() bool {
	b := d.byte()
	d.require(b <= 1)
	return b == 1
}

func (d *decoder) number() uint64 {
	value, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.require(false)
		return 0
	}
	d.rest = d.rest[size:]
	return value
}

func (d *decoder) text(limitBytes uint64) string {
	size := d.number()
	if size > limitBytes || size > uint64(len(d.rest)) {
		d.require(false)
		return ""
	}
	text := string(d.rest[:size])
	d.rest = d.rest[size:]
	return text
}

func (d *decoder) entry() entry { return entry{Term: d.number(), Command: d.command()} }

func (d *decoder) command() command {
	c := command{Function: function(d.byte()), Key: d.text(maxKeyBytes), Value: d.text(maxValueBytes),
		Session: d.text(maxSessionBytes), Serial: d.number()}
	d.require(c.problem() == "")
	return c
}

// problem returns what is wrong with a command; "" when nothing is.
func (c *command) problem() string {
	switch {
	case c.Function != read && c.Function != write:
		return "unknown operation: use read or write"
	case c.Key == "" || len(c.Key) > maxKeyBytes:
		return fmt.Sprintf("a key has 1 to %d bytes", maxKeyBytes)
	case len(c.Value) > maxValueBytes:
		return fmt.Sprintf("a value has at most %d bytes", maxValueBytes)
	case c.Session == "" || len(c.Session) > maxSessionBytes:
		return fmt.Sprintf("a session has 1 to %d bytes", maxSessionBytes)
	}
	return ""
}
