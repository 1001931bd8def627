package history

import (
	"errors"
	"math"
)

// ErrBackwards reports an event with an earlier time than that of an event before it.
var ErrBackwards = errors.New("time runs backwards")

// timeline makes the order of times that of positions, one event after the other: a call that stands behind
// the end of another one gets a later time. Without that, equal times count as concurrent, and coarse
// clocks hide what follows what. The zero value is ready.
type timeline struct {
	started   bool
	raw       int64 // time of the last event as recorded
	now       int64 // the same as given
	closed    int64 // time given to the last end of a call
	anyClosed bool
	ties      int
}

// maxTime leaves room below [Never].
const maxTime = math.MaxInt64 - 1

// place moves a client's event as little as the order demands, and returns false if it is earlier than the
// one before.
func (l *timeline) place(e *Event) bool {
	if e.Process < 0 {
		return true
	}
	forwards := !l.started || e.Time >= l.raw
	if !l.started || e.Time > l.now {
		l.now = e.Time
	}
	l.started, l.raw = true, e.Time
	if e.Type == Invoke && l.anyClosed && l.now <= l.closed && l.closed < maxTime {
		l.now = l.closed + 1
		l.ties++
	}
	e.Time = l.now
	if e.Type == OK || e.Type == Fail {
		l.closed, l.anyClosed = l.now, true
	}
	return forwards
}

// InOrder gives the clients' events times of which the order is that of their positions, as close to the
// recorded ones as that allows. ties counts the calls that had to move; backwards is the position of the
// first event with an earlier time than one before it, or -1.
func InOrder(events []Event) (ties, backwards int) {
	var line timeline
	backwards = -1
	for i := range events {
		if !line.place(&events[i]) && backwards < 0 {
			backwards = i
		}
	}
	return line.ties, backwards
}
