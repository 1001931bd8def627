package notes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/notes"
	enginecluster "github.com/holdfast-sim/holdfast/engine/cluster"
	enginenode "github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// TestNotes: the status says why there is no quorum, and what the configuration asks for in vain.
func TestNotes(t *testing.T) {
	votes := &store.VotesStatus{Quorate: true, Votes: 2, Expected: 3, Needed: 2}
	require.Empty(t, notes.Of(&store.Status{Quorate: true, Votes: votes}, &enginenode.ClusterStatus{}))
	const why = "the reports do not add up to a quorum"
	require.Equal(t, []string{"votequorum has quorum (2 of 3 expected votes, 2 needed), the store has " +
		"none: " + why},
		notes.Of(&store.Status{Votes: votes, Reason: "x", Difference: why}, nil))
	const few = "votequorum has no quorum: 2 of 5 expected votes are present, 3 are needed"
	require.Equal(t, []string{few}, notes.Of(&store.Status{Reason: few}, nil))
	const twoNode = "quorum.two_node (line 4) is not carried out: both nodes are needed for quorum"
	token := enginenode.Difference{Node: 2, Setting: "totem.token", Here: "3000 ms", There: "20000 ms"}
	require.Equal(t, []string{
		"corosync.conf: " + twoNode,
		"corosync.conf differs between nodes: totem.token is 3000 ms here and is 20000 ms on node 2"},
		notes.Of(nil, &enginenode.ClusterStatus{NotCarriedOut: []string{twoNode},
			Differences: []enginenode.Difference{token}}))
	require.Equal(t, []string{"node 3 is reached over node 2 only: repair the link to it"},
		notes.Of(nil, &enginenode.ClusterStatus{Relayed: []enginecluster.Relayed{{Node: 3, Via: 2}}}))
}
