package lock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// shared is one tree that the stores of several machines serve, as if they agreed at once.
type shared struct {
	tree     *tree.Tree
	revision uint64
}

// toyStore answers from the shared tree.
type toyStore struct {
	shared *shared
	env    env.Env
	mute   bool       // carries out requests without answering them
	branch *tree.Tree // what this machine shows until it joins the others again; nil for what they have
}

func (s *toyStore) Start(e env.Env) error { s.env = e; return nil }

func (s *toyStore) Step(ev env.Event) {
	m, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	req, err := store.DecodeCompactRequest(m.Payload)
	if err != nil {
		panic(err)
	}
	r := s.answer(req)
	if !s.mute {
		if err := s.env.Local(m.From, r.EncodeCompact()); err != nil {
			panic(err)
		}
	}
}

func (s *toyStore) answer(req *store.Request) *store.Response {
	r := &store.Response{ID: req.ID, OK: true}
	shown := s.shared.tree
	if req.Local && s.branch != nil {
		shown = s.branch
	}
	switch req.Op {
	case store.OpRead:
		e := shown.Get(req.Path)
		if e == nil {
			r.OK, r.Code = false, tree.NotFound
			return r
		}
		r.Entry = &store.EntryInfo{Path: e.Path, Kind: "file", Mod: e.Mod, Writer: ring.NodeID(e.Writer),
			MtimeMS: e.MtimeMS, Data: e.Data}
		return r
	case store.OpList:
		for _, name := range shown.Names(req.Path) {
			e := shown.Get(req.Path + "/" + name)
			r.Entries = append(r.Entries, store.EntryInfo{Path: e.Path, Mod: e.Mod,
				Writer: ring.NodeID(e.Writer), MtimeMS: e.MtimeMS})
		}
		return r
	}
	op := &tree.Op{Path: req.Path, Data: req.Data, Expect: req.Expect, Writer: uint32(s.env.Self().Machine),
		MtimeMS: s.env.Wall().UnixMilli()}
	for k := tree.Write; k <= tree.CAS; k++ {
		if k.String() == req.Op {
			op.Kind = k
		}
	}
	if no := s.shared.tree.Check(op); no != nil {
		r.OK, r.Code, r.Actual = false, no.Code, no.Actual
		return r
	}
	s.shared.revision++
	s.shared.tree.Apply(op, s.shared.revision)
	r.Revision = s.shared.revision
	return r
}

// user is a process that acquires and releases locks for the test.
type user struct {
	tasks *env.Tasks
	store *client.Client
	locks *lock.Locks
	env   env.Env
}

const storeTimeout = 5 * time.Second

func (u *user) Start(e env.Env) error {
	u.env, u.tasks = e, env.NewTasks(e, 1)
	u.store = client.New(e, storeTimeout)
	u.locks = lock.New(e, u.store, lock.TTL)
	return nil
}

func (u *user) Step(ev env.Event) {
	if !u.tasks.Step(ev) {
		u.store.Step(ev)
	}
}

type cluster struct {
	t      require.TestingT
	world  *envtest.World
	shared *shared
	stores []*toyStore
	users  []*user
	procs  []*envtest.Proc
}

func newCluster(t require.TestingT, n int) *cluster {
	c := &cluster{t: t, world: envtest.New(), shared: &shared{tree: tree.New(tree.DefaultLimits())}}
	for m := range env.MachineID(n) {
		s := &toyStore{shared: c.shared}
		_, err := c.world.Start(m, store.Process, s)
		require.NoError(t, err)
		c.stores, c.users, c.procs = append(c.stores, s), append(c.users, nil), append(c.procs, nil)
		c.restart(int(m))
	}
	return c
}

// restart gives a machine a new process that knows nothing.
func (c *cluster) restart(m int) {
	if c.procs[m] != nil {
		c.world.Kill(c.procs[m])
	}
	c.users[m] = &user{}
	p, err := c.world.Start(env.MachineID(m), "user", c.users[m])
	require.NoError(c.t, err)
	c.procs[m] = p
	c.world.RunFor(time.Second)
}

// do runs a body in a task of a machine's user and lets time pass until it is done.
func (c *cluster) do(m int, body func(u *user, t *env.Task)) {
	done := false
	u := c.users[m]
	u.tasks.Go(func(t *env.Task) {
		body(u, t)
		done = true
	})
	for range 100 {
		if done {
			return
		}
		c.world.RunFor(time.Second)
	}
	require.FailNow(c.t, "a call does not end")
}

func (c *cluster) acquire(m int, name string) (ok bool) {
	c.do(m, func(u *user, t *env.Task) { ok = u.locks.Acquire(t, name) })
	return ok
}

func TestOnlyOneHolds(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	require.False(t, c.acquire(1, "a"))
	require.True(t, c.acquire(1, "b"), "another lock is free")
	require.True(t, c.acquire(0, "a"), "the holder renews")
}

func TestTakenOverOnlyAfterATTLWithoutRenewal(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	require.False(t, c.acquire(1, "a"))
	c.world.RunFor(lock.TTL - 20*time.Second)
	require.True(t, c.acquire(0, "a"))
	require.False(t, c.acquire(1, "a"), "a renewal begins a new age")
	c.world.RunFor(lock.TTL - time.Second)
	require.False(t, c.acquire(1, "a"))
	c.world.RunFor(2 * time.Second)
	require.True(t, c.acquire(1, "a"))
	require.False(t, c.acquire(0, "a"), "the old holder has to win it again")
	_, held := c.users[0].locks.RequestedAt("a")
	require.False(t, held)
}

func TestLateStarterWatchesFromItsStart(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	c.world.RunFor(2 * lock.TTL)
	require.False(t, c.acquire(1, "a"), "it has not watched the lock yet")
	c.world.RunFor(lock.TTL / 2)
	c.restart(1)
	require.False(t, c.acquire(1, "a"))
	c.world.RunFor(lock.TTL / 2)
	require.False(t, c.acquire(1, "a"), "a restart begins anew")
	c.world.RunFor(lock.TTL)
	require.True(t, c.acquire(1, "a"))
}

func TestObservedLocksAgeBeforeAnybodyWantsThem(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	c.do(1, func(u *user, task *env.Task) { require.NoError(t, u.locks.Observe(task)) })
	c.world.RunFor(lock.TTL + time.Second)
	require.True(t, c.acquire(1, "a"))
}

func TestRenewalWithoutAnswerDoesNotCount(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	asked, _ := c.users[0].locks.RequestedAt("a")
	c.stores[0].mute = true
	require.False(t, c.acquire(0, "a"))
	again, held := c.users[0].locks.RequestedAt("a")
	require.True(t, held)
	require.Equal(t, asked, again, "only what was confirmed counts")
	c.stores[0].mute = false
	require.True(t, c.acquire(0, "a"), "it recognises its name")
	again, _ = c.users[0].locks.RequestedAt("a")
	require.Greater(t, again, asked)
}

func TestRestartedHolderTakesItsOwnLock(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	c.restart(0)
	require.True(t, c.acquire(0, "a"))
}

func TestGivenBackIsFree(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	c.do(0, func(u *user, task *env.Task) { require.True(t, u.locks.Release(task, "a")) })
	require.True(t, c.acquire(1, "a"))
	c.do(0, func(u *user, task *env.Task) {
		require.False(t, u.locks.Release(task, "a"),
			"it is another's now")
	})
}

// TestNoTwoHoldersWithinATTL: after a confirmed request no other holder is confirmed until one TTL
// after that request was sent, whatever the holders do, omit or forget.
func TestNoTwoHoldersWithinATTL(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const machines = 3
		c := newCluster(rt, machines)
		until := make([]time.Duration, machines) // from which on others may hold
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			m := rapid.IntRange(0, machines-1).Draw(rt, "machine")
			switch rapid.IntRange(0, 6).Draw(rt, "action") {
			case 0:
				c.world.RunFor(time.Duration(rapid.IntRange(1, 150).Draw(rt, "seconds")) * time.Second)
			case 1:
				c.stores[m].mute = !c.stores[m].mute
			case 2:
				c.restart(m)
			case 3:
				c.do(m, func(u *user, task *env.Task) { u.locks.Release(task, "a") })
				until[m] = 0
			default:
				if !c.acquire(m, "a") {
					continue
				}
				asked, _ := c.users[m].locks.RequestedAt("a")
				now := c.world.Now()
				for other, limit := range until {
					require.True(rt, other == m || now >= limit, fmt.Sprintf(
						"at %v machine %d holds what machine %d holds until %v", now, m, other, limit))
				}
				until[m] = asked + lock.TTL
			}
		}
	})
}

// TestTakenOnProofOnlyAtItsVersion: a proof of the holder's death is about one version of the lock.
func TestTakenOnProofOnlyAtItsVersion(t *testing.T) {
	c := newCluster(t, 2)
	require.True(t, c.acquire(0, "a"))
	proven := func(version lock.Version) (ok bool) {
		c.do(1, func(u *user, task *env.Task) { ok = u.locks.TakeOverWithProof(task, "a", version) })
		return ok
	}
	holder := func() (by string, version lock.Version) {
		c.do(1, func(u *user, task *env.Task) {
			var err error
			by, version, err = u.locks.Holder(task, "a")
			require.NoError(t, err)
		})
		return by, version
	}
	by, version := holder()
	require.Equal(t, "n1/user", by)
	require.True(t, c.acquire(0, "a"), "a renewal after the version was read")
	require.False(t, proven(version), "the holder lived on")
	require.True(t, c.acquire(0, "a"), "and nothing was taken from it")
	_, version = holder()
	require.True(t, proven(version))
	require.False(t, c.acquire(0, "a"), "what comes back has to win it anew")
	by, _ = holder()
	require.Equal(t, "n2/user", by)
	c.do(1, func(u *user, task *env.Task) { require.True(t, u.locks.Release(task, "a")) })
	_, version = holder()
	require.Zero(t, version, "the lock is free")
	require.False(t, proven(lock.Version{}), "so there is no holder to take it from")
}

// TestARevisionOfABranchIsAnotherVersion: a renewal that was applied and never acknowledged has a revision
// which the others give to another renewal. Who has watched the first one has not watched the second.
func TestARevisionOfABranchIsAnotherVersion(t *testing.T) {
	for _, joined := range []bool{false, true} {
		c := newCluster(t, 2)
		require.True(t, c.acquire(0, "a"))
		kept, revision := c.shared.tree.Clone(), c.shared.revision
		require.True(t, c.acquire(0, "a"))
		c.stores[1].branch = c.shared.tree
		require.False(t, c.acquire(1, "a"), "it begins to watch the renewal that only it shows")
		c.world.RunFor(lock.TTL + time.Second)

		c.shared.tree, c.shared.revision = kept, revision // the others go on without it
		c.restart(0)
		require.True(t, c.acquire(0, "a"))
		require.Equal(t, c.stores[1].branch.Get(lock.Dir+"/a").Mod, c.shared.tree.Get(lock.Dir+"/a").Mod)
		if joined {
			c.stores[1].branch = nil
		}
		require.False(t, c.acquire(1, "a"), "joined: %v", joined)
	}
}
