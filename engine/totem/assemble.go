package totem

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// assembler joins the pieces of messages, for each sender apart. Pieces never cross rings: when a new ring
// comes in the middle of a message, its sender sends the message again from the beginning.
type assembler struct{ partials []partialMessage }

// partialMessage is an unfinished message of one sender.
type partialMessage struct {
	sender       ring.NodeID
	isIncomplete bool // its first piece was received and its last one was not
	data         []byte
}

// reset drops all unfinished messages.
func (a *assembler) reset() {
	for i := range a.partials {
		a.partials[i].isIncomplete = false
		a.partials[i].data = nil
	}
	a.partials = a.partials[:0]
}

// partialOf returns the unfinished message of a sender.
func (a *assembler) partialOf(from ring.NodeID) *partialMessage {
	for i := range a.partials {
		if a.partials[i].sender == from {
			return &a.partials[i]
		}
	}
	a.partials = append(a.partials, partialMessage{sender: from})
	return &a.partials[len(a.partials)-1]
}

// addPiece adds a piece and returns the message that it completes, if any. The message is valid until the
// sender's next piece.
func (a *assembler) addPiece(from ring.NodeID, c wire.Chunk) (message []byte, done bool) {
	if c.IsFirst && c.IsLast {
		return c.Data, true
	}
	s := a.partialOf(from)
	if c.IsFirst {
		s.isIncomplete, s.data = true, append(s.data[:0], c.Data...)
		return nil, false
	}
	if !s.isIncomplete || len(s.data)+len(c.Data) > MaxMessageBytes {
		s.isIncomplete, s.data = false, nil
		return nil, false
	}
	s.data = append(s.data, c.Data...)
	if !c.IsLast {
		return nil, false
	}
	s.isIncomplete = false
	return s.data, true
}
