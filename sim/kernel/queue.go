package kernel

// queue is a 4-ary heap of pending events, ordered by time and then by the order in which it
// was scheduled. Entries hold no pointers; what they stand for is in the kernel's slab.
type queue struct{ heap []queueEntry }

type queueEntry struct {
	dueAt int64
	seq   uint64
	slot  uint32
}

func (e *queueEntry) isBefore(o *queueEntry) bool {
	return e.dueAt < o.dueAt || e.dueAt == o.dueAt && e.seq < o.seq
}

func (q *queue) push(e queueEntry) {
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

func (q *queue) pop() queueEntry {
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
