package hacheck

import (
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// lockedByOperator reports whether a start of a service failed because the operator had locked its guest, not
// unlocked it, and it was still on the node where it had been locked. A master that recovers a guest to
// another node removes the lock (incident H20), so it excuses nothing there.
func lockedByOperator(e *Evidence, f failedStart) bool {
	lockedAt := time.Duration(-1)
	for _, d := range e.operatorLog.actions {
		command, is := d.command()
		if !is || d.doneAt > f.failedAt {
			continue
		}
		switch {
		case command.SID != f.sid:
		case command.Verb == haspec.VerbLock:
			lockedAt = d.doneAt
		case command.Verb == haspec.VerbUnlock:
			lockedAt = -1
		}
	}
	if lockedAt < 0 {
		return false
	}
	for _, p := range e.storeChanges.placements[f.sid] {
		if lockedAt < p.placedAt && p.placedAt <= f.failedAt {
			return false
		}
	}
	return true
}
