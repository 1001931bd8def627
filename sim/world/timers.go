package world

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// timers are one process's timers. Arming a timer to a later time leaves its entry in the kernel's
// queue unchanged; when the entry is reached, a new one is made for the rest of the time.
type timers struct {
	proc      *Proc
	slots     []timer
	index     map[env.TimerID]int // only once there are many
	firstTurn uint32              // turns of new slots begin here
	dropAt    int                 // at this many slots the unused ones are dropped
}

type timer struct {
	id       env.TimerID
	armed    bool
	due      bool // it has expired and is not delivered yet
	deadline int64
	queuedAt int64 // time of its entry in the queue, -1 when it has none
	turn     uint32
}

const (
	// manyTimers is the number of slots from which a map finds timers instead of a linear search.
	manyTimers = 24
	// idleTimers is how many slots of timers that are not set are kept: processes that set
	// a timer under a new id for each operation leave one behind each time.
	idleTimers = 1024
	// maxTimers is how many timers one process may have set at the same time.
	maxTimers = maxSlots - idleTimers
	// maxSlots is how many slots arg can distinguish.
	maxSlots = 1 << 16
)

func (ts *timers) reset() {
	ts.slots, ts.index, ts.firstTurn, ts.dropAt, ts.proc.dueTimers = ts.slots[:0], nil, 0, idleTimers, 0
}

// drop removes the slots of timers that are not set. Timers that move to another slot get new entries
// in the queue. Turns continue above all earlier ones, so that the old entries are recognized.
func (ts *timers) drop() {
	kept := ts.slots[:0]
	for _, t := range ts.slots {
		ts.firstTurn = max(ts.firstTurn, t.turn+1)
		if t.armed || t.due {
			kept = append(kept, t)
		}
	}
	ts.slots, ts.dropAt = kept, min(2*len(kept)+idleTimers, maxSlots)
	if len(kept) > maxTimers {
		panic(fmt.Sprintf("env: %s has more than %d timers set", ts.proc.spec.Name, maxTimers))
	}
	ts.index = make(map[env.TimerID]int, len(kept))
	for i := range ts.slots {
		ts.index[ts.slots[i].id] = i
		ts.slots[i].turn, ts.slots[i].queuedAt = ts.firstTurn, -1
	}
	ts.reschedule()
}

func (ts *timers) find(id env.TimerID) int {
	if ts.index != nil {
		if i, ok := ts.index[id]; ok {
			return i
		}
		return -1
	}
	for i := range ts.slots {
		if ts.slots[i].id == id {
			return i
		}
	}
	return -1
}

func (ts *timers) slot(id env.TimerID) int {
	if i := ts.find(id); i >= 0 {
		return i
	}
	if len(ts.slots) >= ts.dropAt {
		ts.drop()
	}
	ts.slots = append(ts.slots, timer{id: id, queuedAt: -1, turn: ts.firstTurn})
	i := len(ts.slots) - 1
	if ts.index != nil {
		ts.index[id] = i
	} else if len(ts.slots) > manyTimers {
		ts.index = make(map[env.TimerID]int, 2*manyTimers)
		for j := range ts.slots {
			ts.index[ts.slots[j].id] = j
		}
	}
	return i
}

func (ts *timers) set(id env.TimerID, after int64) {
	m := ts.proc.machine
	i := ts.slot(id)
	t := &ts.slots[i]
	ts.withdrawDue(t)
	t.armed = true
	t.deadline = m.clock.mono(m.world.Kernel.Now()) + max(after, 0)
	ts.queue(i)
}

// queue ensures that the timer has an entry in the kernel's queue no later than its deadline.
func (ts *timers) queue(i int) {
	t := &ts.slots[i]
	at := ts.proc.machine.clock.kernelTime(t.deadline)
	if t.queuedAt >= 0 && t.queuedAt <= at {
		return
	}
	t.turn++
	t.queuedAt = at
	ts.proc.world().Kernel.At(at, ts.proc, codeTimer, ts.arg(i))
}

// arg packs a slot, its turn and the process's generation, so that entries of earlier
// incarnations are recognized.
func (ts *timers) arg(i int) uint64 {
	return uint64(i)<<48 | uint64(ts.slots[i].turn)<<16 | ts.proc.generation&0xffff
}

func (ts *timers) stop(id env.TimerID) {
	if i := ts.find(id); i >= 0 {
		ts.withdrawDue(&ts.slots[i])
		ts.slots[i].armed = false
	}
}

// withdrawDue withdraws a timer that is due but was not delivered.
func (ts *timers) withdrawDue(t *timer) {
	if t.due {
		t.due = false
		ts.proc.dueTimers--
	}
}

// expire handles an entry that was reached, and reports whether a timer became due.
func (ts *timers) expire(arg uint64) bool {
	i := int(arg >> 48)
	if arg&0xffff != ts.proc.generation&0xffff || i >= len(ts.slots) {
		return false
	}
	t := &ts.slots[i]
	if uint32(arg>>16) != t.turn {
		return false
	}
	t.queuedAt = -1
	if !t.armed || t.due {
		return false
	}
	m := ts.proc.machine
	if m.clock.mono(m.world.Kernel.Now()) < t.deadline {
		ts.queue(i)
		return false
	}
	t.due = true
	ts.proc.dueTimers++
	return true
}

// take disarms a due timer for delivery.
func (ts *timers) take(i int) env.TimerID {
	ts.withdrawDue(&ts.slots[i])
	ts.slots[i].armed = false
	return ts.slots[i].id
}

// reschedule moves the entries after a change of the clock's rate.
func (ts *timers) reschedule() {
	for i := range ts.slots {
		if ts.slots[i].armed && !ts.slots[i].due {
			ts.queue(i)
		}
	}
}
