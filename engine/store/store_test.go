package store

import (
	"testing"

	"github.com/stretchr/testify/require"

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
		require.Equal(t, n1.store.replica.Mark(), n.store.replica.Mark())
	}
}
