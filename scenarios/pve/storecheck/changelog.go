package storecheck

import (
	"strings"

	"github.com/holdfast-sim/holdfast/engine/store"
)

// changeLog holds the latest changes on a disk, by revision.
type changeLog map[uint64]store.Applied

// add adds the next change, or one that is recorded again.
func (l changeLog) add(a store.Applied) {
	l[a.Revision] = a
	delete(l, a.Revision-min(a.Revision, maxWitnessed))
}

// dropAbove removes what a disk no longer has.
func (l changeLog) dropAbove(revision uint64) {
	for r := range l {
		if r > revision {
			delete(l, r)
		}
	}
}

// isComplete reports whether every change above a revision, up to another one, is known.
func (l changeLog) isComplete(above, upTo uint64) bool {
	for r := above + 1; r <= upTo; r++ {
		if _, known := l[r]; !known {
			return false
		}
	}
	return true
}

// between returns the known changes above a revision, up to another one.
func (l changeLog) between(above, upTo uint64) (list []store.Applied) {
	for r := max(above, upTo-min(upTo, maxWitnessed)) + 1; r <= upTo; r++ {
		if c, known := l[r]; known {
			list = append(list, c)
		}
	}
	return list
}

// firstConcern returns the first known change above a revision, up to another one, that concerns a path; nil
// if there is none.
func (l changeLog) firstConcern(path string, above, upTo uint64) *store.Applied {
	for _, c := range l.between(above, upTo) {
		if concerns(&c, path) {
			return &c
		}
	}
	return nil
}

// differenceOf compares the logs of two branches up to their last revisions: gone are the changes that only
// the old one has, came those that only the new one has. Where no common change is known, nothing is known to
// be gone, and what came is all that the new one has.
func differenceOf(old, next changeLog, oldLast, nextLast uint64) (gone, came []store.Applied) {
	for r := min(oldLast, nextLast); r > 0; r-- {
		was, inOld := old[r]
		is, inNext := next[r]
		if !inOld || !inNext {
			break
		}
		if was.Chain == is.Chain {
			return old.between(r, oldLast), next.between(r, nextLast)
		}
	}
	return nil, next.between(0, nextLast)
}

// concerns reports whether a change is of a path, of something below it or of a directory above it.
func concerns(c *store.Applied, path string) bool {
	return isSameOrBelow(c.Path, path) || isSameOrBelow(path, c.Path) ||
		c.To != "" && (isSameOrBelow(c.To, path) || isSameOrBelow(path, c.To))
}

// isSameOrBelow reports whether a path is a directory or below it. All is below the root, "".
func isSameOrBelow(path, dir string) bool {
	return dir == "" || path == dir || strings.HasPrefix(path, dir+"/")
}
