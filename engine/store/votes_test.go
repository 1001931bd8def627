package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/store/sqldb"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// withVotequorum makes the stores wait for votequorum.
func withVotequorum(c *testCluster) *testCluster {
	for _, n := range c.nodes {
		n.opts.Votequorum = true
	}
	return c.start()
}

// decide announces votequorum's decision to the members of a ring.
func (c *testCluster) decide(r *testRing, votes, expected, needed uint32) {
	for _, id := range r.members {
		c.node(int(id)).receive(cpg.Quorum{Ring: r.id, Quorate: votes >= needed, Votes: votes,
			Expected: expected, QuorumVotes: needed})
	}
	c.settle()
}

const tooFew = "votequorum has no quorum: 2 of 5 expected votes are present, 3 are needed"

func TestTheStoreWaitsForVotequorum(t *testing.T) {
	c := withVotequorum(newTestCluster(t, 1, 1, 1))
	var quorumLines []string
	c.node(1).logLines = func(line string) {
		if strings.Contains(line, "node has quorum") || strings.Contains(line, "node lost quorum") {
			quorumLines = append(quorumLines, line)
		}
	}
	r := c.formAll(1, 2, 3)
	require.False(t, c.node(1).status().Quorate, "there is no decision yet")
	c.decide(r, 3, 5, 3)
	s := c.node(1).status()
	require.True(t, s.Quorate)
	require.Equal(t, &VotesStatus{Quorate: true, Votes: 3, Expected: 5, Needed: 3}, s.Votes)
	require.Empty(t, s.Difference)
	c.node(2).mustWrite("a", "one")

	r = c.formAll(1, 2)
	c.decide(r, 2, 5, 3)
	for id := 1; id <= 2; id++ {
		s = c.node(id).status()
		require.False(t, s.Quorate, "two of three stores, but two of five votes")
		require.Equal(t, tooFew, s.Reason)
		require.Empty(t, s.Difference, "both have no quorum")
		require.Equal(t, CodeReadOnly, c.node(id).code(Request{Op: "write", Path: "a"}))
		require.Equal(t, CodeNoQuorum, c.node(id).code(Request{Op: "read", Path: "a"}))
	}

	r = c.formAll(1, 2, 3)
	c.decide(r, 3, 5, 3)
	require.Equal(t, "one", c.node(3).mustRead("a"))
	c.node(1).mustWrite("a", "two")
	r = c.formAll(1, 2, 3)
	c.decide(r, 3, 5, 3)
	require.Equal(t, []string{"n1 node has quorum", "n1 node lost quorum reason=" + tooFew,
		"n1 node has quorum"}, quorumLines, "a new ring alone is no loss")
	// A decision on another ring, late, changes nothing.
	c.node(1).receive(cpg.Quorum{Ring: c.rings[0].id, Expected: 5, QuorumVotes: 3})
	require.True(t, c.node(1).status().Quorate)
}

// TestADecisionThatComesLater: votequorum may find quorum in a ring in which it had none, by an operator's
// word.
func TestADecisionThatComesLater(t *testing.T) {
	c := withVotequorum(newTestCluster(t, 1, 1, 1))
	r := c.formAll(1, 2, 3)
	c.decide(r, 3, 7, 4)
	require.False(t, c.node(1).status().Quorate)
	c.decide(r, 3, 3, 2)
	require.True(t, c.node(1).status().Quorate)
	c.node(2).mustWrite("a", "one")
	c.decide(r, 3, 7, 4)
	require.Equal(t, CodeReadOnly, c.node(2).code(Request{Op: "write", Path: "a"}), "and lose it again")
}

func TestWhyTheStoreHasNoQuorum(t *testing.T) {
	c := withVotequorum(newTestCluster(t, 1, 1, 1))
	r := c.formAll(1, 2)
	c.decide(r, 2, 3, 2)
	require.Equal(t, errUninitialized.Error(), c.node(1).status().Difference, "a new cluster waits for all")
	r = c.formAll(1, 2, 3)
	c.decide(r, 3, 3, 2)
	require.Empty(t, c.node(1).status().Difference)
	n := c.node(3)
	n.opts.Open = func(sqldb.Options) (state.Backend, *state.Replica, error) {
		return nil, nil, errors.New("no space left")
	}
	n.kill()
	require.NoError(t, n.start())
	c.settle()
	n.receive(cpg.Quorum{Ring: r.id, Quorate: true, Votes: 3, Expected: 3, QuorumVotes: 2})
	require.Contains(t, n.status().Difference, "no space left")
}

func (n *testNode) status() *Status { return n.store.status() }
