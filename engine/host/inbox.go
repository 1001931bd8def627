package host

import (
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// inboxItem is something queued for a process.
type inboxItem struct {
	event     env.Event
	arrivedAt time.Duration // machine time of arrival
	bytes     int
	sender    string // sender of a local message
	class     itemClass
}

type itemClass uint8

const (
	classDatagram itemClass = iota
	classLocal
	classOp
	classNotice // a process came or went: never refused
)

// queueLoad is how much one source has queued.
type queueLoad struct{ count, bytes int }

// inbox is the queue of one process, oldest first. It is closed while the process is down.
type inbox struct {
	mu           sync.Mutex
	isOpen       bool
	queue        []inboxItem
	headIndex    int
	datagramLoad queueLoad
	opCount      int
	localLoad    map[string]*queueLoad // by sender

	// wakeSignal holds one value when something arrived or the loop must look again.
	wakeSignal chan struct{}
}

func newInbox() *inbox { return &inbox{wakeSignal: make(chan struct{}, 1)} }

// wakeLoop wakes the loop of the process.
func (b *inbox) wakeLoop() {
	select {
	case b.wakeSignal <- struct{}{}:
	default:
	}
}

// resetTo opens or closes the inbox and drops its content.
func (b *inbox) resetTo(open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.isOpen, b.queue, b.headIndex = open, nil, 0
	b.datagramLoad, b.opCount, b.localLoad = queueLoad{}, 0, map[string]*queueLoad{}
}

// putItem queues an item. It fails with env.ErrLocalDown or env.ErrLocalFull, for items of any class.
func (b *inbox) putItem(it inboxItem) error { return b.putIf(it, nil) }

// putIf is put under a condition that is evaluated while the inbox is locked.
func (b *inbox) putIf(it inboxItem, alive func() bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isOpen || alive != nil && !alive() {
		return env.ErrLocalDown
	}
	if !b.countItem(&it) {
		return env.ErrLocalFull
	}
	b.queue = append(b.queue, it)
	b.wakeLoop()
	return nil
}

// countItem counts an item if there is room for it.
func (b *inbox) countItem(it *inboxItem) bool {
	switch it.class {
	case classDatagram:
		return b.datagramLoad.addWithin(it.bytes, maxQueuedDatagrams, maxQueuedDatagramBytes)
	case classLocal:
		l := b.localLoad[it.sender]
		if l == nil {
			l = &queueLoad{}
			b.localLoad[it.sender] = l
		}
		return l.addWithin(it.bytes, maxQueuedLocals, maxQueuedLocalBytes)
	case classOp:
		if b.opCount >= maxQueuedOps {
			return false
		}
		b.opCount++
	}
	return true
}

func (l *queueLoad) addWithin(bytes, maxCount, maxBytes int) bool {
	if l.count >= maxCount || l.bytes+bytes > maxBytes {
		return false
	}
	l.count++
	l.bytes += bytes
	return true
}

// oldestArrival returns the arrival time of the oldest item; false if there is none.
func (b *inbox) oldestArrival() (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.headIndex == len(b.queue) {
		return 0, false
	}
	return b.queue[b.headIndex].arrivedAt, true
}

// takeItem removes the oldest item and returns it; false if there is none.
func (b *inbox) takeItem() (inboxItem, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.headIndex == len(b.queue) {
		return inboxItem{}, false
	}
	it := b.queue[b.headIndex]
	b.queue[b.headIndex] = inboxItem{}
	b.headIndex++
	if b.headIndex == len(b.queue) {
		b.queue, b.headIndex = b.queue[:0], 0
	} else if b.headIndex >= compactAt {
		b.queue = append(b.queue[:0], b.queue[b.headIndex:]...)
		b.headIndex = 0
	}
	switch it.class {
	case classDatagram:
		b.datagramLoad.count--
		b.datagramLoad.bytes -= it.bytes
	case classLocal:
		b.localLoad[it.sender].count--
		b.localLoad[it.sender].bytes -= it.bytes
	case classOp:
		b.opCount--
	}
	return it, true
}

// compactAt is how many taken items the queue carries before it is compacted.
const compactAt = 1024
