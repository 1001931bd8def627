package store

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// maxPartial is the number of incomplete messages kept per sender.
const maxPartial = 32

// onDeliver takes a frame at its position in the ring's order.
func (s *Store) onDeliver(d *cpg.Deliver) {
	f, err := decodeFrame(d.Payload)
	if err != nil {
		s.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	if !s.isOfThisRing(d, f) {
		return
	}
	s.ring.advanceTo(d.Seq)
	if d.From == s.node() {
		s.out.delivered(cookieOf(f.number, f.index))
		defer s.out.pump()
	}
	if f.bulk && !s.catchUp.fetching {
		return
	}
	whole := s.receive.add(d.From, f)
	if whole == nil {
		return
	}
	m, err := decodeMessage(whole)
	if err != nil {
		s.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	s.onMessage(d.Seq, d.From, m)
}

// isOfThisRing reports whether a message belongs to the ring in which this store reported. A message that
// was meant for an older ring and was sent late is not carried out.
func (s *Store) isOfThisRing(d *cpg.Deliver, f *frame) bool {
	if d.Ring != s.ring.id || f.epoch != s.ring.id {
		s.env.Probe("store/message-of-another-ring")
		return false
	}
	return s.ring.present && !s.ring.closed && s.disk.failed == nil
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
func (s *Store) onMessage(at uint64, from ring.NodeID, m message) {
	switch m := m.(type) {
	case *report:
		s.epoch.onReport(at, from, m)
	case *decide:
		s.epoch.onDecide(at, m)
	case *fetch:
		s.catchUp.onFetch(from, m)
	case *snapshot:
		s.catchUp.onSnapshot(from, m)
	case *command:
		cmd := m.Command
		cmd.Op.Data = append([]byte{}, cmd.Op.Data...)
		s.apply.enqueue(ordered{at: at, from: from, cmd: &cmd})
	case *marker:
		s.apply.enqueue(ordered{at: at, from: from, marker: m.ID})
	case *ack:
		s.acks.onAck(from, m)
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
