package vswitch

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
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
	pair      int  // from*machines+to
	waits     bool // for a line of limited bandwidth
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
	queues       []fault.Queue    // by pair, from*machines+to
	heldFrames   [][]*queuedFrame // by pair: what a clogged link holds back
	heldCount    int
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
	t := &deliverySchedule{machineByMAC: map[MAC]int{}, faultNet: net,
		queues: make([]fault.Queue, machines*machines), heldFrames: make([][]*queuedFrame, machines*machines)}
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
	c, draws, pair := t.faultNet.Condition(from, to), &t.linkDraws[from][to], from*len(t.linkDraws)+to
	v := c.Deliver(draws)
	body := 0
	if c.Shaped {
		body = corruptibleFrom(data)
		t.faultNet.Shape(from, to, draws, &t.queues[pair], now, len(data)-headerBytes, len(data)-body, &v)
	}
	if v.Copies == 0 {
		t.stats.Dropped++
		return
	}
	for i := range v.Copies {
		if len(t.dueFrames)+t.heldCount >= MaxQueuedFrames {
			t.stats.Overflowed++
			return
		}
		t.lastSeq++
		f := &queuedFrame{dueAt: now + v.Waits + v.Delay[i], seq: t.lastSeq, toMachine: to, pair: pair,
			waits: v.Waits > 0, frame: t.copyFrame(data)}
		corruptFrame(f.frame, body, v.Flipped)
		if c.Clogged {
			t.heldFrames[pair] = append(t.heldFrames[pair], f)
			t.heldCount++
			continue
		}
		heap.Push(&t.dueFrames, f)
	}
}

// freeLink sends what a link has held back until now, in its order.
func (t *deliverySchedule) freeLink(now time.Duration, from, to int) {
	pair := from*len(t.linkDraws) + to
	t.queues[pair] = fault.Queue{}
	t.heldCount -= len(t.heldFrames[pair])
	sort.Sort(t.dueFrames) // is a heap as well, and in the order of sending
	for _, f := range t.dueFrames {
		if f.pair == pair && f.waits {
			t.heldFrames[pair] = append(t.heldFrames[pair], f)
		}
	}
	t.dueFrames = slices.DeleteFunc(t.dueFrames, func(f *queuedFrame) bool {
		return f.pair == pair && f.waits
	})
	for _, f := range t.heldFrames[pair] {
		t.lastSeq++
		f.dueAt, f.seq = now+t.faultNet.Condition(from, to).Latency, t.lastSeq
		heap.Push(&t.dueFrames, f)
	}
	t.heldFrames[pair] = nil
}

// Parts of an IPv4 packet and of a UDP datagram.
const (
	etherTypeIPv4  = 0x0800
	minIPBytes     = 20
	udpHeaderBytes = 8
	udpChecksumAt  = 6
	protocolUDP    = 17
)

// corruptibleFrom returns from which byte on a frame can be corrupted: behind the header of an IPv4 packet,
// and behind that of a datagram. Other frames, such as those of ARP, stay as they are.
func corruptibleFrom(frame []byte) int {
	if len(frame) < headerBytes+minIPBytes || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv4 {
		return len(frame)
	}
	from := headerBytes + int(frame[headerBytes]&0x0f)*4
	if hasUDPHeader(frame) {
		from += udpHeaderBytes
	}
	return min(from, len(frame))
}

// hasUDPHeader reports whether an IPv4 frame is a UDP datagram or the first fragment of one.
func hasUDPHeader(frame []byte) bool {
	offset := binary.BigEndian.Uint16(frame[headerBytes+6:]) & 0x1fff
	return frame[headerBytes+9] == protocolUDP && offset == 0
}

// corruptFrame flips bits of a frame, counted from its corruptible part. A datagram gets no checksum, which
// IPv4 allows: otherwise the kernel would drop it, as it drops corrupted packets of TCP.
func corruptFrame(frame []byte, body int, bits []int) {
	if len(bits) == 0 {
		return
	}
	fault.Flip(frame[body:], bits)
	if hasUDPHeader(frame) && body >= udpHeaderBytes {
		checksum := frame[body-udpHeaderBytes+udpChecksumAt:]
		checksum[0], checksum[1] = 0, 0
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
