package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/internal/faultdisk"
)

// rememberTime is enough for a store to make durable what it knows of the others.
const rememberTime = 300 * time.Millisecond

// image returns a copy of a node's disk as it is.
func (n *testNode) image() *faultdisk.Disk { return n.disk.Clone() }

// restore switches a node off and starts it with another disk.
func (n *testNode) restore(disk *faultdisk.Disk) {
	if n.up {
		n.kill()
	}
	n.disk, n.ring, n.cursor = disk, nil, 0
	n.boot++
	require.NoError(n.t, n.start())
}

// nodeRecords returns the records of one type that a node emitted.
func nodeRecords[R env.Record](n *testNode) (out []R) {
	for _, r := range n.c.records {
		if rec, is := r.Record.(R); is && r.node == n.id {
			out = append(out, rec)
		}
	}
	return out
}

// A disk of yesterday has no vote as long as one node is there that remembers what it confirmed, also after
// it has the state again, until an operator gives it one.
func TestADiskOfYesterday(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n2 := c.node(1), c.node(2)
	n1.mustWrite("a", "1")
	yesterday := n2.image()
	n1.mustWrite("a", "2")
	c.pass(rememberTime)
	n2.restore(yesterday)
	c.formAll(1, 2, 3)
	require.Len(t, nodeRecords[WentBack](n2), 1)
	require.Equal(t, uint64(1), nodeRecords[WentBack](n2)[0].Revision)
	require.Equal(t, uint64(2), nodeRecords[WentBack](n2)[0].Confirmed)
	require.Positive(t, n2.reforms)
	n1.mustWrite("a", "3")
	c.formAll(1, 2, 3) // as it asked for
	require.Equal(t, RoleLearner, n2.do(Request{Op: OpStatus}).Status.Role)
	require.Equal(t, "3", n2.mustRead("a"))
	c.node(3).kill()
	c.formAll(1, 2)
	require.Equal(t, CodeReadOnly, n1.code(Request{Op: "write", Path: "a"}),
		"two of three, and one has no vote")
	require.NoError(t, c.node(3).start())
	c.formAll(1, 2, 3)

	for _, n := range c.nodes {
		m := n.do(Request{Op: OpStatus}).Status.Config[1]
		require.NotEqual(t, m.Incarnation, m.Present)
		require.NotZero(t, m.VotelessSinceMS, "every node knows")
		require.Zero(t, n.do(Request{Op: OpStatus}).Status.Config[0].VotelessSinceMS)
	}
	present := n1.do(Request{Op: OpStatus}).Status.Config[1].Present
	require.True(t, n1.do(Request{Op: OpReplaceMember, Node: 2, Incarnation: present}).OK)
	require.Equal(t, RoleVoter, n2.do(Request{Op: OpStatus}).Status.Role)
	require.Zero(t, n1.do(Request{Op: OpStatus}).Status.Config[1].VotelessSinceMS)
	c.node(3).kill()
	c.formAll(1, 2)
	n2.mustWrite("a", "4")
}

// What one node remembers counts even if the disk itself and the third node do not: the two are no quorum.
func TestADiskOfYesterdayIsNoQuorum(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	yesterday := c.node(2).image()
	c.node(1).mustWrite("a", "1")
	c.pass(rememberTime)
	c.node(3).kill()
	c.node(2).restore(yesterday)
	c.formAll(1, 2)
	c.pass(time.Second)
	require.Equal(t, CodeReadOnly, c.node(1).code(Request{Op: "write", Path: "a"}))
	require.Contains(t, c.node(1).do(Request{Op: OpStatus}).Status.Reason, "put back to an older state")
	// It has given up its identity, so it is no quorum with the other one either.
	require.NoError(t, c.node(3).start())
	c.node(1).kill()
	c.formAll(2, 3)
	c.pass(time.Second)
	require.Equal(t, CodeReadOnly, c.node(3).code(Request{Op: "write", Path: "a"}))
	require.NoError(t, c.node(1).start())
	c.formAll(1, 2, 3)
	require.Equal(t, "1", c.node(3).mustRead("a"))
}

// A store that remembers and reports before the decision counts, although the decision was proposed without
// its report.
func TestADecisionThatOverlooksAWitness(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	yesterday := c.node(2).image()
	c.node(3).kill()
	c.formAll(1, 2)
	c.node(1).mustWrite("a", "1")
	c.pass(rememberTime)
	c.node(2).restore(yesterday)
	require.NoError(t, c.node(3).start())
	r := c.form(1, 2, 3)
	c.node(2).enter(r, nil)
	c.node(3).enter(r, nil)
	c.settle()
	c.pass(DefaultTimers().ReportWait - 10*time.Millisecond)
	c.node(1).enter(r, nil)
	c.settle()
	c.pass(time.Second)
	c.formAll(1, 2, 3)
	require.Equal(t, "1", c.node(3).mustRead("a"))
	require.Len(t, nodeRecords[WentBack](c.node(2)), 1)
}

// Where no store that is present can know, the late witness keeps aside what was dropped, and reports it.
func TestALateWitness(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	n1.mustWrite("a", "1")
	yesterday := n2.image()
	n3.kill()
	c.formAll(1, 2)
	n1.mustWrite("b", "acknowledged")
	c.pass(rememberTime)
	n1.kill()
	n2.restore(yesterday)
	require.NoError(t, n3.start())
	c.formAll(2, 3)
	n3.mustWrite("c", "goes on")
	require.Empty(t, nodeRecords[Dropped](n3))

	require.NoError(t, n1.start())
	c.formAll(1, 2, 3)
	dropped := nodeRecords[Dropped](n1)
	require.Len(t, dropped, 1)
	require.Equal(t, []uint64{2, 2, 1}, []uint64{dropped[0].From, dropped[0].To, dropped[0].Confirmed})
	require.Equal(t, "goes on", n1.mustRead("c"), "it follows the cluster")
	data, err := env.ReadFile(n1.disk, dropped[0].File, 1<<20)
	require.NoError(t, err)
	var kept keptFile
	require.NoError(t, json.Unmarshal(data, &kept))
	require.Equal(t, "b", kept.Log[0].Path)
	require.Equal(t, "acknowledged", string(kept.Entries[0].Data))
	n1.kill()
	require.NoError(t, n1.start())
	losses := n1.do(Request{Op: OpStatus}).Status.Losses
	require.Len(t, losses, 1)
	require.Equal(t, []uint64{2, 2, 1}, []uint64{losses[0].From, losses[0].To, losses[0].Confirmed})
	require.Equal(t, 1, c.probes["store/acknowledged-changes-dropped"])
}

// The same where the disk was put back to the cluster's first minute: the state that replaces what was
// acknowledged has no change at all.
func TestALateWitnessOfEverything(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	empty := n2.image()
	n3.kill()
	c.formAll(1, 2)
	n1.mustWrite("a", "acknowledged")
	c.pass(rememberTime)
	n1.kill()
	n2.restore(empty)
	require.NoError(t, n3.start())
	c.formAll(2, 3)
	require.NoError(t, n1.start())
	c.formAll(1, 2, 3)
	dropped := nodeRecords[Dropped](n1)
	require.Len(t, dropped, 1)
	require.Equal(t, []uint64{1, 1, 1}, []uint64{dropped[0].From, dropped[0].To, dropped[0].Confirmed})
	require.Equal(t, "not_found", string(n1.code(Request{Op: OpRead, Path: "a"})))
}

// What no other store had confirmed may be dropped without a word.
func TestAnUnconfirmedTailIsNoLoss(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	n1 := c.node(1)
	n1.mustWrite("a", "1")
	c.node(2).kill()
	c.node(3).kill()
	n1.invoke(Request{Op: "write", Path: "b"}) // on this disk alone
	c.settle()
	n1.kill()
	require.NoError(t, c.node(2).start())
	require.NoError(t, c.node(3).start())
	c.formAll(2, 3)
	c.node(2).mustWrite("c", "1")
	require.NoError(t, n1.start())
	c.formAll(1, 2, 3)
	require.Equal(t, "1", n1.mustRead("c"))
	require.Empty(t, nodeRecords[Dropped](n1))
	require.Empty(t, n1.do(Request{Op: OpStatus}).Status.Losses)
}
