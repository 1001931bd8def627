package resource

import (
	"errors"
	"slices"
)

// Flaws are how simulated guests fail. The number of attempts is stored on the guests' own disks, which
// all machines share: it follows a guest to every machine. So one value serves all machines of a
// cluster.
type Flaws struct {
	// Of are the guests that fail, by sid.
	Of map[string]Flaw

	attempts map[string]int
}

// Flaw is how a guest fails.
type Flaw struct {
	// Starts and Moves are how many attempts fail before one succeeds. After that the count begins
	// again.
	Starts, Moves int
	// NoStop is true if it does not end when it is asked to, not even by force.
	NoStop bool
	// On are the machines on which Starts and Moves apply; none means all. NoStop applies on every
	// machine.
	On []string
}

// ErrWillNotLeave means that a guest cannot be moved now.
var ErrWillNotLeave = errors.New("guest cannot be moved")

// countAndFail counts an attempt on a machine and reports whether it fails.
func (f *Flaws) countAndFail(action, sid, machine string) bool {
	if f == nil {
		return false
	}
	flaw, has := f.Of[sid]
	limit := flaw.Starts
	if action == "move" {
		limit = flaw.Moves
	}
	if !has || limit == 0 || len(flaw.On) > 0 && !slices.Contains(flaw.On, machine) {
		return false
	}
	if f.attempts == nil {
		f.attempts = map[string]int{}
	}
	key := action + " " + sid
	if f.attempts[key]++; f.attempts[key] <= limit {
		return true
	}
	f.attempts[key] = 0
	return false
}

// cannotStop reports whether a guest cannot be ended.
func (f *Flaws) cannotStop(sid string) bool { return f != nil && f.Of[sid].NoStop }

// MayLeave returns ErrWillNotLeave if a guest cannot be moved, running or stopped.
func (f *Fake) MayLeave(sid string) error {
	if f.opts.Flaws.countAndFail("move", sid, f.env.Self().Name) {
		return ErrWillNotLeave
	}
	return nil
}
