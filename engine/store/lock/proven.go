package lock

import (
	"errors"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// Holder returns the holder of a lock (machine/process) and the lock's version, the zero one if the lock is
// free.
func (l *Locks) Holder(t *env.Task, name string) (holder string, version Version, err error) {
	e, err := l.store.ReadEntry(t, Dir+"/"+name)
	if errors.Is(err, client.ErrNotFound) {
		return "", Version{}, nil
	}
	if err != nil {
		return "", Version{}, err
	}
	return string(e.Data), versionOf(e), nil
}

// Expired reports whether this process has seen a lock at this version, and no other, for longer than
// the TTL.
func (l *Locks) Expired(name string, version Version) bool { return l.hasExpired(name, version) }

// TakeOverWithProof takes a lock over before the TTL is over, because its holder is proved to be dead.
//
// The proof has to be about the version: it was the lock's before the holder was killed. The
// removal demands exactly that version, so nothing that came back since has renewed it, and nothing
// that comes back later can: a renewal demands the version as well. When the removal fails, the
// proof does not cover the process that holds the lock now.
func (l *Locks) TakeOverWithProof(t *env.Task, name string, version Version) bool {
	l.noteVersion(name, version)
	if version == (Version{}) || !l.takeOver(t, name, version) {
		return false
	}
	l.env.Probe("lock/taken-on-proof")
	return l.writeLock(t, name, 0) == nil
}
