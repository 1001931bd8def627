package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// garbled is a store process that answers every request with the same bytes, and with an answer to it.
type garbled struct {
	env  env.Env
	data []byte
}

func (g *garbled) Start(e env.Env) error { g.env = e; return nil }

func (g *garbled) Step(ev env.Event) {
	m, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	req, err := store.DecodeCompactRequest(m.Payload)
	if err != nil {
		panic(err)
	}
	whole := (&store.Response{ID: req.ID, OK: true, Revision: 7}).EncodeCompact()
	if r, err := store.DecodeCompactResponse(g.data); err == nil && r.ID == req.ID {
		g.data = nil // an answer to the request after all
	}
	for _, payload := range [][]byte{g.data, whole} {
		if err := g.env.Local(m.From, payload); err != nil {
			panic(err)
		}
	}
}

// asker writes one file and keeps what the client returns.
type asker struct {
	tasks    *env.Tasks
	store    *client.Client
	revision uint64
	err      error
	done     bool
}

func (a *asker) Start(e env.Env) error {
	a.tasks, a.store = env.NewTasks(e, 1), client.New(e, time.Second)
	return nil
}

func (a *asker) Step(ev env.Event) {
	if !a.tasks.Step(ev) {
		a.store.Step(ev)
	}
}

// FuzzAnswer: whatever a store sends before its answer, the client neither panics nor takes it for the
// answer to another request.
func FuzzAnswer(f *testing.F) {
	f.Add((&store.Response{ID: "other", OK: true, Revision: 3}).EncodeCompact())
	f.Add([]byte{0x21, 1, 'x'})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > env.MaxLocalBytes {
			return
		}
		world, user := envtest.New(), &asker{}
		_, err := world.Start(0, store.Process, &garbled{data: data})
		require.NoError(t, err)
		_, err = world.Start(0, "user", user)
		require.NoError(t, err)
		user.tasks.Go(func(task *env.Task) {
			user.revision, user.err = user.store.Write(task, "a", []byte("x"))
			user.done = true
		})
		world.RunFor(5 * time.Second)
		require.True(t, user.done)
		require.NoError(t, user.err)
		require.EqualValues(t, 7, user.revision)
	})
}
