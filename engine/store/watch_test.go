package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// waits reports whether a watch has no answer yet.
func (n *testNode) waits(op env.OpID) bool { return n.answers[op] == nil }

func TestWatchIsAnsweredByARelevantChange(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n := c.node(2)
	require.True(t, n.do(Request{Op: "mkdir", Path: "ha"}).OK)
	at := c.node(1).mustWrite("ha/a", "1")
	c.settle()

	below := n.invoke(Request{Op: OpWatch, Path: "ha", Since: at})
	exact := n.invoke(Request{Op: OpWatch, Path: "ha/b", Since: at})
	other := n.invoke(Request{Op: OpWatch, Path: "hab", Since: at})
	c.settle()
	require.True(t, n.waits(below) && n.waits(exact) && n.waits(other))

	made := c.node(1).mustWrite("ha/a", "2")
	c.settle()
	require.True(t, n.waits(exact) && n.waits(other))
	require.True(t, n.answers[below].Changed)
	require.Equal(t, made, n.answers[below].Revision)
	require.Equal(t, "2", n.mustRead("ha/a"), "what woke the client is there to be read")

	require.True(t, c.node(3).do(Request{Op: "rename", Path: "ha/a", To: "ha/b"}).OK)
	c.settle()
	require.True(t, n.answers[exact].Changed, "the new name counts too")
	require.True(t, n.waits(other))
}

func TestWatchReportsAnEarlierChange(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n := c.node(1)
	first := n.mustWrite("a", "1")
	n.mustWrite("b", "1")
	require.True(t, n.do(Request{Op: OpWatch, Path: "b", Since: first}).Changed)
	require.True(t, n.waits(n.invoke(Request{Op: OpWatch, Path: "a", Since: first})))
	require.True(t, n.do(Request{Op: OpWatch, Path: "a", Since: 1000}).Changed,
		"what a later revision holds is not known")
	require.Equal(t, tree.Invalid, n.code(Request{Op: OpWatch, Path: "/a"}))
}

// TestWatchAfterABranchThatWasLost: node 3 applies a change that the others never get, and its client hears
// of it. The others go on without node 3 and give the revision to another change.
func TestWatchAfterABranchThatWasLost(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n3 := c.node(1), c.node(3)
	at := n1.mustWrite("a", "1")
	c.settle()
	r := c.form(1, 2)
	c.node(1).enter(r, nil)
	c.node(2).enter(r, nil)
	n3.invoke(Request{Op: "write", Path: "a", Data: []byte("lost")})
	c.settle()
	lost := n3.do(Request{Op: OpWatch, Path: "a", Since: at})
	require.True(t, lost.Changed)
	require.Equal(t, at+1, lost.Revision)
	require.Equal(t, lost.Revision, n1.mustWrite("b", "2"))
	n3.kill()
	require.NoError(t, n3.start(), "it no longer asks for its change")
	c.formAll(1, 2, 3)

	require.Equal(t, "1", string(n3.do(Request{Op: OpRead, Path: "a", Local: true}).Entry.Data))
	require.True(t, n3.waits(n3.invoke(Request{Op: OpWatch, Path: "a", Since: lost.Revision})),
		"the revision alone does not tell")
	again := n3.do(Request{Op: OpWatch, Path: "a", Since: lost.Revision, Chain: lost.Chain})
	require.True(t, again.Changed)
	require.True(t, n3.waits(n3.invoke(Request{Op: OpWatch, Path: "a", Since: again.Revision,
		Chain: again.Chain})))
	require.True(t, n3.waits(n3.invoke(Request{Op: OpWatch, Path: "a", Since: again.Revision,
		Chain: n1.do(Request{Op: OpDigest}).Chain})), "every node names it alike")
}

func TestWatchEndsWithoutAChange(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n := c.node(1)
	at := n.mustWrite("a", "1")
	op := n.invoke(Request{Op: OpWatch, Path: "a", Since: at})
	c.pass(WatchTimeout / 2)
	require.True(t, n.waits(op))
	c.pass(WatchTimeout)
	require.True(t, n.answers[op].OK)
	require.False(t, n.answers[op].Changed)
	require.Empty(t, n.store.watches.waitingWatches)
}

func TestWatchIsWokenByAnotherState(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	at := c.node(1).mustWrite("a", "1")
	c.settle()
	op := c.node(3).invoke(Request{Op: OpWatch, Path: "a", Since: at})
	c.formAll(1, 2)
	c.formAll(3)
	c.node(1).mustWrite("a", "2")
	require.True(t, c.node(3).waits(op), "a node without quorum does not hear of it")
	c.formAll(1, 2, 3)
	c.settle()
	require.True(t, c.node(3).answers[op].Changed)
}

func TestWatchesAreBounded(t *testing.T) {
	c := newTestCluster(t, 1).start()
	c.formAll(1)
	n := c.node(1)
	at := n.mustWrite("a", "1")
	for i := range maxWatches {
		require.True(t, n.waits(n.invoke(Request{ID: fmt.Sprint("w", i), Op: OpWatch, Path: "a", Since: at})))
	}
	require.Equal(t, CodeTryAgain, n.code(Request{Op: OpWatch, Path: "a", Since: at}))
	n.mustWrite("a", "2")
	require.Empty(t, n.store.watches.waitingWatches)
}
