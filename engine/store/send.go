package store

import "github.com/holdfast-sim/holdfast/engine/cpg"

// outboxWindowBytes limits the bytes passed to the cluster process and not yet delivered back.
const outboxWindowBytes = 256 << 10

// outbox is the order stage, sending: it passes frames to the cluster process, a bounded amount at a time,
// and repeats those that it was too busy to take. Snapshots are sent only when nothing else waits. The
// order of sending does not matter: no message of the store depends on an earlier message of the same
// sender.
type outbox struct {
	*shared
	number   uint64 // of the last message
	urgent   []*frame
	bulk     []*frame
	inFlight map[uint64]*frame // by cookie
	bytes    int               // in flight
	waiting  bool              // for the busy timer
}

// clear drops all frames, because they belong to a closed ring.
func (o *outbox) clear() {
	o.urgent, o.bulk, o.bytes = nil, nil, 0
	clear(o.inFlight)
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
		f := &frame{epoch: o.ring.id, number: o.number, index: uint32(i), count: uint32(count),
			bulk: bulk, piece: piece}
		if bulk {
			o.bulk = append(o.bulk, f)
		} else {
			o.urgent = append(o.urgent, f)
		}
	}
	o.sendQueued()
}

// sendQueued hands over what the window allows.
func (o *outbox) sendQueued() {
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
		if !o.toCluster(cpg.Multicast{Cookie: cookie, Guarantee: cpg.Agreed, Payload: f.encode()}) {
			o.backOff()
			return
		}
		*queue = (*queue)[1:]
		o.inFlight[cookie] = f
		o.bytes += len(f.piece)
	}
}

func (o *outbox) backOff() {
	if !o.waiting {
		o.waiting = true
		o.env.SetTimer(timerOutbox, o.opts.Timers.BusyRetry)
	}
}

// refused takes a frame back that the cluster process had no room for.
func (o *outbox) refused(cookie uint64) {
	f := o.inFlight[cookie]
	if f == nil {
		return
	}
	o.delivered(cookie)
	if f.bulk {
		o.bulk = append([]*frame{f}, o.bulk...)
	} else {
		o.urgent = append([]*frame{f}, o.urgent...)
	}
	o.env.Probe("store/multicast-busy")
	o.backOff()
}

// delivered forgets a frame that was delivered back.
func (o *outbox) delivered(cookie uint64) {
	if f := o.inFlight[cookie]; f != nil {
		delete(o.inFlight, cookie)
		o.bytes -= len(f.piece)
	}
}
