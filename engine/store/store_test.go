package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/store/sqlitevfs"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

func TestThreeStoresAgree(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	require.EqualValues(t, 1, n1.mustWrite("a", "one"))
	require.Equal(t, "one", n2.mustRead("a"))
	r := n3.do(Request{Op: "cas", Path: "a", Expect: 1, Data: []byte("two")})
	require.True(t, r.OK)
	require.EqualValues(t, 2, r.Revision)
	r = n1.do(Request{Op: "cas", Path: "a", Expect: 1, Data: []byte("three")})
	require.Equal(t, tree.RevisionMismatch, r.Code)
	require.EqualValues(t, 2, r.Actual)
	require.Equal(t, "two", n1.mustRead("a"))
	require.Equal(t, tree.Exists, n2.code(Request{Op: "create", Path: "a"}))
	require.True(t, n2.do(Request{Op: "create", Path: "b", Data: []byte("x")}).OK)
	for _, n := range c.nodes[1:] {
		require.Equal(t, n1.store.disk.replica.Mark(), n.store.disk.replica.Mark())
	}
}

func TestLargeFilesTravelInFrames(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	big := strings.Repeat("0123456789abcdef", tree.MaxFileBytes/16)
	c.node(2).mustWrite("big", big)
	require.Equal(t, big, c.node(3).mustRead("big"))
	r := c.node(1).do(Request{Op: "write", Path: "big", Data: append([]byte(big), 'x')})
	require.Equal(t, tree.TooLarge, r.Code)
	frames := 0
	for _, d := range c.rings[0].order {
		require.LessOrEqual(t, len(d.Payload), maxFrameBytes+64)
		frames++
	}
	require.Greater(t, frames, 32)
	// A store that was away gets it in frames too.
	c.formAll(1, 2)
	c.node(1).mustWrite("big", big[:len(big)-1])
	c.formAll(1, 2, 3)
	require.Len(t, c.node(3).mustRead("big"), len(big)-1)
}

func TestBusyClusterProcess(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n := c.node(1)
	n.busy = true
	op := n.invoke(Request{Op: "write", Path: "big", Data: make([]byte, 500<<10)})
	c.settle()
	c.pass(100 * time.Millisecond)
	require.Nil(t, n.answers[op])
	require.Positive(t, c.probes["store/multicast-busy"])
	n.busy = false
	c.pass(100 * time.Millisecond)
	require.True(t, n.answers[op].OK, "%+v", n.answers[op])
	require.Len(t, c.node(2).mustRead("big"), 500<<10)
}

// newClusterWithLaggard returns three nodes that have just entered a ring. Node 3 lacks the last change, so
// it must fetch the state before it takes part.
func newClusterWithLaggard(t *testing.T) *testCluster {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	c.formAll(1, 2)
	c.node(1).mustWrite("f", "x")
	r := c.form(1, 2, 3)
	for _, n := range c.nodes {
		n.enter(r, nil)
	}
	return c
}

// A member that waits for its state keeps what is ordered meanwhile, up to a limit; beyond that it
// asks again.
func TestBacklogOverflow(t *testing.T) {
	thorough.Only(t, "writing more than the backlog holds takes six seconds")
	c := newClusterWithLaggard(t)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	for n1.deliver() || n2.deliver() || n3.deliver() || n1.fire(time.Millisecond) ||
		n2.fire(time.Millisecond) {
	} // n1 has not served n3's request: its timer is 2 ms
	require.True(t, n3.store.catchUp.fetching)
	data := make([]byte, tree.MaxFileBytes)
	delete(n1.timers, timerServe)
	for i := range maxBacklogBytes/len(data) + 2 {
		n2.invoke(Request{Op: "write", Path: fmt.Sprintf("f%d", i), Data: data})
		for n1.deliver() || n2.deliver() || n3.deliver() || n1.fire(time.Millisecond) ||
			n2.fire(time.Millisecond) {
		}
	}
	require.Positive(t, c.probes["store/backlog-overflow"])
	require.LessOrEqual(t, n3.store.catchUp.backlogBytes, maxBacklogBytes)
	c.pass(5 * time.Second)
	require.True(t, n3.store.writable())
	require.Equal(t, n1.store.disk.replica.Mark(), n3.store.disk.replica.Mark())
}

// TestOverflowKeepsPieces: a message of which some pieces came before the backlog was dropped, and the others
// after the state arrived, is complete. All members must complete the same messages.
func TestOverflowKeepsPieces(t *testing.T) {
	c := newClusterWithLaggard(t)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	for n1.deliver() || n2.deliver() || n3.deliver() {
	}
	require.True(t, n3.store.catchUp.fetching)
	delete(n1.timers, timerServe) // the answer is lost
	n2.rare = map[string]bool{"store/small-outbox": true, "store/small-frames": true}
	n2.invoke(Request{Op: "write", Path: "large", Data: make([]byte, 600)})
	for range 3 {
		n2.deliver() // and with that send one more piece
	}
	n3.rare = map[string]bool{"store/small-backlog": true}
	n1.invoke(Request{Op: "write", Path: "small", Data: []byte("y")})
	for n1.deliver() || n3.deliver() {
	}
	require.Positive(t, c.probes["store/backlog-overflow"])
	require.True(t, n3.store.catchUp.fetching)
	n3.rare = nil
	for n3.store.catchUp.fetching && (n1.deliver() || n3.deliver() || n1.fire(5*time.Millisecond) ||
		n3.fire(3*time.Second)) { // another member than n2 is asked
	}
	require.False(t, n3.store.catchUp.fetching, "the state arrived while the message was under way")
	require.Nil(t, n1.store.disk.replica.Tree.Get("large"))
	c.pass(5 * time.Second)
	require.NotNil(t, n1.store.disk.replica.Tree.Get("large"))
	require.Equal(t, n1.store.disk.replica.Mark(), n3.store.disk.replica.Mark())
}

// The source goes silent after the decision: another member is asked.
func TestFetchFromAnother(t *testing.T) {
	c := newClusterWithLaggard(t)
	c.settleWithin(time.Millisecond)
	require.True(t, c.node(3).store.catchUp.fetching)
	require.EqualValues(t, 1, c.node(3).store.ring.decision.Source)
	c.node(1).kill()
	c.pass(5 * time.Second)
	require.True(t, c.node(3).store.writable(), "%+v", c.node(3).store.status())
	require.Equal(t, "x", c.node(3).mustRead("f"))
	require.Positive(t, c.probes["store/fetch-retried"])
}

func TestTooManyOperations(t *testing.T) {
	c := newTestCluster(t, 1, 1).start()
	c.formAll(1, 2)
	n := c.node(1)
	r := c.form(1, 2)
	n.enter(r, nil) // node 2 stays away: nothing can be decided
	c.settle()
	for range maxPending {
		n.invoke(Request{Op: OpRead, Path: "a"})
	}
	require.Equal(t, CodeTryAgain, n.code(Request{Op: OpRead, Path: "a"}))
	c.pass(DefaultTimers().OperationTimeout * 2)
	require.Zero(t, n.store.ops.unansweredCount, "no request waits forever")
}

// A change that was sent and never came back is not reported as failed.
func TestUnknownOutcome(t *testing.T) {
	c := newTestCluster(t, 1, 1).start()
	c.formAll(1, 2)
	n := c.node(1)
	op := n.invoke(Request{ID: "x", Op: "write", Path: "a"}) // multicast
	second := n.invoke(Request{ID: "x", Op: "write", Path: "a"})
	other := n.invoke(Request{ID: "x", Op: "write", Path: "b"})
	require.Equal(t, tree.Invalid, n.answers[other].Code, "the id is taken")
	r := c.form(1)
	n.enter(r, nil)
	c.pass(DefaultTimers().OperationTimeout * 2)
	require.Equal(t, CodeUnknown, n.answers[op].Code)
	require.Equal(t, CodeUnknown, n.answers[second].Code, "both clients get the same answer")
}

func TestDiskErrorEndsService(t *testing.T) {
	for _, cause := range []error{env.ErrIO, env.ErrNoSpace} {
		c := newTestCluster(t, 1).start()
		c.formAll(1)
		n := c.node(1)
		n.mustWrite("a", "1")
		n.disk.Before = func(op, _ string) error {
			if op == "sync" || op == "write" {
				return cause
			}
			return nil
		}
		require.Equal(t, CodeUnknown, n.code(Request{Op: "write", Path: "a", Data: []byte("2")}))
		require.Equal(t, CodeFailed, n.code(Request{Op: "write", Path: "a"}))
		require.Equal(t, CodeFailed, n.code(Request{Op: OpRead, Path: "a", Local: true}))
		require.Equal(t, PhaseFailed, n.do(Request{Op: OpStatus}).Status.Phase)
		c.pass(12 * time.Second)
		require.Equal(t, PhaseFailed, n.do(Request{Op: OpStatus}).Status.Phase)
		n.disk.Before = nil
		c.pass(6 * time.Second)
		require.Positive(t, n.reforms)
		c.formAll(1)
		require.Contains(t, []string{"1", "2"}, n.mustRead("a"))
	}
}

func TestStrangersAreNotOverwritten(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1)
	c.node(3).opts.Nodes = []Vote{{Node: 3, Votes: 1}} // configured as a cluster of its own
	c.node(1).opts.Nodes = []Vote{{Node: 1, Votes: 1}, {Node: 2, Votes: 1}}
	c.node(2).opts.Nodes = c.node(1).opts.Nodes
	c.start()
	c.formAll(3)
	c.formAll(1, 2)
	c.node(3).mustWrite("mine", "keep me")
	c.formAll(1, 2, 3)
	require.Positive(t, c.probes["store/two-clusters"]+c.probes["store/stranger"])
	require.Equal(t, "keep me", string(c.node(3).do(Request{Op: OpRead, Path: "mine",
		Local: true}).Entry.Data))
	require.Equal(t, CodeReadOnly, c.node(1).code(Request{Op: "write", Path: "a"}))
}

func TestListAndDumpPages(t *testing.T) {
	c := newTestCluster(t, 1).start()
	c.formAll(1)
	n := c.node(1)
	require.True(t, n.do(Request{Op: "mkdir", Path: "d"}).OK)
	for i := range 7 {
		n.mustWrite(fmt.Sprintf("d/%d", i), "x")
	}
	var seen []string
	req := Request{Op: OpList, Path: "d", Limit: 3}
	for {
		r := n.do(req)
		require.True(t, r.OK)
		for _, e := range r.Entries {
			seen = append(seen, e.Path)
			require.Empty(t, e.Data)
		}
		if !r.More {
			break
		}
		req.ID, req.After = "", seen[len(seen)-1]
	}
	require.Equal(t, []string{"d/0", "d/1", "d/2", "d/3", "d/4", "d/5", "d/6"}, seen)
	require.Equal(t, tree.NotDirectory, n.code(Request{Op: OpList, Path: "d/1"}))
	require.Equal(t, tree.NotFound, n.code(Request{Op: OpList, Path: "e"}))
	require.Equal(t, tree.NotFound, n.code(Request{Op: OpRead, Path: "e"}))
	require.Equal(t, tree.Invalid, n.code(Request{Op: OpRead, Path: "/e"}))
	require.Equal(t, "directory", n.do(Request{Op: OpRead}).Entry.Kind)
	r := n.do(Request{Op: OpDump, After: "d/4"})
	require.Len(t, r.Entries, 2)
	require.Equal(t, "x", string(r.Entries[0].Data))
	r = n.do(Request{Op: OpWitness, From: 3, Limit: 2})
	require.True(t, r.More)
	require.EqualValues(t, 3, r.Log[0].Revision)
	d := n.do(Request{Op: OpDigest})
	require.Equal(t, n.store.disk.replica.Tree.Digest().String(), d.Digest)
	require.EqualValues(t, 8, d.Revision)
}

func TestBadConfigurationIsRefused(t *testing.T) {
	for _, nodes := range [][]Vote{nil, {{Node: 2, Votes: 1}}, {{Node: 1, Votes: 0}},
		{{Node: 1, Votes: 1}, {Node: 1, Votes: 1}}} {
		c := newTestCluster(t, 1)
		c.node(1).opts.Nodes = nodes
		require.Error(t, c.node(1).start(), "%+v", nodes)
	}
}

// The only store with the newest state dies right after it reported. The ring does not change, so
// the others ask for one in which it is left out or has come back.
func TestSourceDiesBeforeServing(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	n3.invoke(Request{ID: "x", Op: "write", Path: "f", Data: []byte("x")})
	for n3.deliver() || n3.fire(time.Millisecond) { // durable on node 3 alone
	}
	r := c.form(1, 2, 3)
	for _, n := range c.nodes {
		n.enter(r, nil)
	}
	for n3.deliver() {
	}
	n3.kill()
	c.pass(10 * time.Second)
	require.EqualValues(t, 3, n1.store.ring.decision.Source)
	require.True(t, n1.store.catchUp.fetching && n2.store.catchUp.fetching)
	require.Positive(t, n1.reforms)
	c.formAll(1, 2, 3)
	c.pass(time.Second)
	require.True(t, n1.do(Request{Op: "write", Path: "g"}).OK, "decided without the silent store")
}

func TestEndOfProcessReleasesTheDatabase(t *testing.T) {
	c := newTestCluster(t, 1).start()
	c.formAll(1)
	n := c.node(1)
	s := n.store
	n.kill()
	require.ErrorIs(t, s.disk.backend.Commit(&state.Batch{Log: []state.LogEntry{{}}}), sqlitevfs.ErrReleased)
}

// TestDiskFailsDuringInstallation: a store whose disk fails while it installs a state leaves the
// ring at once, and its queued work of that ring is dropped.
func TestDiskFailsDuringInstallation(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	c.formAll(1, 2)
	c.node(1).mustWrite("f", "x")
	n := c.node(3)
	n.disk.Before = func(op, _ string) error {
		if op == "sync" {
			return env.ErrIO
		}
		return nil
	}
	c.formAll(1, 2, 3)
	require.Error(t, n.store.disk.failure)
	c.pass(4 * time.Second) // longer than every timer but that of the next attempt
	n.disk.Before = nil
	c.pass(6 * time.Second)
	c.formAll(1, 2, 3)
	require.Equal(t, "x", n.mustRead("f"))
}
