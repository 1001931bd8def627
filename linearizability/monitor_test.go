package linearizability_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// watch feeds a history to a monitor until it finds a violation, and returns how many events that took.
func watch(t *testing.T, g *gen.History) (*lin.Violation, int) {
	m, err := lin.NewMonitor(storeModel(t))
	require.NoError(t, err)
	for k := range g.Witness {
		if v := m.ObserveWitness(g.Witness[k]); v != nil {
			return v, 0
		}
	}
	events := eventsOf(g.Ops)
	for i := range events {
		v, err := m.Observe(events[i])
		require.NoError(t, err)
		if v != nil {
			return v, i + 1
		}
	}
	return nil, len(events)
}

// TestMonitor: a monitor reports nothing for a correct store, and Check confirms what it reports for a
// broken one.
func TestMonitor(t *testing.T) {
	for seed := range uint64(200) {
		g := gen.Store(gen.Config{Seed: seed, Ops: 200, Clients: 6, Keys: 4, UnknownPpm: 50_000,
			Tree:     seed%2 == 0,
			LocalPpm: 100_000, Nodes: 2})
		v, _ := watch(t, g)
		require.Nil(t, v, "seed %d", seed)
	}
	for _, kind := range []lin.Kind{lin.StaleRead, lin.FutureRead, lin.DuplicateRevision,
		lin.ReorderedRevisions,
		lin.SplitBrain} {
		t.Run(string(kind), func(t *testing.T) {
			planted, found, events := 0, 0, 0
			for seed := range uint64(*faultSeeds) {
				g := gen.Store(gen.Config{Seed: seed, Ops: 300, Clients: 8, Keys: 8, UnknownPpm: 50_000})
				if !plant[kind](rand.New(rand.NewPCG(seed, 1)), g) {
					continue
				}
				planted++
				v, n := watch(t, g)
				if v == nil {
					continue
				}
				found++
				events += n
				require.NotEmpty(t, v.Explain)
				report, err := lin.Check(context.Background(), storeModel(t), witnessed(t, g))
				require.NoError(t, err)
				require.Equal(t, lin.Invalid, report.Validity)
			}
			require.Greater(t, found, planted*9/10)
			t.Logf("%d of %d found during the run, after %d of 600 events in the mean", found, planted,
				events/max(1, found))
		})
	}
}

func TestMonitorRefusesMalformed(t *testing.T) {
	register, err := models.Register(nil)
	require.NoError(t, err)
	_, err = lin.NewMonitor(register)
	require.ErrorIs(t, err, lin.ErrNotOnline)
	m, err := lin.NewMonitor(storeModel(t))
	require.NoError(t, err)
	_, err = m.Observe(history.Event{Process: 1, Type: history.OK})
	require.ErrorIs(t, err, history.ErrOrphan)
	_, err = m.Observe(history.Event{Process: 1, Type: history.Invoke, F: "read"})
	require.NoError(t, err)
	_, err = m.Observe(history.Event{Process: 1, Type: history.Invoke, F: "read"})
	require.ErrorIs(t, err, history.ErrBusy)
	_, err = m.Observe(history.Event{Process: 1, Type: history.Info, F: "read"})
	require.NoError(t, err)
	_, err = m.Observe(history.Event{Process: 1, Type: history.Invoke, F: "read"})
	require.ErrorIs(t, err, history.ErrRetired)
}
