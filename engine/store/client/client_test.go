package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// scripted is a store that answers as a test wants; nil is no answer.
type scripted struct {
	env    env.Env
	answer func(*store.Request) *store.Response
	asked  []store.Request
}

func (s *scripted) Start(e env.Env) error { s.env = e; return nil }

func (s *scripted) Step(ev env.Event) {
	m, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	req, err := store.DecodeCompactRequest(m.Payload)
	if err != nil {
		panic(err)
	}
	s.asked = append(s.asked, *req)
	if r := s.answer(req); r != nil {
		if r.ID == "" {
			r.ID = req.ID
		}
		s.send(m.From, r.EncodeCompact())
	}
}

func (s *scripted) send(to string, payload []byte) {
	if err := s.env.Local(to, payload); err != nil {
		panic(err)
	}
}

type user struct {
	tasks *env.Tasks
	store *client.Client
}

const timeout = 5 * time.Second

func (u *user) Start(e env.Env) error {
	u.tasks, u.store = env.NewTasks(e, 1), client.New(e, timeout)
	return nil
}

func (u *user) Step(ev env.Event) {
	if !u.tasks.Step(ev) {
		u.store.Step(ev)
	}
}

type bench struct {
	t     *testing.T
	world *envtest.World
	store *scripted
	proc  *envtest.Proc // the store's
	user  *user
}

func newBench(t *testing.T, answer func(*store.Request) *store.Response) *bench {
	b := &bench{t: t, world: envtest.New(), store: &scripted{answer: answer}, user: &user{}}
	var err error
	b.proc, err = b.world.Start(0, store.Process, b.store)
	require.NoError(t, err)
	_, err = b.world.Start(0, "user", b.user)
	require.NoError(t, err)
	b.world.RunFor(time.Second)
	return b
}

// do runs a body in a task until it is done.
func (b *bench) do(body func(c *client.Client, t *env.Task)) {
	b.t.Helper()
	done := false
	b.user.tasks.Go(func(t *env.Task) {
		body(b.user.store, t)
		done = true
	})
	for i := 0; i < 60 && !done; i++ {
		b.world.RunFor(time.Second)
	}
	require.True(b.t, done, "a call does not end")
}

func ok(*store.Request) *store.Response { return &store.Response{OK: true, Revision: 7} }

func TestReadAndItsErrors(t *testing.T) {
	b := newBench(t, func(r *store.Request) *store.Response {
		switch r.Path {
		case "a":
			return &store.Response{OK: true, Revision: 9,
				Entry: &store.EntryInfo{Path: "a", Kind: store.KindFile,
					Mod: 4, Writer: 3, Data: []byte("text")}}
		case "d":
			return &store.Response{OK: true, Entry: &store.EntryInfo{Path: "d", Kind: store.KindDirectory}}
		}
		return &store.Response{Code: tree.NotFound, Message: "no such file"}
	})
	b.do(func(c *client.Client, task *env.Task) {
		data, revision, err := c.Read(task, "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(data))
		require.Equal(t, uint64(4), revision)
		e, err := c.ReadEntry(task, "a")
		require.NoError(t, err)
		require.EqualValues(t, 3, e.Writer)
		_, _, err = c.Read(task, "b")
		require.ErrorIs(t, err, client.ErrNotFound)
		require.ErrorContains(t, err, "reading b: ")
		_, _, err = c.Read(task, "d")
		require.ErrorIs(t, err, client.ErrRefused)
	})
	for _, r := range b.store.asked {
		require.True(t, r.Local)
	}
	b.store.asked = nil
	b.do(func(c *client.Client, task *env.Task) {
		e, err := c.ReadConfirmed(task, "a")
		require.NoError(t, err)
		require.EqualValues(t, 4, e.Mod)
	})
	for _, r := range b.store.asked {
		require.False(t, r.Local)
	}
}

func TestErrorsAreDistinguished(t *testing.T) {
	for code, want := range map[tree.Code]error{
		tree.NotFound: client.ErrNotFound, tree.RevisionMismatch: client.ErrChanged,
		tree.Exists:        client.ErrChanged,
		store.CodeReadOnly: client.ErrReadOnly, store.CodeNoQuorum: client.ErrReadOnly,
		store.CodeTryAgain: client.ErrUnavailable, store.CodeFailed: client.ErrUnavailable,
		store.CodeUnknown: client.ErrUnknown, tree.NoSpace: client.ErrRefused,
	} {
		b := newBench(t, func(*store.Request) *store.Response { return &store.Response{Code: code} })
		b.do(func(c *client.Client, task *env.Task) {
			_, err := c.Write(task, "a", nil)
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, string(code))
		})
	}
}

// TestNoAnswerIsAnUnknownOutcome: a request without an answer has an unknown outcome, and a late answer is
// dropped.
func TestNoAnswerIsAnUnknownOutcome(t *testing.T) {
	b := newBench(t, func(*store.Request) *store.Response { return nil })
	b.do(func(c *client.Client, task *env.Task) {
		_, err := c.Write(task, "a", nil)
		require.ErrorIs(t, err, client.ErrUnknown)
	})
	late := b.store.asked[0].ID
	b.store.answer = func(r *store.Request) *store.Response {
		b.store.send("user", []byte("rubbish"))
		b.store.send("user", (&store.Response{ID: late, OK: true, Revision: 99}).EncodeCompact())
		return ok(r)
	}
	b.do(func(c *client.Client, task *env.Task) {
		revision, err := c.Write(task, "a", nil)
		require.NoError(t, err)
		require.Equal(t, uint64(7), revision)
	})
}

func TestNoRequestWithoutTheStoreProcess(t *testing.T) {
	b := newBench(t, ok)
	require.True(t, b.user.store.Up())
	b.world.Kill(b.proc)
	b.world.RunFor(time.Second)
	require.False(t, b.user.store.Up())
	b.do(func(c *client.Client, task *env.Task) {
		_, err := c.Write(task, "a", nil)
		require.ErrorIs(t, err, client.ErrUnavailable)
		require.NotErrorIs(t, err, client.ErrUnknown)
	})
}

func TestCallsAreBounded(t *testing.T) {
	b := newBench(t, func(*store.Request) *store.Response { return nil })
	refused := 0
	for range 300 {
		b.user.tasks.Go(func(task *env.Task) {
			if _, err := b.user.store.Write(task, "a", nil); errors.Is(err, client.ErrUnavailable) {
				refused++
			}
		})
	}
	b.world.RunFor(2 * timeout)
	require.Equal(t, 300-256, refused)
}

// paged serves a list in pages of two and calls before ahead of each page.
func paged(paths *[]string, revision *uint64,
	before func(after string)) func(*store.Request) *store.Response {
	return func(r *store.Request) *store.Response {
		before(r.After)
		from := 0
		for from < len(*paths) && r.After != "" && (*paths)[from] <= r.After {
			from++
		}
		page := (*paths)[from:min(from+2, len(*paths))]
		answer := &store.Response{OK: true, Revision: *revision, More: from+2 < len(*paths)}
		for _, path := range page {
			if r.Names {
				answer.Paths = append(answer.Paths, path)
			} else {
				answer.Entries = append(answer.Entries, store.EntryInfo{Path: path, Kind: store.KindFile})
			}
		}
		return answer
	}
}

func TestListsPageAfterPage(t *testing.T) {
	for n := range 7 {
		var paths []string
		for i := range n {
			paths = append(paths, fmt.Sprintf("d/%d", i))
		}
		revision := uint64(5)
		b := newBench(t, paged(&paths, &revision, func(string) {}))
		b.do(func(c *client.Client, task *env.Task) {
			names, err := c.NamesBelow(task, "d")
			require.NoError(t, err)
			require.Equal(t, paths, names)
			entries, err := c.List(task, "d")
			require.NoError(t, err)
			require.Len(t, entries, n)
			for i := range entries {
				require.Equal(t, paths[i], entries[i].Path)
			}
		})
	}
}

// A list is of one revision: when something changes between two pages it begins anew.
func TestListsAreOfOneRevision(t *testing.T) {
	paths, revision := []string{"d/1", "d/2", "d/3"}, uint64(5)
	changes := 2
	b := newBench(t, paged(&paths, &revision, func(after string) {
		if after != "" && changes > 0 {
			changes--
			revision++
			paths = append([]string{fmt.Sprintf("d/0%d", changes)}, paths...)
		}
	}))
	b.do(func(c *client.Client, task *env.Task) {
		names, err := c.NamesBelow(task, "d")
		require.NoError(t, err)
		require.Equal(t, []string{"d/00", "d/01", "d/1", "d/2", "d/3"}, names)
	})
}

func TestListsGiveUpWhenEverythingMoves(t *testing.T) {
	paths, revision := []string{"d/1", "d/2", "d/3"}, uint64(5)
	b := newBench(t, paged(&paths, &revision, func(string) { revision++ }))
	b.do(func(c *client.Client, task *env.Task) {
		_, err := c.NamesBelow(task, "d")
		require.ErrorIs(t, err, client.ErrUnavailable)
	})
}

// A directory that is missing is empty, also when it vanishes between two pages.
func TestMissingDirectoryIsEmpty(t *testing.T) {
	paths, revision, gone := []string{"d/1", "d/2", "d/3"}, uint64(5), false
	pages := paged(&paths, &revision, func(after string) { gone = after != "" })
	b := newBench(t, func(r *store.Request) *store.Response {
		if answer := pages(r); !gone {
			return answer
		}
		return &store.Response{Code: tree.NotFound}
	})
	b.do(func(c *client.Client, task *env.Task) {
		names, err := c.NamesBelow(task, "d")
		require.NoError(t, err)
		require.Empty(t, names)
		entries, err := c.List(task, "d")
		require.NoError(t, err)
		require.Empty(t, entries)
	})
}

func TestMkdirMakesWhatIsAbove(t *testing.T) {
	made := map[string]bool{}
	b := newBench(t, func(r *store.Request) *store.Response {
		switch parent := env.Dir(r.Path); {
		case made[r.Path]:
			return &store.Response{Code: tree.Exists}
		case parent != "" && !made[parent]:
			return &store.Response{Code: tree.NotFound}
		}
		made[r.Path] = true
		return ok(r)
	})
	b.do(func(c *client.Client, task *env.Task) {
		require.NoError(t, c.Mkdir(task, "a/b/c"))
		require.NoError(t, c.Mkdir(task, "a/b"))
		require.NoError(t, c.Mkdir(task, ""))
	})
	require.Equal(t, map[string]bool{"a": true, "a/b": true, "a/b/c": true}, made)
}

func TestNoTwoRequestsShareAnID(t *testing.T) {
	b := newBench(t, ok)
	for range 3 {
		b.do(func(c *client.Client, task *env.Task) {
			require.NoError(t, c.Delete(task, "a", 1))
			require.NoError(t, c.Rename(task, "a", "b"))
			_, err := c.CAS(task, "a", nil, 3)
			require.NoError(t, err)
		})
	}
	ids := map[string]bool{}
	for _, r := range b.store.asked {
		require.False(t, ids[r.ID])
		require.LessOrEqual(t, len(r.ID), store.MaxRequestIDBytes)
		ids[r.ID] = true
	}
	require.Len(t, ids, 9)
}
