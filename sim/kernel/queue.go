package kernel

// queue has the pending events, ordered by time and then by the order in which they were scheduled. Entries
// hold no pointers; what they stand for is in the kernel's slab.
//
// The queue is a 4-ary heap, and in front of it one entry that is earlier than all of the heap: most events
// cause one that is the next to happen, and it never enters the heap.
type queue struct {
	front    queueEntry
	hasFront bool
	heap     []queueEntry
}

type queueEntry struct {
	dueAt int64
	seq   uint64
	slot  uint32
}

func (e *queueEntry) isBefore(o *queueEntry) bool {
	return e.dueAt < o.dueAt || e.dueAt == o.dueAt && e.seq < o.seq
}

// peek returns the earliest entry, nil if there is none. It is valid until the next push or pop.
func (q *queue) peek() *queueEntry {
	switch {
	case q.hasFront:
		return &q.front
	case len(q.heap) > 0:
		return &q.heap[0]
	}
	return nil
}

func (q *queue) push(e queueEntry) {
	switch {
	case q.hasFront && e.isBefore(&q.front):
		q.pushOnHeap(q.front)
		q.front = e
	case !q.hasFront && (len(q.heap) == 0 || e.isBefore(&q.heap[0])):
		q.front, q.hasFront = e, true
	default:
		q.pushOnHeap(e)
	}
}

// pop removes the earliest entry. There must be one.
func (q *queue) pop() queueEntry {
	if q.hasFront {
		q.hasFront = false
		return q.front
	}
	return q.popFromHeap()
}

func (q *queue) pushOnHeap(e queueEntry) {
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.isBefore(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

func (q *queue) popFromHeap() queueEntry {
	h := q.heap
	top := h[0]
	last := h[len(h)-1]
	h = h[:len(h)-1]
	q.heap = h
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(h)); c++ {
			if h[c].isBefore(&h[least]) {
				least = c
			}
		}
		if !h[least].isBefore(&last) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return top
}
