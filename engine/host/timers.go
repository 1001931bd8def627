package host

import (
	"container/heap"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// timer is a timer that is set; its deadline is on the machine's monotonic clock.
type timer struct {
	id        env.TimerID
	deadline  time.Duration
	setOrder  uint64 // equal deadlines fire in the order in which they were set
	heapIndex int
}

// timers are the timers of one process that are set. Only the process's loop uses them.
type timers struct {
	byID         map[env.TimerID]*timer
	deadlineHeap timerHeap
	lastOrder    uint64
}

func newTimers() timers { return timers{byID: map[env.TimerID]*timer{}} }

func (t *timers) setTimer(id env.TimerID, deadline time.Duration) {
	t.lastOrder++
	if have := t.byID[id]; have != nil {
		have.deadline, have.setOrder = deadline, t.lastOrder
		heap.Fix(&t.deadlineHeap, have.heapIndex)
		return
	}
	added := &timer{id: id, deadline: deadline, setOrder: t.lastOrder}
	t.byID[id] = added
	heap.Push(&t.deadlineHeap, added)
}

func (t *timers) stopTimer(id env.TimerID) {
	if have := t.byID[id]; have != nil {
		delete(t.byID, id)
		heap.Remove(&t.deadlineHeap, have.heapIndex)
	}
}

// nextDeadline returns the deadline of the next timer; false if none is set.
func (t *timers) nextDeadline() (time.Duration, bool) {
	if len(t.deadlineHeap) == 0 {
		return 0, false
	}
	return t.deadlineHeap[0].deadline, true
}

func (t *timers) popTimer() env.TimerID {
	top := heap.Pop(&t.deadlineHeap).(*timer)
	delete(t.byID, top.id)
	return top.id
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].deadline != h[j].deadline {
		return h[i].deadline < h[j].deadline
	}
	return h[i].setOrder < h[j].setOrder
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}
func (h *timerHeap) Push(x any) {
	added := x.(*timer)
	added.heapIndex = len(*h)
	*h = append(*h, added)
}
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
