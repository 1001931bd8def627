package store

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
)

// left returns what a node's store recorded of its ends.
func (n *testNode) left() (out []Left) {
	for _, r := range n.c.records {
		if rec, is := r.Record.(Left); is && r.node == n.id {
			out = append(out, rec)
		}
	}
	return out
}

// A store that must leave answers what it has accepted, accepts nothing more, and then has the cluster
// process leave.
func TestLeaving(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n := c.node(1)
	write := n.invoke(Request{Op: "write", Path: "a", Data: []byte("1")})
	first, second := n.invoke(Request{Op: OpLeave}), n.invoke(Request{Op: OpLeave})
	refused := n.invoke(Request{Op: "write", Path: "b"})
	require.Equal(t, CodeTryAgain, n.answers[refused].Code)
	require.Contains(t, n.answers[refused].Message, "ask another one")
	require.Zero(t, n.leaves, "a change is unanswered")
	require.Nil(t, n.answers[first])
	c.settle()
	require.True(t, n.answers[write].OK, "what was accepted is answered")
	require.True(t, n.answers[first].OK)
	require.True(t, n.answers[second].OK)
	require.Equal(t, 1, n.leaves)
	require.Equal(t, []bool{true}, []bool{n.left()[0].WasWritable})
	require.Equal(t, "1", string(n.do(Request{Op: OpRead, Path: "a", Local: true}).Entry.Data))

	confirmed := len(c.rings[len(c.rings)-1].order)
	c.node(2).invoke(Request{Op: "write", Path: "c"})
	c.settle()
	own := slices.ContainsFunc(c.rings[len(c.rings)-1].order[confirmed:],
		func(d cpg.Deliver) bool { return d.From == 1 })
	require.False(t, own, "it no longer confirms")
	require.Len(t, n.left(), 1)

	n.step(env.LocalDown{Process: cpg.Process})
	n.step(env.LocalUp{Process: cpg.Process}) // the machine has not gone down
	c.formAll(1, 2, 3)
	n.mustWrite("b", "2")
}

// A change whose fate the store does not know when it leaves is neither failed nor done.
func TestLeavingWithUnansweredChanges(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n := c.node(1)
	c.node(2).kill()
	c.node(3).kill()
	write := n.invoke(Request{Op: "write", Path: "a"})
	leave := n.invoke(Request{Op: OpLeave})
	c.pass(DefaultTimers().LeaveWait * 2)
	require.Equal(t, CodeUnknown, n.answers[write].Code)
	require.True(t, n.answers[leave].OK)
	require.Equal(t, 1, n.leaves)
}

// A store without quorum, or with a failed disk, has nothing to wait for.
func TestLeavingWithoutQuorum(t *testing.T) {
	c := newTestCluster(t, 1, 1).start()
	n := c.node(1)
	require.True(t, n.do(Request{Op: OpLeave}).OK)
	require.Equal(t, 1, n.leaves)
	c = newTestCluster(t, 1).start()
	c.formAll(1)
	n = c.node(1)
	n.disk.Before = func(string, string) error { return env.ErrIO }
	require.Equal(t, CodeUnknown, n.code(Request{Op: "write", Path: "a"}))
	require.True(t, n.do(Request{Op: OpLeave}).OK)
	require.Equal(t, 1, n.leaves)
}
