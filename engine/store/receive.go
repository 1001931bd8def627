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
	partial *reassembly
	epoch   *epoch
	catchUp *catchUp
	apply   *applier
	acks    *acknowledgements
}

// onDeliver takes a frame at its position in the ring's order.
func (r *receiver) onDeliver(d *cpg.Deliver) {
	f, err := decodeFrame(d.Payload)
	if err != nil {
		r.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	if !r.isOfThisRing(d, f) {
		return
	}
	r.ring.advanceTo(d.Seq)
	if d.From == r.node() {
		r.out.delivered(cookieOf(f.number, f.index))
		defer r.out.sendQueued()
	}
	if f.bulk && !r.catchUp.fetching {
		return
	}
	whole := r.partial.add(d.From, f)
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
	if d.Ring != r.ring.id || f.epoch != r.ring.id {
		r.env.Probe("store/message-of-another-ring")
		return false
	}
	return r.ring.present && !r.ring.closed && r.disk.failed == nil
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
		r.apply.enqueue(ordered{at: at, from: from, cmd: &cmd})
	case *marker:
		r.apply.enqueue(ordered{at: at, from: from, marker: m.ID})
	case *ack:
		r.acks.onAck(from, m)
	}
}

// reassembly puts the frames of one ring together.
type reassembly struct {
	from map[ring.NodeID]map[uint64]*partial
}

// partial is a message of which frames are missing.
type partial struct {
	pieces  [][]byte
	missing int
}

func (a *reassembly) clear() { a.from = nil }

// add takes a frame and returns the message once it is complete.
func (a *reassembly) add(from ring.NodeID, f *frame) []byte {
	if f.count == 1 {
		return f.piece
	}
	if a.from == nil {
		a.from = map[ring.NodeID]map[uint64]*partial{}
	}
	if a.from[from] == nil {
		a.from[from] = map[uint64]*partial{}
	}
	p := a.from[from][f.number]
	if p == nil {
		a.makeRoom(from)
		p = &partial{pieces: make([][]byte, f.count), missing: int(f.count)}
		a.from[from][f.number] = p
	}
	if int(f.count) != len(p.pieces) || p.pieces[f.index] != nil {
		return nil
	}
	p.pieces[f.index] = append([]byte{}, f.piece...)
	if p.missing--; p.missing > 0 {
		return nil
	}
	delete(a.from[from], f.number)
	var whole []byte
	for _, piece := range p.pieces {
		whole = append(whole, piece...)
	}
	return whole
}

// makeRoom drops a sender's oldest incomplete message when there are too many.
func (a *reassembly) makeRoom(from ring.NodeID) {
	if len(a.from[from]) < maxPartial {
		return
	}
	oldest := ^uint64(0)
	for number := range a.from[from] {
		oldest = min(oldest, number)
	}
	delete(a.from[from], oldest)
}
