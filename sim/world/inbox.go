package world

import "slices"

// inbox holds the packets that have arrived at a process and were not delivered yet. Each queue keeps
// its order; which queue is next is a choice.
type inbox struct {
	queues []queue // 0: datagrams, 1: operations, then one for each local sender
	count  int
	bytes  int // of datagrams
	list   []int
}

type queue struct {
	from  *Proc
	slots []uint32
	head  int
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

func (b *inbox) reset() {
	if b.queues == nil {
		b.queues = make([]queue, firstLocalQueue)
	}
	for i := range b.queues {
		b.queues[i].slots, b.queues[i].head = b.queues[i].slots[:0], 0
	}
	b.count, b.bytes = 0, 0
}

// local returns the queue of a sender's messages.
func (b *inbox) local(from *Proc) int {
	for i := firstLocalQueue; i < len(b.queues); i++ {
		if b.queues[i].from == from {
			return i
		}
	}
	b.queues = append(b.queues, queue{from: from})
	return len(b.queues) - 1
}

func (b *inbox) length(q int) int { return len(b.queues[q].slots) - b.queues[q].head }

func (b *inbox) put(q int, slot uint32) {
	b.queues[q].slots = append(b.queues[q].slots, slot)
	b.count++
}

// heads lists the queues that are not empty.
func (b *inbox) heads() []int {
	b.list = b.list[:0]
	if b.count == 0 {
		return b.list
	}
	for i := range b.queues {
		if b.length(i) > 0 {
			b.list = append(b.list, i)
		}
	}
	return b.list
}

func (b *inbox) take(q int) uint32 {
	at := &b.queues[q]
	slot := at.slots[at.head]
	at.head++
	if at.head == len(at.slots) {
		at.slots, at.head = at.slots[:0], 0
	}
	b.count--
	return slot
}

// drain empties the inbox and returns the slots of its packets.
func (b *inbox) drain() []uint32 {
	var all []uint32
	for i := range b.queues {
		all = append(all, b.queues[i].slots[b.queues[i].head:]...)
	}
	all = slices.Clip(all)
	b.reset()
	return all
}
