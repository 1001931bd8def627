package world

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// timers are one process's timers. Arming a timer to a later time leaves its entry in the kernel's
// queue unchanged; when the entry is reached, a new one is made for the rest of the time.
type timers struct {
	proc         *Proc
	timerSlots   []timer
	slotByID     map[env.TimerID]int // only once there are many
	firstTurn    uint32              // turns of new slots begin here
	dropUnusedAt int                 // at this many slots the unused ones are dropped
}

type timer struct {
	id        env.TimerID
	armed     bool
	isDue     bool // it has expired and is not delivered yet
	deadline  int64
	queuedAt  int64 // time of its entry in the queue, -1 when it has none
	queueTurn uint32
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
	ts.timerSlots, ts.slotByID, ts.firstTurn, ts.dropUnusedAt, ts.proc.dueTimers = ts.timerSlots[:0], nil, 0,
		idleTimers, 0
}

// dropUnset removes the slots of timers that are not set. Timers that move to another slot get new entries
// in the queue. Turns continue above all earlier ones, so that the old entries are recognized.
func (ts *timers) dropUnset() {
	kept := ts.timerSlots[:0]
	for _, t := range ts.timerSlots {
		ts.firstTurn = max(ts.firstTurn, t.queueTurn+1)
		if t.armed || t.isDue {
			kept = append(kept, t)
		}
	}
	ts.timerSlots, ts.dropUnusedAt = kept, min(2*len(kept)+idleTimers, maxSlots)
	if len(kept) > maxTimers {
		panic(fmt.Sprintf("env: %s has more than %d timers set", ts.proc.spec.Name, maxTimers))
	}
	ts.slotByID = make(map[env.TimerID]int, len(kept))
	for i := range ts.timerSlots {
		ts.slotByID[ts.timerSlots[i].id] = i
		ts.timerSlots[i].queueTurn, ts.timerSlots[i].queuedAt = ts.firstTurn, -1
	}
	ts.reschedule()
}

func (ts *timers) findSlot(id env.TimerID) int {
	if ts.slotByID != nil {
		if i, ok := ts.slotByID[id]; ok {
			return i
		}
		return -1
	}
	for i := range ts.timerSlots {
		if ts.timerSlots[i].id == id {
			return i
		}
	}
	return -1
}

func (ts *timers) findOrAddSlot(id env.TimerID) int {
	if i := ts.findSlot(id); i >= 0 {
		return i
	}
	if len(ts.timerSlots) >= ts.dropUnusedAt {
		ts.dropUnset()
	}
	ts.timerSlots = append(ts.timerSlots, timer{id: id, queuedAt: -1, queueTurn: ts.firstTurn})
	i := len(ts.timerSlots) - 1
	if ts.slotByID != nil {
		ts.slotByID[id] = i
	} else if len(ts.timerSlots) > manyTimers {
		ts.slotByID = make(map[env.TimerID]int, 2*manyTimers)
		for j := range ts.timerSlots {
			ts.slotByID[ts.timerSlots[j].id] = j
		}
	}
	return i
}

func (ts *timers) setTimer(id env.TimerID, after int64) {
	m := ts.proc.machine
	i := ts.findOrAddSlot(id)
	t := &ts.timerSlots[i]
	ts.withdrawDue(t)
	t.armed = true
	t.deadline = m.clock.mono(m.world.Kernel.Now()) + max(after, 0)
	ts.ensureQueued(i)
}

// ensureQueued ensures that the timer has an entry in the kernel's queue no later than its deadline.
func (ts *timers) ensureQueued(i int) {
	t := &ts.timerSlots[i]
	at := ts.proc.machine.clock.kernelTime(t.deadline)
	if t.queuedAt >= 0 && t.queuedAt <= at {
		return
	}
	t.queueTurn++
	t.queuedAt = at
	ts.proc.world().Kernel.At(at, ts.proc, codeTimer, ts.expiryArg(i))
}

// expiryArg packs a slot, its turn and the process's generation, so that entries of earlier
// incarnations are recognized.
func (ts *timers) expiryArg(i int) uint64 {
	return uint64(i)<<48 | uint64(ts.timerSlots[i].queueTurn)<<16 | ts.proc.generation&0xffff
}

func (ts *timers) stopTimer(id env.TimerID) {
	if i := ts.findSlot(id); i >= 0 {
		ts.withdrawDue(&ts.timerSlots[i])
		ts.timerSlots[i].armed = false
	}
}

// withdrawDue withdraws a timer that is due but was not delivered.
func (ts *timers) withdrawDue(t *timer) {
	if t.isDue {
		t.isDue = false
		ts.proc.dueTimers--
	}
}

// onExpiry handles an entry that was reached, and reports whether a timer became due.
func (ts *timers) onExpiry(arg uint64) bool {
	i := int(arg >> 48)
	if arg&0xffff != ts.proc.generation&0xffff || i >= len(ts.timerSlots) {
		return false
	}
	t := &ts.timerSlots[i]
	if uint32(arg>>16) != t.queueTurn {
		return false
	}
	t.queuedAt = -1
	if !t.armed || t.isDue {
		return false
	}
	m := ts.proc.machine
	if m.clock.stopped {
		return false // the machine is frozen; the end of that makes another entry
	}
	if m.clock.mono(m.world.Kernel.Now()) < t.deadline {
		ts.ensureQueued(i)
		return false
	}
	t.isDue = true
	ts.proc.dueTimers++
	return true
}

// takeDue disarms a due timer for delivery.
func (ts *timers) takeDue(i int) env.TimerID {
	ts.withdrawDue(&ts.timerSlots[i])
	ts.timerSlots[i].armed = false
	return ts.timerSlots[i].id
}

// reschedule moves the entries after a change of the clock's rate. Those of a frozen machine wait for the
// end of that.
func (ts *timers) reschedule() {
	if ts.proc.machine.clock.stopped {
		return
	}
	for i := range ts.timerSlots {
		if ts.timerSlots[i].armed && !ts.timerSlots[i].isDue {
			ts.ensureQueued(i)
		}
	}
}
