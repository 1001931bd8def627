package resource

import (
	"errors"
	"slices"
)

// Flaws say how simulated guests fail. How often something was tried is written on the guests' own
// disks, which all machines share: it goes with a guest wherever it goes. One value therefore serves
// all machines of a cluster.
type Flaws struct {
	// Of are the guests that fail, by sid.
	Of map[string]Flaw

	tried map[string]int
}

// Flaw is how a guest fails.
type Flaw struct {
	// Starts and Moves are how many attempts fail before one succeeds; then it begins anew.
	Starts, Moves int
	// NoStop: it does not end when it is asked to, not even by force.
	NoStop bool
	// On are the machines on which it fails so; none means all. It never ends, wherever it is.
	On []string
}

// ErrWillNotLeave means that a guest cannot be moved now.
var ErrWillNotLeave = errors.New("guest cannot be moved")

// fails counts an attempt on a machine and says whether it fails.
func (f *Flaws) fails(action, sid, machine string) bool {
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
	if f.tried == nil {
		f.tried = map[string]int{}
	}
	key := action + " " + sid
	if f.tried[key]++; f.tried[key] <= limit {
		return true
	}
	f.tried[key] = 0
	return false
}

// stays says whether a guest cannot be ended.
func (f *Flaws) stays(sid string) bool { return f != nil && f.Of[sid].NoStop }

// MayLeave is asked before a guest is moved, running or not. It fails with ErrWillNotLeave.
func (f *Fake) MayLeave(sid string) error {
	if f.opts.Flaws.fails("move", sid, f.env.Self().Name) {
		return ErrWillNotLeave
	}
	return nil
}
