package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// The operations on locks. A mix draws [Acquire]; a client that has the lock then renews it, and releases it
// after the holding time.
const (
	Acquire = "acquire" // take a lock; Expect is the version to replace, 0 if the lock must be free
	Renew   = "renew"   // make a new version of the lock that the client holds
	Release = "release" // give the lock back
)

// Locks is how the clients of a workload use locks. A lock has versions: each change of it demands the
// version that the client knows.
//
// A client that wants a lock looks at it every Poll. It takes the lock when it is free, when the client
// itself left it there by a request whose outcome it does not know, or when it has seen the same version for
// longer than TTL. It holds the lock for Hold and renews it meanwhile; it stops at the latest TTL after it
// has asked for the newest version.
type Locks struct {
	// Hold is how long a client keeps a lock.
	Hold time.Duration `yaml:"hold,omitempty" json:"hold"`
	// TTL is how long a lock stays valid without renewal.
	TTL time.Duration `yaml:"ttl,omitempty" json:"ttl"`
	// Renew is the time between two renewals of a holder.
	Renew time.Duration `yaml:"renew,omitempty" json:"renew"`
	// Poll is the mean time between two looks at a lock that another client holds.
	Poll time.Duration `yaml:"poll,omitempty" json:"poll"`
	// Within is the waiting time up to which a wait counts as short in the verdict.
	Within time.Duration `yaml:"within,omitempty" json:"within"`
	// Served is the least share of waits that must have ended with the lock; nil if the scenario asks for
	// none.
	Served *fault.PPM `yaml:"served,omitempty" json:"served,omitempty"`
}

// Defaults of [Locks]; a holder renews three times in a TTL.
const (
	DefaultHold    = 5 * time.Second
	DefaultLockTTL = 120 * time.Second
	DefaultPoll    = time.Second
	DefaultWithin  = 10 * time.Second
	renewalsInTTL  = 3
)

// MinPoll bounds how often a waiting client looks at a lock.
const MinPoll = time.Millisecond

// maxAttempts bounds how often one renewal or release is sent.
const maxAttempts = 1000

// LockCodec is implemented by a [Codec] that has the operations on locks.
type LockCodec interface {
	Codec
	// LockKey returns the key under which clients read and change the lock of this name.
	LockKey(name string) string
	// PrepareLocks lists the operations after which a lock can be taken for the first time. A client makes
	// them when a free lock was not found; they may fail because another client was faster.
	PrepareLocks() []Op
}

// UsesLocks reports whether the clients take locks.
func (s *Spec) UsesLocks() bool { return s.Mix[Acquire] > 0 }

// IsLockOperation reports whether an operation changes a lock.
func IsLockOperation(f string) bool { return f == Acquire || f == Renew || f == Release }

func (l *Locks) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&l.Hold, DefaultHold}, {&l.TTL, DefaultLockTTL}, {&l.Poll, DefaultPoll}, {&l.Within, DefaultWithin}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if l.Renew == 0 {
		l.Renew = l.TTL / renewalsInTTL
	}
}

// Scaled returns the locks with every duration multiplied by a timescale; nil for nil.
func (l *Locks) Scaled(by timescale.Ratio) *Locks {
	if l == nil {
		return nil
	}
	return &Locks{Hold: by.Of(l.Hold), TTL: by.Of(l.TTL), Renew: by.Of(l.Renew),
		Poll: max(by.Of(l.Poll), MinPoll), Within: by.Of(l.Within), Served: l.Served}
}

// CheckLocks reports what is wrong with the locks of a workload, and at which key below workload; "" if
// nothing is.
func (s *Spec) CheckLocks() (key, problem string) {
	l := s.Locks
	switch {
	case l == nil:
		return "", ""
	case !s.UsesLocks():
		return "locks", "no operation uses locks; give acquire a weight in workload.mix"
	case l.Hold <= 0:
		return "locks.hold", "must be positive; write for example 5s"
	case l.TTL <= 0:
		return "locks.ttl", "must be positive; write for example 120s"
	case l.Renew <= 0 || l.Renew >= l.TTL:
		return "locks.renew", "must be positive and less than the TTL, or every lock is lost; " +
			"write for example 10s"
	case l.Poll < MinPoll:
		return "locks.poll", fmt.Sprintf("a waiting client must pause; write at least %v", MinPoll)
	case l.Within <= 0:
		return "locks.within", "must be positive; write for example 10s"
	case l.Served != nil && (*l.Served < 0 || *l.Served > fault.Always):
		return "locks.served", "must be a share from 0% to 100%"
	}
	return "", ""
}

// lease is a lock that a client holds.
type lease struct {
	key     string
	version uint64
	// until is when it ends unless it is renewed: a TTL after the newest version was requested.
	until time.Duration
}

// useLock takes a lock, holds it and gives it back.
func (c *Client) useLock(name string) (stopped bool, err error) {
	codec, ok := c.Codec.(LockCodec)
	if !ok {
		return false, fmt.Errorf("client %d: the subject's codec %T has no locks", c.Number, c.Codec)
	}
	c.lockCalls = 0
	w := lockWait{Client: c, codec: codec, key: codec.LockKey(name), poll: c.Env.Choices("poll")}
	held, stopped, err := w.take()
	if stopped || err != nil {
		return stopped, err
	}
	return c.hold(held)
}

// hold keeps a lock for the holding time, or until its lease is lost.
func (c *Client) hold(l *lease) (stopped bool, err error) {
	end := c.Env.Now() + c.Spec.Locks.Hold
	for {
		renewal := l.until - c.Spec.Locks.TTL + c.Spec.Locks.Renew
		if c.Env.Sleep(min(end, renewal)-c.Env.Now()) != nil {
			return true, nil
		}
		now := c.Env.Now()
		if now >= l.until {
			return false, nil // the machine was too slow: others may have it
		}
		op := Op{F: Renew, Key: l.key, Expect: l.version}
		if now >= end {
			op.F = Release
		}
		r, stopped, err := c.untilDecided(op, l.until)
		if stopped || err != nil || op.F == Release || r.Type != history.OK {
			return stopped, err
		}
		l.version, l.until = r.Rev, now+c.Spec.Locks.TTL
	}
}

// untilDecided sends a renewal or release, under one id, to one machine after another until its outcome is
// known or the lease has ended. A refusal because of the version is final even after an attempt without an
// answer: no version comes back, and the system remembers a request that it has carried out.
func (c *Client) untilDecided(op Op, leaseEnd time.Duration) (r Result, stopped bool, err error) {
	op.ID, op.TTL = c.lockCallID(), c.Spec.Locks.TTL
	op.Value = op.ID
	process, e := c.processNumber, event(c.processNumber, op)
	c.Env.Append(e)
	perhaps := false // some attempt may have arrived
	for range maxAttempts {
		to, input := c.Codec.Encode(op)
		output, doErr := c.Env.Do(c.homeMachine, to, input, c.Spec.Timeout)
		r, err = resultOf(c.Codec, op, output, doErr)
		stopped = errors.Is(doErr, ErrStopped)
		if err != nil || stopped || r.Type != history.Info && !r.Elsewhere {
			break
		}
		perhaps = perhaps || r.Type == history.Info
		op.Retry = perhaps
		c.homeMachine = (c.homeMachine + 1) % len(c.Machines)
		if stopped = c.Env.Sleep(c.Spec.Locks.Poll) != nil; stopped || c.Env.Now() >= leaseEnd {
			break
		}
	}
	if perhaps && r.Elsewhere {
		r.Type = history.Info // this attempt was refused, an earlier one perhaps not
	}
	e.Process, e.Type, e.Value, e.Rev, e.Mod, e.Error = process, r.Type, r.Value, r.Rev, r.Mod, r.Error
	c.Env.Append(e)
	if r.Type == history.Info {
		c.processNumber += c.Spec.Clients
	}
	if err != nil {
		err = fmt.Errorf("reading the answer to %s %s: %w", op.F, op.ID, err)
	}
	return r, stopped, err
}

// lockCallID is the id of the next request for a lock.
func (c *Client) lockCallID() string {
	c.lockCalls++
	return fmt.Sprintf("%s%d.%d", c.ownPrefix(), c.callCount, c.lockCalls)
}

// ownPrefix begins the ids of all requests of the client.
func (c *Client) ownPrefix() string { return fmt.Sprintf("c%d-", c.Number) }

// lockWait is a client that waits for a lock.
type lockWait struct {
	*Client
	codec    LockCodec
	key      string
	poll     interface{ Choose(n uint64) uint64 }
	version  uint64        // of another holder
	holder   string        // its name, because a change that gets lost has the revision of another one
	since    time.Duration // when both were seen first
	prepared bool
}

// take waits until the client has the lock.
func (w *lockWait) take() (held *lease, stopped bool, err error) {
	for {
		look, stopped, err := w.call(Op{F: ReadLocal, Key: w.key, ID: w.lockCallID()})
		if stopped || err != nil {
			return nil, stopped, err
		}
		again := false
		mayTake := look.Type == history.OK && w.mayTake(look)
		if mayTake && look.Mod != 0 {
			if mayTake, stopped, err = w.confirm(look); stopped || err != nil {
				return nil, stopped, err
			}
		}
		if mayTake {
			requested := w.Env.Now()
			op := Op{F: Acquire, Key: w.key, Expect: look.Mod, ID: w.lockCallID(), TTL: w.Spec.Locks.TTL}
			op.Value = op.ID // names the holder
			r, stopped, err := w.call(op)
			if stopped || err != nil {
				return nil, stopped, err
			}
			if r.Type == history.OK {
				return &lease{key: w.key, version: r.Rev, until: requested + w.Spec.Locks.TTL}, false, nil
			}
			if r.Type == history.Fail && !r.Elsewhere && look.Mod == 0 && r.Mod == 0 {
				if again, stopped, err = w.prepare(); stopped || err != nil {
					return nil, stopped, err
				}
			}
		}
		if !again && w.Env.Sleep(drawPause(w.Spec.Locks.Poll, w.poll)) != nil {
			return nil, true, nil
		}
	}
}

// confirm reports whether a lock is the same in the order. A machine also shows changes that are not
// acknowledged; if they never are, another change gets their revision, and an acquisition that demands that
// revision takes the lock from the client that made it.
func (w *lockWait) confirm(look Result) (same, stopped bool, err error) {
	r, stopped, err := w.call(Op{F: Read, Key: w.key, ID: w.lockCallID()})
	return r.Type == history.OK && r.Mod == look.Mod && bytes.Equal(r.Value, look.Value), stopped, err
}

// mayTake decides from a look at the lock whether the client may take it.
func (w *lockWait) mayTake(look Result) bool {
	if look.Mod == 0 {
		return true
	}
	var holder string
	if json.Unmarshal(look.Value, &holder) == nil && strings.HasPrefix(holder, w.ownPrefix()) {
		return true
	}
	if look.Mod != w.version || holder != w.holder {
		w.version, w.holder, w.since = look.Mod, holder, w.Env.Now()
	}
	return w.Env.Now()-w.since > w.Spec.Locks.TTL
}

// prepare makes the operations after which a lock can be taken for the first time. again means that the lock
// can be tried at once, which happens at most once in a wait.
func (w *lockWait) prepare() (again, stopped bool, err error) {
	again, w.prepared = !w.prepared, true
	for _, op := range w.codec.PrepareLocks() {
		op.ID = w.lockCallID()
		r, stopped, err := w.call(op)
		if stopped || err != nil {
			return false, stopped, err
		}
		again = again && r.Type != history.Info && !r.Elsewhere
	}
	return again, false, nil
}
