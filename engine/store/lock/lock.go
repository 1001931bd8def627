// Package lock gives the processes of a cluster locks with an expiry on top of the store's ordered
// changes: files below priv/lock, one holder each, taken over by another process only when
// they were not renewed for the TTL.
//
// What a lock is. The file's content names the holder (machine and process); the file's revision, with its
// writer and its time, is the lock's version. Every step is one conditional change of the store, so the
// store's total order decides between rivals:
//
//   - take: create the file where there is none;
//   - renew: write it at exactly the version that the holder made itself;
//   - give back: remove it at that version;
//   - take over: remove it at the version that was watched for longer than the TTL, then take.
//
// Why a takeover is safe. A rival that takes over at version v has watched v for a whole TTL by
// its own monotonic clock, and began to watch only after v was written. The removal demands
// v, so no renewal is in between. The holder's last successful renewal is therefore v's or an
// earlier one, and the holder asked for it before v was in the order. The watchdog of the holder
// counts from that instant (see [Locks.RequestedAt]), not from the answer: an answer that comes late, to
// a process that was paused, proves nothing newer. So the holder's machine is reset before the
// takeover whenever the watchdog's whole time is less than the TTL, whatever was delayed, lost or
// repeated on the way.
//
// Why a version is more than a revision. A node shows changes that it has applied and that are not
// acknowledged. If it loses its ring then, the others go on without them, and give their revisions to other
// changes. A rival that compared revisions alone would take the renewal that replaced the one it had watched
// for the same. So it compares what Proxmox VE's pmxcfs has in the checksum of a lock as well: the writer and
// the time. And whatever demands a revision, a takeover or a process that finds its own name, first reads the
// lock as it is acknowledged: such a revision is never given to another change.
//
// Ages only err towards longer. A process that starts, or that reads an entry late, watches from
// then on; what other nodes do, a store that resynchronises, and a wall clock that jumps change no
// age. A renewal whose outcome is unknown counts as failed for the holder; should it happen after
// all, it only makes rivals wait longer, and the holder recognises its name in it.
//
// A process that starts anew may take its own old lock at once: the name reports that it is on the
// same machine, and one machine runs one process of a name.
//
// Package lock never feeds a watchdog and never decides who should hold a lock.
package lock

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

const (
	// Dir is the directory of the locks.
	Dir = "priv/lock"
	// TTL is how long a lock is safe without renewal.
	TTL = 120 * time.Second
	// maxWatched bounds the locks whose age a process remembers.
	maxWatched = 4096
)

// Locks are the locks as one process sees them.
type Locks struct {
	env           env.Env
	store         *client.Client
	self          string
	ttl           time.Duration
	watchedByName map[string]watchedLock
	heldByName    map[string]heldLock
}

// Version identifies one writing of a lock. The zero value stands for a lock that is free.
type Version struct {
	Revision uint64
	Writer   ring.NodeID
	MtimeMS  int64 // wall clock of the writer, in ms since 1970
}

// Key is a number for the version: equal for equal versions, and different ones have different keys but for a
// chance of 2^-64.
func (v Version) Key() uint64 {
	if v == (Version{}) {
		return 0
	}
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, v) // a hash takes everything
	return h.Sum64()
}

func versionOf(e *store.EntryInfo) Version {
	return Version{Revision: e.Mod, Writer: e.Writer, MtimeMS: e.MtimeMS}
}

// watchedLock is the version of a lock and when this process first saw it.
type watchedLock struct {
	version      Version
	versionSince time.Duration // monotonic
}

// heldLock is the version that this process made last and when it asked for it.
type heldLock struct {
	version   uint64
	requested time.Duration // monotonic
}

// New makes the locks of a process; ttl is TTL, scaled.
func New(e env.Env, store *client.Client, ttl time.Duration) *Locks {
	self := e.Self()
	return &Locks{env: e, store: store, self: self.Name + "/" + self.Process, ttl: ttl,
		watchedByName: map[string]watchedLock{}, heldByName: map[string]heldLock{}}
}

// Observe looks at all locks, so that their ages are known when one is wanted.
func (l *Locks) Observe(t *env.Task) error {
	entries, err := l.store.List(t, Dir)
	if err != nil {
		return err
	}
	present := make(map[string]bool, len(entries))
	for i := range entries {
		name := entries[i].Path[len(Dir)+1:]
		present[name] = true
		l.noteVersion(name, versionOf(&entries[i]))
	}
	for name := range l.watchedByName {
		if !present[name] {
			delete(l.watchedByName, name)
		}
	}
	return nil
}

func (l *Locks) noteVersion(name string, version Version) {
	w, known := l.watchedByName[name]
	if known && w.version == version || !known && len(l.watchedByName) >= maxWatched {
		return
	}
	l.watchedByName[name] = watchedLock{version: version, versionSince: l.env.Mono()}
}

// hasExpired reports whether a lock was seen at this version, and no other, for longer than the TTL.
func (l *Locks) hasExpired(name string, version Version) bool {
	w, known := l.watchedByName[name]
	return known && w.version == version && l.env.Mono()-w.versionSince > l.ttl
}

// Acquire takes or renews a lock, one attempt. It reports true only if the store has confirmed it.
func (l *Locks) Acquire(t *env.Task, name string) bool {
	path := Dir + "/" + name
	if h, ok := l.heldByName[name]; ok {
		err := l.writeLock(t, name, h.version)
		if err == nil {
			return true
		}
		if !errors.Is(err, client.ErrChanged) && !errors.Is(err, client.ErrNotFound) {
			return false // perhaps renewed, perhaps not: it does not count
		}
		delete(l.heldByName, name)
	}
	e, err := l.store.ReadEntry(t, path)
	switch {
	case errors.Is(err, client.ErrNotFound):
		return l.writeLock(t, name, 0) == nil
	case err != nil:
		return false
	case string(e.Data) != l.self:
		l.noteVersion(name, versionOf(e))
		v := versionOf(e)
		return l.hasExpired(name, v) && l.takeOver(t, name, v) && l.writeLock(t, name, 0) == nil
	}
	// Ours: of an earlier incarnation of this process, or renewed by a request that got no answer.
	if e, err = l.store.ReadConfirmed(t, path); err != nil || string(e.Data) != l.self {
		return false
	}
	return l.writeLock(t, name, e.Mod) == nil
}

// takeOver removes a lock if it still has a version.
func (l *Locks) takeOver(t *env.Task, name string, version Version) bool {
	path := Dir + "/" + name
	age := l.env.Mono() - l.watchedByName[name].versionSince
	e, err := l.store.ReadConfirmed(t, path)
	if err != nil || versionOf(e) != version {
		return false // the next look begins a new watch
	}
	if err := l.store.Delete(t, path, version.Revision); err != nil {
		return false
	}
	delete(l.watchedByName, name)
	l.env.Emit(TakenOver{Lock: name, From: string(e.Data), By: l.self, Version: version.Revision,
		AgeMS: age.Milliseconds()})
	l.env.Probe("lock/taken-over")
	return true
}

// writeLock makes this process the holder if the lock is at the expected version; 0 means that it is free.
func (l *Locks) writeLock(t *env.Task, name string, expect uint64) error {
	path := Dir + "/" + name
	requested := l.env.Mono()
	version, err := l.store.CAS(t, path, []byte(l.self), expect)
	if expect == 0 && errors.Is(err, client.ErrNotFound) { // the directory is not there yet
		if err := l.store.Mkdir(t, Dir); err != nil {
			return err
		}
		requested = l.env.Mono()
		version, err = l.store.CAS(t, path, []byte(l.self), expect)
	}
	if err != nil {
		return err
	}
	if _, had := l.heldByName[name]; !had {
		l.env.Emit(Taken{Lock: name, By: l.self, Version: version})
	}
	l.heldByName[name] = heldLock{version: version, requested: requested}
	delete(l.watchedByName, name) // should it be another one's later, the next look begins a watch
	return nil
}

// RequestedAt is when this process asked for the newest version of a lock that the store has confirmed,
// on the monotonic clock: until a TTL after it no other process holds the lock. False when it holds none.
func (l *Locks) RequestedAt(name string) (time.Duration, bool) {
	h, ok := l.heldByName[name]
	return h.requested, ok
}

// Release gives a lock back and reports whether it was held. When the store does not confirm, the
// lock runs out by itself.
func (l *Locks) Release(t *env.Task, name string) bool {
	h, ok := l.heldByName[name]
	if !ok {
		return false
	}
	delete(l.heldByName, name)
	if err := l.store.Delete(t, Dir+"/"+name, h.version); err != nil {
		return false
	}
	l.env.Emit(Released{Lock: name, By: l.self, Version: h.version})
	return true
}
