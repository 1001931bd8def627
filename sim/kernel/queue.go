package kernel

// queue is a 4-ary heap of pending events, ordered by time and then by the order in which it
// was scheduled. Entries hold no pointers; what they stand for is in the kernel's slab.
type queue struct{ entries []entry }

type entry struct {
	at   int64
	seq  uint64
	slot uint32
}

func (e *entry) before(o *entry) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

func (q *queue) push(e entry) {
	q.entries = append(q.entries, e)
	h := q.entries
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

func (q *queue) pop() entry {
	h := q.entries
	top := h[0]
	last := h[len(h)-1]
	h = h[:len(h)-1]
	q.entries = h
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
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&last) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return top
}
