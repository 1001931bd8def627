package store

import (
	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

const (
	// outboxWindowBytes is what may be with the cluster process and not yet delivered back.
	outboxWindowBytes = 256 << 10
	// maxPartial is the number of incomplete messages kept per sender.
	maxPartial = 32
)

// outbox hands frames to the cluster process, a bounded amount at a time, and again when that was
// too busy to take them. Snapshots give way to everything else. Order does not matter: no message
// of the store depends on an earlier one of the same sender.
type outbox struct {
	s       *Store
	number  uint64
	urgent  []*frame
	bulk    []*frame
	flying  map[uint64]*frame // by cookie
	bytes   int               // flying
	waiting bool              // for the busy timer
}

func (o *outbox) init(s *Store) {
	o.s = s
	o.flying = map[uint64]*frame{}
}

// clear forgets everything: it was for a ring that is over.
func (o *outbox) clear() {
	o.urgent, o.bulk, o.bytes = nil, nil, 0
	clear(o.flying)
}

func cookieOf(number uint64, index uint32) uint64 { return number<<20 | uint64(index) }

// send queues a message for the present ring.
func (o *outbox) send(m message) {
	data := encodeMessage(m)
	_, bulk := m.(*snapshot)
	count := max(1, (len(data)+maxFrameBytes-1)/maxFrameBytes)
	o.number++
	for i := range count {
		piece := data[i*maxFrameBytes : min(len(data), (i+1)*maxFrameBytes)]
		f := &frame{epoch: o.s.ring.id, number: o.number, index: uint32(i), count: uint32(count),
			bulk: bulk, piece: piece}
		if bulk {
			o.bulk = append(o.bulk, f)
		} else {
			o.urgent = append(o.urgent, f)
		}
	}
	o.pump()
}

// pump hands over what the window allows.
func (o *outbox) pump() {
	o.waiting = false
	for o.bytes < outboxWindowBytes {
		queue := &o.urgent
		if len(*queue) == 0 {
			queue = &o.bulk
		}
		if len(*queue) == 0 {
			return
		}
		f := (*queue)[0]
		cookie := cookieOf(f.number, f.index)
		if !o.s.toCluster(cpg.Multicast{Cookie: cookie, Guarantee: cpg.Agreed, Payload: f.encode()}) {
			o.backOff()
			return
		}
		*queue = (*queue)[1:]
		o.flying[cookie] = f
		o.bytes += len(f.piece)
	}
}

func (o *outbox) backOff() {
	if !o.waiting {
		o.waiting = true
		o.s.env.SetTimer(timerOutbox, o.s.opts.Timers.BusyRetry)
	}
}

// refused takes a frame back that the cluster process had no room for.
func (o *outbox) refused(cookie uint64) {
	f := o.flying[cookie]
	if f == nil {
		return
	}
	o.landed(cookie)
	if f.bulk {
		o.bulk = append([]*frame{f}, o.bulk...)
	} else {
		o.urgent = append([]*frame{f}, o.urgent...)
	}
	o.s.env.Probe("store/multicast-busy")
	o.backOff()
}

// landed forgets a frame that was delivered back.
func (o *outbox) landed(cookie uint64) {
	if f := o.flying[cookie]; f != nil {
		delete(o.flying, cookie)
		o.bytes -= len(f.piece)
	}
}

// reassembly puts the frames of one ring together.
type reassembly struct {
	from map[ring.NodeID]map[uint64]*partial
}

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
