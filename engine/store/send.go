package store

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
)

const (
	// outboxWindowBytes limits the bytes passed to the cluster process and not yet delivered back.
	outboxWindowBytes = 256 << 10
	// maxBusyRetries is how many times Timers.BusyRetry the outbox waits at most.
	maxBusyRetries = 16
	// minFrameBytes and mostSmallFrames bound small frames: how small, and how many of a message.
	minFrameBytes   = 64
	mostSmallFrames = 16
)

// outbox is the order stage, sending: it passes frames to the cluster process, a bounded amount at a time,
// and repeats those that it was too busy to take. Snapshots are sent only when nothing else waits. The
// order of sending does not matter: no message of the store depends on an earlier message of the same
// sender.
type outbox struct {
	*shared
	lastMessage   uint64 // of the last message
	urgentFrames  []*frame
	bulkFrames    []*frame
	inFlight      map[uint64]*frame // by cookie
	inFlightBytes int               // in flight
	busyTimerSet  bool              // for the busy timer
	busyWait      time.Duration     // before the last attempt; 0: the cluster process was not busy since
	sendBuffer    []byte            // scratch: a frame on its way to the cluster process
}

// clear drops all frames, because they belong to a closed ring. The next one has room again.
func (o *outbox) clear() {
	o.urgentFrames, o.bulkFrames, o.inFlightBytes = nil, nil, 0
	clear(o.inFlight)
	o.busyTimerSet, o.busyWait = false, 0
}

func cookieOf(number uint64, index uint32) uint64 { return number<<20 | uint64(index) }

// send queues a message for the present ring.
func (o *outbox) send(m message) {
	data := encodeMessage(m)
	_, bulk := m.(*snapshot)
	size := max(minFrameBytes, len(data)/mostSmallFrames)
	size = env.Limit(o.env, "store/small-frames", maxFrameBytes, min(size, maxFrameBytes))
	count := max(1, (len(data)+size-1)/size)
	o.lastMessage++
	for i := range count {
		piece := data[i*size : min(len(data), (i+1)*size)]
		f := &frame{ringID: o.ring.id, messageNumber: o.lastMessage, pieceIndex: uint32(i),
			pieceCount: uint32(count),
			isBulk:     bulk, piece: piece}
		if bulk {
			o.bulkFrames = append(o.bulkFrames, f)
		} else {
			o.urgentFrames = append(o.urgentFrames, f)
		}
	}
	if !o.busyTimerSet {
		o.sendQueued()
	}
}

// sendQueued hands over what the window allows.
func (o *outbox) sendQueued() {
	o.busyTimerSet = false
	window := env.Limit(o.env, "store/small-outbox", outboxWindowBytes, 1)
	for o.inFlightBytes < window {
		queue := &o.urgentFrames
		if len(*queue) == 0 {
			queue = &o.bulkFrames
		}
		if len(*queue) == 0 {
			return
		}
		f := (*queue)[0]
		cookie := cookieOf(f.messageNumber, f.pieceIndex)
		head := cpg.Multicast{Cookie: cookie, Guarantee: cpg.Agreed}
		o.sendBuffer = f.appendTo(head.AppendTo(o.sendBuffer[:0]))
		if o.env.Local(cpg.Process, o.sendBuffer) != nil {
			o.backOff()
			return
		}
		*queue = (*queue)[1:]
		o.inFlight[cookie] = f
		o.inFlightBytes += len(f.piece)
	}
}

// backOff waits before the next attempt, twice as long each time: while a ring is formed, which takes
// seconds, all attempts are in vain, and the new ring clears the outbox.
func (o *outbox) backOff() {
	if o.busyTimerSet {
		return
	}
	first := o.opts.Timers.BusyRetry
	o.busyWait = min(max(2*o.busyWait, first), maxBusyRetries*first)
	o.busyTimerSet = true
	o.env.SetTimer(timerOutbox, o.busyWait)
}

// onBusy takes a frame back that the cluster process had no room for.
func (o *outbox) onBusy(cookie uint64) {
	f := o.inFlight[cookie]
	if f == nil {
		return
	}
	o.forget(cookie)
	if f.isBulk {
		o.bulkFrames = slices.Insert(o.bulkFrames, 0, f)
	} else {
		o.urgentFrames = slices.Insert(o.urgentFrames, 0, f)
	}
	o.env.Probe("store/multicast-busy")
	o.backOff()
}

// onDelivered takes note of a frame that was delivered back: the ring has room.
func (o *outbox) onDelivered(cookie uint64) {
	o.busyWait = 0
	o.forget(cookie)
}

func (o *outbox) forget(cookie uint64) {
	if f := o.inFlight[cookie]; f != nil {
		delete(o.inFlight, cookie)
		o.inFlightBytes -= len(f.piece)
	}
}
