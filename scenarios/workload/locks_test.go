package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// lockCodec is a codec with locks. A lock can be taken once its directory is there.
type lockCodec struct{ jsonCodec }

func (lockCodec) LockKey(name string) string { return "locks/" + name }
func (lockCodec) PrepareLocks() []Op         { return []Op{{F: Mkdir, Key: "locks"}} }

// lockServer holds one lock. It carries a request out once, whatever becomes of its answer.
type lockServer struct {
	t         *rapid.T
	directory bool
	holder    string // "" when the lock is free
	version   uint64
	last      uint64
	done      map[string]Result
	// lost decides what becomes of a request and its answer; nil: both arrive.
	lost func() (request, answer bool)
}

func (s *lockServer) answer(_ int, op Op) ([]byte, error) {
	request, answer := false, false
	if s.lost != nil {
		request, answer = s.lost()
	}
	if request {
		return nil, ErrTimeout
	}
	r, repeated := s.done[op.ID]
	if !repeated {
		if r = s.carryOut(op); r.Type == history.OK && !isLook(op.F) {
			s.done[op.ID] = r
		}
	} else {
		require.True(s.t, op.Retry, "a repeated request is marked")
	}
	if answer {
		return nil, ErrTimeout
	}
	return mustJSON(r), nil
}

func isLook(f string) bool { return f == ReadLocal || f == Read }

func (s *lockServer) carryOut(op Op) Result {
	switch {
	case isLook(op.F) && s.holder == "":
		return Result{Type: history.OK}
	case isLook(op.F):
		return Result{Type: history.OK, Value: JSON(s.holder), Mod: s.version}
	case op.F == Mkdir:
		s.directory = true
		return OK()
	case !s.directory:
		return Failed("no directory")
	case op.Expect != s.version:
		return Result{Type: history.Fail, Error: "mismatch", Mod: s.version}
	}
	s.last++
	s.holder, s.version = op.Value, s.last
	if op.F == Release {
		s.holder, s.version = "", 0
	}
	return Result{Type: history.OK, Rev: s.last, Mod: s.last}
}

// lockSpec is a workload whose only client takes a lock again and again.
func lockSpec() Spec {
	s := Spec{Clients: 3, Operations: 9, Keys: 1, Timeout: time.Second, Mix: map[string]int{Acquire: 1},
		Locks: &Locks{Hold: 5 * time.Second, TTL: 9 * time.Second, Renew: 2 * time.Second}}
	s.SetDefaults(time.Minute)
	return s
}

func lockClient(e *scripted) *Client {
	return &Client{Number: 1, Machines: []string{"a", "b"}, Spec: lockSpec(), Env: e,
		Codec: lockCodec{jsonCodec{[]Weight{{F: Acquire}}}}}
}

// count counts the operations of a history by function and outcome.
func count(events []history.Event) map[string]int {
	n := map[string]int{}
	for _, e := range events {
		if e.Type != history.Invoke {
			n[fmt.Sprintf("%s %s", e.F, e.Type)]++
		}
	}
	return n
}

// TestHolding: a client without rivals makes the directory, takes the lock, renews it twice in the holding
// time and gives it back.
func TestHolding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Hour}
		server := &lockServer{t: t, done: map[string]Result{}}
		e.answer = server.answer
		c := lockClient(e)
		require.NoError(t, c.Run())
		require.Empty(t, server.holder)
		require.Equal(t, map[string]int{"acquire fail": 1, "mkdir ok": 1, "read_local ok": 4, "acquire ok": 3,
			"renew ok": 6, "release ok": 3}, count(e.events))
		for _, ev := range e.events {
			if IsLockOperation(ev.F) {
				require.Empty(t, ev.Node, "the client is the holder, not its machine")
			}
			if IsLockOperation(ev.F) && ev.Type == history.Invoke {
				require.JSONEq(t, `{"ttl_ns":9000000000}`, string(ev.Value))
			}
		}
	})
}

// TestTakenOverAfterTheTTL: the lock of a client that does not renew it is taken a TTL after it was seen
// first.
func TestTakenOverAfterTheTTL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Hour}
		server := &lockServer{t: t, done: map[string]Result{}, directory: true, holder: "c7-1.1", version: 5,
			last: 5}
		e.answer = server.answer
		require.NoError(t, lockClient(e).Run())
		first := e.events[0]
		require.Equal(t, "locks/k0", first.Key)
		for _, ev := range e.events {
			if ev.F == Acquire && ev.Type == history.Invoke {
				require.EqualValues(t, 5, ev.Mod, "at the version that was seen")
				require.Greater(t, time.Duration(ev.Time-first.Time), 9*time.Second)
				return
			}
		}
		t.Fatal("never taken")
	})
}

// TestLostAnswers holds two clients of one lock to its rules, whatever is lost: each request that was
// repeated is carried out once, no two clients hold the lock, and the history is one that a checker accepts.
func TestLostAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Duration(rapid.IntRange(1, 200).Draw(t, "end")) * time.Second}
		server := &lockServer{t: t, done: map[string]Result{}, lost: func() (bool, bool) {
			n := rapid.IntRange(0, 5).Draw(t, "lost")
			return n == 1, n == 2
		}}
		e.answer = server.answer
		e.took = func() time.Duration {
			return time.Duration(rapid.IntRange(0, 3000).Draw(t, "took")) * time.Millisecond
		}
		require.NoError(t, lockClient(e).Run())
		ops, err := history.Operations(e.events)
		require.NoError(t, err)
		ops2 := make([]history.Operation, 0, len(ops))
		for i := range ops {
			if IsLockOperation(ops[i].F) {
				ops2 = append(ops2, ops[i])
			}
		}
		if v := linearizability.CheckLocks(ops2); v.Validity == linearizability.Invalid {
			t.Fatal(v.Summary)
		}
	})
}

// TestALeaseThatEnds: a holder whose renewals do not arrive stops using the lock at the end of its lease, and
// does not know what became of the renewal.
func TestALeaseThatEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Hour}
		server := &lockServer{t: t, done: map[string]Result{}, directory: true}
		cut := false
		e.answer = func(machine int, op Op) ([]byte, error) {
			if cut = cut || op.F == Renew; cut && !isLook(op.F) {
				return nil, ErrTimeout
			}
			return server.answer(machine, op)
		}
		e.took = func() time.Duration { return 10 * time.Millisecond }
		c := lockClient(e)
		c.Spec.Operations = 1 + c.Number // the client makes one call
		require.NoError(t, c.Run())
		last := e.events[len(e.events)-1]
		require.Equal(t, [...]string{Renew, string(history.Info)}, [...]string{last.F, string(last.Type)})
		var taken history.Event
		for _, ev := range e.events {
			if ev.F == Acquire && ev.Type == history.Invoke {
				taken = ev
			}
		}
		require.GreaterOrEqual(t, time.Duration(last.Time-taken.Time), 9*time.Second)
		require.Less(t, time.Duration(last.Time-taken.Time), 11*time.Second)
	})
}

func TestLocksNeedACodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := lockClient(&scripted{t: t, end: time.Hour})
		c.Codec = jsonCodec{[]Weight{{F: Acquire}}}
		require.ErrorContains(t, c.Run(), "has no locks")
	})
}

func TestUnreadableAnswerToALock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		broken := rapid.SampledFrom([]string{ReadLocal, Acquire, Renew, Release, Mkdir}).Draw(t, "broken")
		e := &scripted{t: t, end: time.Hour}
		server := &lockServer{t: t, done: map[string]Result{}}
		e.answer = func(machine int, op Op) ([]byte, error) {
			if op.F == broken {
				return []byte("{"), nil
			}
			return server.answer(machine, op)
		}
		var syntax *json.SyntaxError
		err := lockClient(e).Run()
		require.True(t, errors.As(err, &syntax), "%v", err)
		require.ErrorContains(t, err, broken)
	})
}

func TestCheckLocks(t *testing.T) {
	require.Nil(t, (&Spec{}).Locks)
	tooMuch := fault.Always + 1
	for key, change := range map[string]func(*Spec){
		"":             func(*Spec) {},
		"locks":        func(s *Spec) { s.Mix = nil },
		"locks.hold":   func(s *Spec) { s.Locks.Hold = -1 },
		"locks.ttl":    func(s *Spec) { s.Locks.TTL = -1 },
		"locks.renew":  func(s *Spec) { s.Locks.Renew = s.Locks.TTL },
		"locks.poll":   func(s *Spec) { s.Locks.Poll = time.Microsecond },
		"locks.within": func(s *Spec) { s.Locks.Within = -1 },
		"locks.served": func(s *Spec) { s.Locks.Served = &tooMuch },
	} {
		s := lockSpec()
		change(&s)
		got, problem := s.CheckLocks()
		require.Equal(t, key, got)
		require.Equal(t, key == "", problem == "")
	}
	s := Spec{Mix: map[string]int{Acquire: 1}}
	s.SetDefaults(time.Minute)
	require.Equal(t, &Locks{Hold: 5 * time.Second, TTL: 120 * time.Second, Renew: 40 * time.Second,
		Poll: time.Second, Within: 10 * time.Second}, s.Locks)
}

func TestScaledLocks(t *testing.T) {
	require.Nil(t, (*Locks)(nil).Scaled(timescale.Ratio{}))
	ratio, err := timescale.Parse("1/1000")
	require.NoError(t, err)
	l := lockSpec().Locks.Scaled(ratio)
	require.Equal(t, &Locks{Hold: 5 * time.Millisecond, TTL: 9 * time.Millisecond,
		Renew: 2 * time.Millisecond, Poll: MinPoll, Within: 10 * time.Millisecond}, l)
}
