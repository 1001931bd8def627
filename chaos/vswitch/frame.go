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
	dueAt     time.Duration // by the switch's clock
	seq       uint64
	toMachine int
	frame     []byte
}

// frameHeap is a heap of frames, the next to deliver on top.
type frameHeap []*queuedFrame

func (f frameHeap) Len() int { return len(f) }
func (f frameHeap) Less(i, j int) bool {
	if f[i].dueAt != f[j].dueAt {
		return f[i].dueAt < f[j].dueAt
	}
	return f[i].seq < f[j].seq
}
func (f frameHeap) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frameHeap) Push(x any)   { *f = append(*f, x.(*queuedFrame)) }
func (f *frameHeap) Pop() any {
	last := (*f)[len(*f)-1]
	(*f)[len(*f)-1] = nil
	*f = (*f)[:len(*f)-1]
	return last
}

// MaxQueuedFrames limits the frames that wait in the switch. Further frames are dropped and counted.
const MaxQueuedFrames = 1 << 17

// deliverySchedule decides what happens to each frame and holds the frames that wait.
type deliverySchedule struct {
	machineByMAC map[MAC]int
	faultNet     *fault.Net
	linkDraws    [][]fault.LinkDraws // from, to
	dueFrames    frameHeap
	freeBuffers  [][]byte
	lastSeq      uint64
	stats        Stats
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
	Late        uint64
	MaxLateness time.Duration
}

// LateAfter is the lateness from which a delivery counts as late.
const LateAfter = 5 * time.Millisecond

func newDeliverySchedule(machines int, net *fault.Net,
	draws func(from, to int) fault.LinkDraws) *deliverySchedule {
	t := &deliverySchedule{machineByMAC: map[MAC]int{}, faultNet: net}
	for from := range machines {
		t.machineByMAC[MachineMAC(from)] = from
		row := make([]fault.LinkDraws, machines)
		for to := range machines {
			if from != to {
				row[to] = draws(from, to)
			}
		}
		t.linkDraws = append(t.linkDraws, row)
	}
	return t
}

// acceptFrame takes a frame that a machine sent and decides for each destination.
func (t *deliverySchedule) acceptFrame(now time.Duration, from int, data []byte) {
	t.stats.Received++
	if len(data) < headerBytes {
		t.stats.Malformed++
		return
	}
	if data[0]&groupBit != 0 {
		for to := range t.linkDraws {
			if to != from {
				t.decideDelivery(now, from, to, data)
			}
		}
		return
	}
	to, known := t.machineByMAC[MAC(data[:6])]
	if !known || to == from {
		t.stats.Malformed++
		return
	}
	t.decideDelivery(now, from, to, data)
}

func (t *deliverySchedule) decideDelivery(now time.Duration, from, to int, data []byte) {
	t.faultNet.CountPacket(from, to)
	v := t.faultNet.Condition(from, to).Deliver(&t.linkDraws[from][to])
	if v.Copies == 0 {
		t.stats.Dropped++
		return
	}
	for i := range v.Copies {
		if len(t.dueFrames) >= MaxQueuedFrames {
			t.stats.Overflowed++
			return
		}
		t.lastSeq++
		heap.Push(&t.dueFrames, &queuedFrame{dueAt: now + v.Delay[i], seq: t.lastSeq, toMachine: to,
			frame: t.copyFrame(data)})
	}
}

// nextDue is when the next frame is due.
func (t *deliverySchedule) nextDue() (time.Duration, bool) {
	if len(t.dueFrames) == 0 {
		return 0, false
	}
	return t.dueFrames[0].dueAt, true
}

// deliverDue writes every frame that is due.
func (t *deliverySchedule) deliverDue(now time.Duration, write func(to int, data []byte) bool) {
	for len(t.dueFrames) > 0 && t.dueFrames[0].dueAt <= now {
		f := heap.Pop(&t.dueFrames).(*queuedFrame)
		if late := now - f.dueAt; late > LateAfter {
			t.stats.Late++
			t.stats.MaxLateness = max(t.stats.MaxLateness, late)
		}
		if write(f.toMachine, f.frame) {
			t.stats.Delivered++
		} else {
			t.stats.Refused++
		}
		t.releaseBuffer(f.frame)
	}
}

// Frames of the usual size share buffers.
const (
	bufferBytes    = 2048
	maxFreeBuffers = 1024
)

func (t *deliverySchedule) copyFrame(data []byte) []byte {
	if n := len(t.freeBuffers); n > 0 && len(data) <= bufferBytes {
		b := t.freeBuffers[n-1]
		t.freeBuffers = t.freeBuffers[:n-1]
		return append(b[:0], data...)
	}
	return append(make([]byte, 0, max(bufferBytes, len(data))), data...)
}

func (t *deliverySchedule) releaseBuffer(b []byte) {
	if cap(b) == bufferBytes && len(t.freeBuffers) < maxFreeBuffers {
		t.freeBuffers = append(t.freeBuffers, b)
	}
}
