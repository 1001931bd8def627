package totem

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// assembler joins the pieces of messages, for each sender apart. Pieces never cross rings: when a new ring
// comes in the middle of a message, its sender sends the message again from the beginning.
type assembler struct{ senders []assembly }

// assembly is an unfinished message of one sender.
type assembly struct {
	from ring.NodeID
	open bool // its first piece was received and its last one was not
	data []byte
}

// reset drops all unfinished messages.
func (a *assembler) reset() {
	for i := range a.senders {
		a.senders[i].open = false
		a.senders[i].data = nil
	}
	a.senders = a.senders[:0]
}

// of returns the unfinished message of a sender.
func (a *assembler) of(from ring.NodeID) *assembly {
	for i := range a.senders {
		if a.senders[i].from == from {
			return &a.senders[i]
		}
	}
	a.senders = append(a.senders, assembly{from: from})
	return &a.senders[len(a.senders)-1]
}

// add adds a piece and returns the message that it completes, if any. The message is valid until the
// sender's next piece.
func (a *assembler) add(from ring.NodeID, c chunk) (message []byte, done bool) {
	if c.first && c.last {
		return c.data, true
	}
	s := a.of(from)
	if c.first {
		s.open, s.data = true, append(s.data[:0], c.data...)
		return nil, false
	}
	if !s.open || len(s.data)+len(c.data) > MaxMessageBytes {
		s.open, s.data = false, nil
		return nil, false
	}
	s.data = append(s.data, c.data...)
	if !c.last {
		return nil, false
	}
	s.open = false
	return s.data, true
}
