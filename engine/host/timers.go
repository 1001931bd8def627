package host

import (
	"container/heap"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// timer is a timer that is set; its deadline is on the machine's monotonic clock.
type timer struct {
	id       env.TimerID
	deadline time.Duration
	order    uint64 // equal deadlines fire in the order in which they were set
	pos      int
}

// timers are the timers of one process that are set. Only the process's loop uses them.
type timers struct {
	byID  map[env.TimerID]*timer
	heap  timerHeap
	order uint64
}

func newTimers() timers { return timers{byID: map[env.TimerID]*timer{}} }

func (t *timers) set(id env.TimerID, deadline time.Duration) {
	t.order++
	if have := t.byID[id]; have != nil {
		have.deadline, have.order = deadline, t.order
		heap.Fix(&t.heap, have.pos)
		return
	}
	added := &timer{id: id, deadline: deadline, order: t.order}
	t.byID[id] = added
	heap.Push(&t.heap, added)
}

func (t *timers) stop(id env.TimerID) {
	if have := t.byID[id]; have != nil {
		delete(t.byID, id)
		heap.Remove(&t.heap, have.pos)
	}
}

// first returns the deadline of the next timer; false if none is set.
func (t *timers) first() (time.Duration, bool) {
	if len(t.heap) == 0 {
		return 0, false
	}
	return t.heap[0].deadline, true
}

func (t *timers) pop() env.TimerID {
	top := heap.Pop(&t.heap).(*timer)
	delete(t.byID, top.id)
	return top.id
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].deadline != h[j].deadline {
		return h[i].deadline < h[j].deadline
	}
	return h[i].order < h[j].order
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}
func (h *timerHeap) Push(x any) {
	added := x.(*timer)
	added.pos = len(*h)
	*h = append(*h, added)
}
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
