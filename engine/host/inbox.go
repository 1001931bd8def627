package host

import (
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// item is something queued for a process.
type item struct {
	event env.Event
	at    time.Duration // machine time of arrival
	bytes int
	from  string // sender of a local message
	class class
}

type class uint8

const (
	classDatagram class = iota
	classLocal
	classOp
	classNotice // a process came or went: never refused
)

// load is how much one source has queued.
type load struct{ count, bytes int }

// inbox is the queue of one process, oldest first. It is closed while the process is down.
type inbox struct {
	mu        sync.Mutex
	open      bool
	queue     []item
	head      int
	datagrams load
	ops       int
	locals    map[string]*load // by sender

	// wake holds one value when something arrived or the loop must look again.
	wake chan struct{}
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// wakeLoop wakes the loop of the process.
func (b *inbox) wakeLoop() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// reset opens or closes the inbox and drops its content.
func (b *inbox) reset(open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open, b.queue, b.head = open, nil, 0
	b.datagrams, b.ops, b.locals = load{}, 0, map[string]*load{}
}

// put queues an item. It fails with env.ErrLocalDown or env.ErrLocalFull, for items of any class.
func (b *inbox) put(it item) error { return b.putIf(it, nil) }

// putIf is put under a condition that is evaluated while the inbox is locked.
func (b *inbox) putIf(it item, alive func() bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open || alive != nil && !alive() {
		return env.ErrLocalDown
	}
	if !b.admit(&it) {
		return env.ErrLocalFull
	}
	b.queue = append(b.queue, it)
	b.wakeLoop()
	return nil
}

// admit counts an item if there is room for it.
func (b *inbox) admit(it *item) bool {
	switch it.class {
	case classDatagram:
		return b.datagrams.add(it.bytes, maxQueuedDatagrams, maxQueuedDatagramBytes)
	case classLocal:
		l := b.locals[it.from]
		if l == nil {
			l = &load{}
			b.locals[it.from] = l
		}
		return l.add(it.bytes, maxQueuedLocals, maxQueuedLocalBytes)
	case classOp:
		if b.ops >= maxQueuedOps {
			return false
		}
		b.ops++
	}
	return true
}

func (l *load) add(bytes, maxCount, maxBytes int) bool {
	if l.count >= maxCount || l.bytes+bytes > maxBytes {
		return false
	}
	l.count++
	l.bytes += bytes
	return true
}

// peek returns the arrival time of the oldest item; false if there is none.
func (b *inbox) peek() (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head == len(b.queue) {
		return 0, false
	}
	return b.queue[b.head].at, true
}

// take removes the oldest item and returns it; false if there is none.
func (b *inbox) take() (item, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head == len(b.queue) {
		return item{}, false
	}
	it := b.queue[b.head]
	b.queue[b.head] = item{}
	b.head++
	if b.head == len(b.queue) {
		b.queue, b.head = b.queue[:0], 0
	} else if b.head >= compactAt {
		b.queue = append(b.queue[:0], b.queue[b.head:]...)
		b.head = 0
	}
	switch it.class {
	case classDatagram:
		b.datagrams.count--
		b.datagrams.bytes -= it.bytes
	case classLocal:
		b.locals[it.from].count--
		b.locals[it.from].bytes -= it.bytes
	case classOp:
		b.ops--
	}
	return it, true
}

// compactAt is how many taken items the queue carries before it is compacted.
const compactAt = 1024
