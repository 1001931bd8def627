package world

import "slices"

// inbox holds the packets that have arrived at a process and were not delivered yet. Each queue keeps
// its order; which queue is next is a choice.
type inbox struct {
	queues          []packetQueue // 0: datagrams, 1: operations, then one for each local sender
	packetCount     int
	datagramBytes   int // of datagrams
	nonEmptyScratch []int
}

type packetQueue struct {
	sender      *Proc
	packetSlots []uint32
	head        int
}

// Limits on the packets that wait for one process.
const (
	maxSocketBytes = 212_992 // Linux's default receive buffer
	maxOperations  = 4_096
	maxLocal       = 8_192 // messages of one sender
)

const (
	queueDatagrams = iota
	queueOperations
	firstLocalQueue
)

func (b *inbox) clear() {
	if b.queues == nil {
		b.queues = make([]packetQueue, firstLocalQueue)
	}
	for i := range b.queues {
		b.queues[i].packetSlots, b.queues[i].head = b.queues[i].packetSlots[:0], 0
	}
	b.packetCount, b.datagramBytes = 0, 0
}

// localQueue returns the queue of a sender's messages.
func (b *inbox) localQueue(from *Proc) int {
	for i := firstLocalQueue; i < len(b.queues); i++ {
		if b.queues[i].sender == from {
			return i
		}
	}
	b.queues = append(b.queues, packetQueue{sender: from})
	return len(b.queues) - 1
}

func (b *inbox) queueLength(q int) int { return len(b.queues[q].packetSlots) - b.queues[q].head }

func (b *inbox) putPacket(q int, slot uint32) {
	b.queues[q].packetSlots = append(b.queues[q].packetSlots, slot)
	b.packetCount++
}

// nonEmptyQueues lists the queues that are not empty.
func (b *inbox) nonEmptyQueues() []int {
	b.nonEmptyScratch = b.nonEmptyScratch[:0]
	if b.packetCount == 0 {
		return b.nonEmptyScratch
	}
	for i := range b.queues {
		if b.queueLength(i) > 0 {
			b.nonEmptyScratch = append(b.nonEmptyScratch, i)
		}
	}
	return b.nonEmptyScratch
}

func (b *inbox) takePacket(q int) uint32 {
	at := &b.queues[q]
	slot := at.packetSlots[at.head]
	at.head++
	if at.head == len(at.packetSlots) {
		at.packetSlots, at.head = at.packetSlots[:0], 0
	}
	b.packetCount--
	return slot
}

// takeAll empties the inbox and returns the slots of its packets.
func (b *inbox) takeAll() []uint32 {
	var all []uint32
	for i := range b.queues {
		all = append(all, b.queues[i].packetSlots[b.queues[i].head:]...)
	}
	all = slices.Clip(all)
	b.clear()
	return all
}
