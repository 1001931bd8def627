package lock

import (
	"errors"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// Holder is who holds a lock (machine/process), and at which version; version 0 means that nobody
// does.
func (l *Locks) Holder(t *env.Task, name string) (holder string, version uint64, err error) {
	data, version, err := l.store.Read(t, Dir+"/"+name)
	if errors.Is(err, client.ErrNotFound) {
		return "", 0, nil
	}
	return string(data), version, err
}

// Expired says whether this process has seen a lock at this version, and no other, for longer than
// its life.
func (l *Locks) Expired(name string, version uint64) bool { return l.expired(name, version) }

// TakeOverWithProof takes a lock over before its life is over, because its holder is proved to be dead.
//
// The proof has to be about the version: it was the lock's before the holder was killed. The
// removal demands exactly that version, so nothing that came back since has renewed it, and nothing
// that comes back later can: a renewal demands the version as well. When the removal fails, whoever
// holds the lock now lives as far as this proof goes.
func (l *Locks) TakeOverWithProof(t *env.Task, name string, version uint64) bool {
	holder, now, err := l.Holder(t, name)
	if err != nil || version == 0 || now != version {
		return false
	}
	l.watch(name, now)
	if !l.takeOver(t, Dir+"/"+name, name, version, holder) {
		return false
	}
	l.env.Probe("lock/taken-on-proof")
	return l.put(t, name, 0) == nil
}
