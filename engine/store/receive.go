package store

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// maxPartial is the number of incomplete messages kept per sender.
const maxPartial = 32

// receiver is the order stage, receiving: it takes what the ring delivers, drops what belongs to another
// ring, puts frames together and hands each complete message, with its position in the order, to its stage.
type receiver struct {
	*shared
	reassembly *reassembly
	epoch      *epoch
	catchUp    *catchUp
	applier    *applier
	acks       *acknowledgements
}

// onDeliver takes a frame at its position in the ring's order.
func (r *receiver) onDeliver(d *cpg.Deliver) {
	f, err := decodeFrame(d.Payload)
	if err != nil {
		r.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	if !r.isOfThisRing(d, &f) {
		return
	}
	r.ring.advanceTo(d.Seq)
	if d.From == r.node() {
		r.outbox.onDelivered(cookieOf(f.messageNumber, f.pieceIndex))
		defer r.outbox.sendQueued()
	}
	pieces := r.reassembly
	if f.isBulk {
		if !r.catchUp.fetching {
			return
		}
		pieces = &r.catchUp.pieces
	}
	whole := pieces.addFrame(d.From, &f)
	if whole == nil {
		return
	}
	m, err := decodeMessage(whole)
	if err != nil {
		r.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	r.onMessage(d.Seq, d.From, m)
}

// isOfThisRing reports whether a message belongs to the ring in which this store reported. A message that
// was meant for an older ring and was sent late is not carried out.
func (r *receiver) isOfThisRing(d *cpg.Deliver, f *frame) bool {
	if d.Ring != r.ring.id || f.ringID != r.ring.id {
		r.env.Probe("store/message-of-another-ring")
		return false
	}
	return r.ring.seenFromStart && !r.ring.isClosed && r.disk.failure == nil
}

// advanceTo panics unless each message has a position of its own, behind all that were delivered before:
// every rule of the store rests on that.
func (r *ringState) advanceTo(at uint64) {
	if at <= r.delivered {
		panic(fmt.Sprintf("store: message %d of ring %s delivered after message %d", at, r.id, r.delivered))
	}
	r.delivered = at
}

// onMessage hands a complete message to its stage.
func (r *receiver) onMessage(at uint64, from ring.NodeID, m message) {
	switch m := m.(type) {
	case *report:
		r.epoch.onReport(at, from, m)
	case *decide:
		r.epoch.onDecide(at, m)
	case *fetch:
		r.catchUp.onFetch(from, m)
	case *snapshot:
		r.catchUp.onSnapshot(from, m)
	case *command:
		cmd := m.Command
		cmd.Op.Data = append([]byte{}, cmd.Op.Data...)
		r.applier.enqueue(orderedRequest{position: at, fromNode: from, command: &cmd})
	case *marker:
		r.applier.enqueue(orderedRequest{position: at, fromNode: from, marker: m.ID})
	case *ack:
		r.acks.onAck(from, m)
	}
}

// reassembly puts the frames of one ring together.
type reassembly struct {
	partialsByNode map[ring.NodeID]map[uint64]*partialMessage
}

// partialMessage is a message of which frames are missing.
type partialMessage struct {
	pieces        [][]byte
	missingPieces int
}

func (a *reassembly) dropAll() { a.partialsByNode = nil }

// addFrame takes a frame and returns the message once it is complete.
func (a *reassembly) addFrame(from ring.NodeID, f *frame) []byte {
	if f.pieceCount == 1 {
		return f.piece
	}
	if a.partialsByNode == nil {
		a.partialsByNode = map[ring.NodeID]map[uint64]*partialMessage{}
	}
	if a.partialsByNode[from] == nil {
		a.partialsByNode[from] = map[uint64]*partialMessage{}
	}
	p := a.partialsByNode[from][f.messageNumber]
	if p == nil {
		a.makeRoom(from)
		p = &partialMessage{pieces: make([][]byte, f.pieceCount), missingPieces: int(f.pieceCount)}
		a.partialsByNode[from][f.messageNumber] = p
	}
	if int(f.pieceCount) != len(p.pieces) || p.pieces[f.pieceIndex] != nil {
		return nil
	}
	p.pieces[f.pieceIndex] = append([]byte{}, f.piece...)
	if p.missingPieces--; p.missingPieces > 0 {
		return nil
	}
	delete(a.partialsByNode[from], f.messageNumber)
	var whole []byte
	for _, piece := range p.pieces {
		whole = append(whole, piece...)
	}
	return whole
}

// makeRoom drops a sender's oldest incomplete message when there are too many.
func (a *reassembly) makeRoom(from ring.NodeID) {
	if len(a.partialsByNode[from]) < maxPartial {
		return
	}
	oldest := ^uint64(0)
	for number := range a.partialsByNode[from] {
		oldest = min(oldest, number)
	}
	delete(a.partialsByNode[from], oldest)
}
