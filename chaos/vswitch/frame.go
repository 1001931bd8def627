package vswitch

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// MAC is an Ethernet address.
type MAC [6]byte

// MachineMAC is the address of a machine's interface, by its number: locally administered.
func MachineMAC(machine int) MAC {
	return MAC{0x02, 'h', 'f', 0, byte(machine >> 8), byte(machine)}
}

// String returns the address in the usual form, for example "02:00:00:00:00:01".
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

const (
	headerBytes = 14
	groupBit    = 1 // of an address's first byte: for more than one machine
)

// MaxFrameBytes is the largest frame that the switch carries.
const MaxFrameBytes = 64 << 10

// queuedFrame waits for its delivery.
type queuedFrame struct {
	due  time.Duration // by the switch's clock
	seq  uint64
	to   int
	data []byte
}

// frames is a heap of frames, the next to deliver on top.
type frames []*queuedFrame

func (f frames) Len() int { return len(f) }
func (f frames) Less(i, j int) bool {
	if f[i].due != f[j].due {
		return f[i].due < f[j].due
	}
	return f[i].seq < f[j].seq
}
func (f frames) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frames) Push(x any)   { *f = append(*f, x.(*queuedFrame)) }
func (f *frames) Pop() any {
	last := (*f)[len(*f)-1]
	(*f)[len(*f)-1] = nil
	*f = (*f)[:len(*f)-1]
	return last
}

// MaxQueuedFrames limits the frames that wait in the switch. Further frames are dropped and counted.
const MaxQueuedFrames = 1 << 17

// table decides what happens to each frame and holds the frames that wait.
type table struct {
	macs  map[MAC]int
	net   *fault.Net
	draws [][]fault.LinkDraws // from, to
	queue frames
	free  [][]byte
	seq   uint64
	stats Stats
}

// Stats are what the switch has done.
type Stats struct {
	Received  uint64 // frames read from machines
	Delivered uint64 // frames written to machines, copies included
	Dropped   uint64 // by the schedule: cut or lost
	// The losses below are not part of the schedule.
	Overflowed uint64 // the switch's own queue was full
	Refused    uint64 // the receiving machine's interface did not take it
	Malformed  uint64 // too short, or addressed to no machine
	// Late is how many frames were delivered more than LateAfter after they were due. Latest is the
	// largest lateness.
	Late   uint64
	Latest time.Duration
}

// LateAfter is the lateness from which a delivery counts as late.
const LateAfter = 5 * time.Millisecond

func newTable(machines int, net *fault.Net, draws func(from, to int) fault.LinkDraws) *table {
	t := &table{macs: map[MAC]int{}, net: net}
	for from := range machines {
		t.macs[MachineMAC(from)] = from
		row := make([]fault.LinkDraws, machines)
		for to := range machines {
			if from != to {
				row[to] = draws(from, to)
			}
		}
		t.draws = append(t.draws, row)
	}
	return t
}

// acceptFrame takes a frame that a machine sent and decides for each destination.
func (t *table) acceptFrame(now time.Duration, from int, data []byte) {
	t.stats.Received++
	if len(data) < headerBytes {
		t.stats.Malformed++
		return
	}
	if data[0]&groupBit != 0 {
		for to := range t.draws {
			if to != from {
				t.decideDelivery(now, from, to, data)
			}
		}
		return
	}
	to, known := t.macs[MAC(data[:6])]
	if !known || to == from {
		t.stats.Malformed++
		return
	}
	t.decideDelivery(now, from, to, data)
}

func (t *table) decideDelivery(now time.Duration, from, to int, data []byte) {
	v := t.net.Condition(from, to).Deliver(&t.draws[from][to])
	if v.Copies == 0 {
		t.stats.Dropped++
		return
	}
	for i := range v.Copies {
		if len(t.queue) >= MaxQueuedFrames {
			t.stats.Overflowed++
			return
		}
		t.seq++
		heap.Push(&t.queue, &queuedFrame{due: now + v.Delay[i], seq: t.seq, to: to, data: t.copyOf(data)})
	}
}

// next is when the next frame is due.
func (t *table) next() (time.Duration, bool) {
	if len(t.queue) == 0 {
		return 0, false
	}
	return t.queue[0].due, true
}

// deliver writes every frame that is due.
func (t *table) deliver(now time.Duration, write func(to int, data []byte) bool) {
	for len(t.queue) > 0 && t.queue[0].due <= now {
		f := heap.Pop(&t.queue).(*queuedFrame)
		if late := now - f.due; late > LateAfter {
			t.stats.Late++
			t.stats.Latest = max(t.stats.Latest, late)
		}
		if write(f.to, f.data) {
			t.stats.Delivered++
		} else {
			t.stats.Refused++
		}
		t.release(f.data)
	}
}

// Frames of the usual size share buffers.
const (
	bufferBytes    = 2048
	maxFreeBuffers = 1024
)

func (t *table) copyOf(data []byte) []byte {
	if n := len(t.free); n > 0 && len(data) <= bufferBytes {
		b := t.free[n-1]
		t.free = t.free[:n-1]
		return append(b[:0], data...)
	}
	return append(make([]byte, 0, max(bufferBytes, len(data))), data...)
}

func (t *table) release(b []byte) {
	if cap(b) == bufferBytes && len(t.free) < maxFreeBuffers {
		t.free = append(t.free, b)
	}
}
