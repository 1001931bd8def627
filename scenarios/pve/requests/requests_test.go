package requests_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/internal/storetest"
	"github.com/holdfast-sim/holdfast/scenarios/pve/requests"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// clientEnv runs a client against a store in memory. Answers take no time.
type clientEnv struct {
	files   *storetest.Store
	now     time.Duration
	draws   map[string][]uint64 // by label, in turn; 0 when there are no more
	err     error               // of every call
	events  []history.Event
	calls   []int // the machines that were called
	stopped time.Duration
}

func (e *clientEnv) Now() time.Duration { return e.now }

func (e *clientEnv) Sleep(d time.Duration) error {
	if e.now += d; e.stopped > 0 && e.now >= e.stopped {
		return workload.ErrStopped
	}
	return nil
}

func (e *clientEnv) Do(machine int, process string, input []byte, _ time.Duration) ([]byte, error) {
	e.calls = append(e.calls, machine)
	if e.err != nil {
		return nil, e.err
	}
	r, err := store.DecodeRequest(input)
	if err != nil {
		return nil, err
	}
	return e.files.Do(r).Encode(), nil
}

func (e *clientEnv) Choices(label string) draw.Chooser { return &turn{e, label} }

func (e *clientEnv) Append(ev history.Event) { e.events = append(e.events, ev) }

// turn draws what the test lists for a label.
type turn struct {
	env   *clientEnv
	label string
}

func (c *turn) Choose(n uint64) uint64 {
	list := c.env.draws[c.label]
	if len(list) == 0 {
		return 0
	}
	c.env.draws[c.label] = list[1:]
	return list[0] % n
}

func actors(o haspec.Operations) []scenarios.Actor {
	spec := &haspec.Spec{Services: map[string]string{"vm:100": "n1", "vm:101": "n2"}, Operations: &o}
	return requests.Actors(spec, requests.Cluster{Machines: []string{"m1", "m2"}, Nodes: []string{"n1", "n2"},
		Duration: 100 * time.Second}, timescale.Ratio{Num: 1, Den: 1})
}

// withServices is a store in which both services are configured.
func withServices(t *testing.T) *storetest.Store {
	t.Helper()
	files := storetest.New()
	require.True(t, files.Do(&store.Request{Op: "mkdir", Path: "ha"}).OK)
	require.True(t, files.Do(&store.Request{Op: "write", Path: haproc.ResourcesPath,
		Data: []byte("vm: 100\n\tstate started\n\nvm: 101\n\tstate started\n")}).OK)
	return files
}

func TestRequestsChangeFilesAndAreInTheHistory(t *testing.T) {
	e := &clientEnv{files: withServices(t), draws: map[string][]uint64{
		"kind": {1, 2, 0}, "service": {1, 0, 1}, "node": {0, 1, 0}, "pause": {2048, 2048, 2048}}}
	all := actors(haspec.Operations{Count: 3})
	require.Len(t, all, 1, "one client unless there are more")
	require.NoError(t, all[0].Run(e))
	require.Equal(t, 75*time.Second, e.now, "three pauses of a quarter of the duration, as drawn")
	require.Len(t, e.events, 6)
	stop, move := e.events[0], e.events[2]
	require.Equal(t, []any{history.Invoke, haspec.RequestStop, "vm:101", "m1"},
		[]any{stop.Type, stop.F, stop.Key, stop.Node})
	require.Equal(t, []any{history.Invoke, haspec.RequestMigrate, "vm:100", `"n2"`},
		[]any{move.Type, move.F, move.Key, string(move.Value)})
	for _, i := range []int{1, 3, 5} {
		require.Equal(t, history.OK, e.events[i].Type)
		require.NotZero(t, e.events[i].Rev)
	}
	require.Equal(t, "migrate vm:100 n2\n", e.files.Files()[haproc.CommandsPath])
	require.Equal(t, 2, strings.Count(e.files.Files()[haproc.ResourcesPath], "started"),
		"stopped, and started again")
}

func TestClientsShareTheRequests(t *testing.T) {
	all := actors(haspec.Operations{Count: 5, Clients: 2, Kinds: []string{haspec.RequestStop}})
	require.Len(t, all, 2)
	require.Equal(t, "requests-1", all[1].Name)
	for i, count := range []int{3, 2} {
		e := &clientEnv{files: withServices(t)}
		require.NoError(t, all[i].Run(e))
		require.Len(t, e.events, 2*count)
		require.Equal(t, workload.FirstActor+i, e.events[0].Process)
	}
	require.Empty(t, requests.Actors(&haspec.Spec{}, requests.Cluster{}, timescale.Ratio{Num: 1, Den: 1}))
}

// TestWhatAnAnswerMeans for the history: a failure changed nothing for certain, everything else is unknown.
func TestWhatAnAnswerMeans(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		refuse map[string]tree.Code // by operation
		want   history.Type
		text   string
		calls  int
	}{
		"not read: timeout": {err: workload.ErrTimeout, want: history.Fail, text: "timeout", calls: 1},
		"not read: refused": {err: workload.ErrRefused, want: history.Fail, text: "refused", calls: 1},
		"not read: reset":   {err: workload.ErrReset, want: history.Fail, text: "reset", calls: 1},
		"read-only": {refuse: map[string]tree.Code{"cas": store.CodeReadOnly}, want: history.Fail,
			text: "read_only", calls: 2},
		"outcome unknown": {refuse: map[string]tree.Code{"cas": store.CodeUnknown}, want: history.Info,
			text: "unknown", calls: 2},
		"changed by others": {refuse: map[string]tree.Code{"cas": tree.RevisionMismatch},
			want: history.Fail, text: "changed by others", calls: 10},
		"service not there": {refuse: map[string]tree.Code{"read": tree.NotFound}, want: history.Fail,
			text: "no such service", calls: 1},
		"read without quorum": {refuse: map[string]tree.Code{"read": store.CodeNoQuorum}, want: history.Fail,
			text: "no_quorum", calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := &clientEnv{files: withServices(t), err: c.err}
			e.files.Refuse = func(r *store.Request) tree.Code { return c.refuse[r.Op] }
			require.NoError(t, actors(haspec.Operations{Count: 1,
				Kinds: []string{haspec.RequestStop}})[0].Run(e))
			require.Len(t, e.events, 2)
			require.Equal(t, c.want, e.events[1].Type)
			require.Equal(t, c.text, e.events[1].Error)
			require.Len(t, e.calls, c.calls)
		})
	}
}

// TestAClientWithoutAnswerTriesTheNextMachine: to the next machine, under a new process number if the
// outcome is unknown, because the old process may still be at work.
func TestAClientWithoutAnswerTriesTheNextMachine(t *testing.T) {
	e := &clientEnv{files: withServices(t)}
	refuse := store.CodeUnknown
	e.files.Refuse = func(r *store.Request) tree.Code {
		if r.Op == "cas" {
			return refuse
		}
		return ""
	}
	require.NoError(t, actors(haspec.Operations{Count: 2, Kinds: []string{haspec.RequestStop}})[0].Run(e))
	require.Equal(t, []int{0, 0, 1, 1}, e.calls)
	require.Equal(t, e.events[0].Process+1, e.events[2].Process)
}

func TestAClientStopsWithTheRun(t *testing.T) {
	e := &clientEnv{files: withServices(t), stopped: time.Second, draws: map[string][]uint64{"pause": {4095}}}
	require.NoError(t, actors(haspec.Operations{Count: 1})[0].Run(e))
	require.Empty(t, e.events)
	e = &clientEnv{files: withServices(t), err: workload.ErrStopped}
	require.NoError(t, actors(haspec.Operations{Count: 9})[0].Run(e))
	require.Len(t, e.events, 2)
}
