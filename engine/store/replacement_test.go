package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// newDisk switches a node off, empties its disk and starts it.
func (n *testNode) newDisk() {
	if n.up {
		n.kill()
	}
	n.disk.Wipe()
	n.ring, n.cursor, n.floor, n.reserved = nil, 0, 0, 0
	n.boot++
	require.NoError(n.t, n.start())
}

// replaceMember asks a node to give another one's vote to the store that runs there.
func (n *testNode) replaceMember(of *testNode) *Response {
	return n.do(Request{Op: OpReplaceMember, Node: of.id,
		Incarnation: of.store.disk.replica.Incarnation.String()})
}

// In a cluster of two the vote of a new disk is missing for quorum, so the decision gives it back. Nothing
// that was acknowledged is missing, whichever disk is new and whichever node is asked.
func TestANewDiskOfTwo(t *testing.T) {
	for _, wiped := range []int{1, 2} {
		for _, asked := range []int{1, 2} {
			c := newTestCluster(t, 1, 1).start()
			c.formAll(1, 2)
			other, node := c.node(3-wiped), c.node(wiped)
			node.mustWrite("a", "precious")
			node.newDisk()
			c.formAll(1, 2)
			c.pass(time.Second)
			require.Equal(t, CodeReadOnly, other.code(Request{Op: "write", Path: "b"}))
			m := other.do(Request{Op: OpStatus}).Status.Config[wiped-1]
			require.NotZero(t, m.VotelessSinceMS, "an operator sees which node has no vote")
			require.NotEqual(t, m.Incarnation, m.Present)

			r := c.node(asked).replaceMember(node)
			require.True(t, r.OK, "%+v", r)
			require.Equal(t, uint64(2), r.Revision, "the log has it")
			require.Equal(t, RoleVoter, node.do(Request{Op: OpStatus}).Status.Role)
			require.Zero(t, other.do(Request{Op: OpStatus}).Status.Config[wiped-1].VotelessSinceMS)
			require.Equal(t, "precious", node.mustRead("a"))
			node.mustWrite("a", "again")
			again := c.node(asked).replaceMember(node)
			require.Equal(t, "exists", string(again.Code))
			require.Positive(t, c.probes["store/replacement-without-quorum"])

			// The other disk can be replaced now: the new one has everything.
			other.newDisk()
			c.formAll(1, 2)
			c.pass(time.Second)
			require.True(t, node.replaceMember(other).OK)
			require.Equal(t, "again", other.mustRead("a"))
		}
	}
}

// In a cluster of two a change is acknowledged when both disks have it: otherwise the survivor of a lost disk
// may lack it.
func TestBothDisksOfTwoHaveWhatIsAcknowledged(t *testing.T) {
	c := newTestCluster(t, 1, 1).start()
	r := c.formAll(1, 2)
	op := c.node(1).invoke(Request{Op: "write", Path: "a", Data: []byte("1")})
	for c.node(1).deliver() || c.node(1).fire(time.Millisecond) { // node 2 reads nothing
	}
	require.EqualValues(t, 1, c.node(1).store.disk.revision(), "it is on the first disk")
	require.Nil(t, c.node(1).answers[op], "and not acknowledged")
	c.settle()
	require.True(t, c.node(1).answers[op].OK)
	require.NotNil(t, r)
}

// The disk that was put back to an older state gives up its identity, and gets its vote like a new one.
func TestADiskOfYesterdayOfTwo(t *testing.T) {
	c := newTestCluster(t, 1, 1).start()
	c.formAll(1, 2)
	yesterday := c.node(2).image()
	c.node(1).mustWrite("a", "1")
	c.pass(rememberTime)
	c.node(2).restore(yesterday)
	c.formAll(1, 2)
	c.formAll(1, 2) // as it asked for
	c.pass(time.Second)
	require.Equal(t, CodeReadOnly, c.node(1).code(Request{Op: "write", Path: "b"}))
	require.True(t, c.node(1).replaceMember(c.node(2)).OK)
	require.Equal(t, "1", c.node(2).mustRead("a"))
}

// Without quorum a vote is given only where the stores that are there have everything that was acknowledged.
func TestAReplacementThatCouldLoseAnything(t *testing.T) {
	c := newTestCluster(t, 2, 1, 1).start()
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	n2.kill()
	c.formAll(1, 3)
	n1.mustWrite("a", "on the disks of 1 and 3")
	n3.kill()
	require.NoError(t, n2.start())
	n1.newDisk()
	c.formAll(1, 2)
	c.pass(time.Second)
	r := n2.replaceMember(n1)
	require.Equal(t, CodeReadOnly, r.Code)
	require.Contains(t, r.Message, errMissesAcks.Error())
	require.NoError(t, n3.start())
	c.formAll(1, 2, 3)
	c.pass(time.Second)
	require.True(t, n2.replaceMember(n1).OK)
	require.Equal(t, "on the disks of 1 and 3", n2.mustRead("a"))

	// Two of three disks: what they had confirmed is not on the third one.
	c = newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	c.node(1).kill()
	c.formAll(2, 3)
	c.node(2).mustWrite("a", "1")
	require.NoError(t, c.node(1).start())
	c.node(2).newDisk()
	c.node(3).newDisk()
	c.formAll(1, 2, 3)
	c.pass(time.Second)
	require.Contains(t, c.node(1).replaceMember(c.node(2)).Message, errMissesAcks.Error())
}

// A request that is refused without quorum names the reason, and changes nothing.
func TestReplacementsThatAreRefused(t *testing.T) {
	c := newTestCluster(t, 1, 1).start()
	c.formAll(1, 2)
	c.node(1).mustWrite("a", "1")
	old := c.node(2).store.disk.replica.Incarnation
	c.node(2).newDisk()
	c.formAll(1, 2)
	c.pass(time.Second)
	for want, m := range map[string]state.Member{
		"node 9 is not in the store's configuration":               {Node: 9, Incarnation: inc(9)},
		"no store with this incarnation runs on node 2":            {Node: 2, Incarnation: old},
		"no store with this incarnation runs on node 2 now: start": {Node: 2, Incarnation: inc(7)},
		"node 1 has this incarnation already": {Node: 1,
			Incarnation: c.node(1).store.disk.replica.Incarnation},
	} {
		r := c.node(1).do(Request{Op: OpReplaceMember, Node: m.Node, Incarnation: m.Incarnation.String()})
		require.Equal(t, CodeReadOnly, r.Code)
		require.Contains(t, r.Message, want)
	}
	require.EqualValues(t, 1, c.node(1).store.disk.revision())
}

// Every exchange of up to four stores with every distribution of votes up to three, in which one store has
// a new disk and the operator has asked for its vote: the decision gives it exactly if the others meet
// every acknowledgement, the lost disk may have been among the confirmers, and the new configuration is
// quorate. And then no set of old stores without the lost one is a quorum that could decide without them.
func TestEveryReplacement(t *testing.T) {
	given := 0
	for code := range 3 * 3 * 3 * 3 * 16 {
		votes, present := []uint32{}, code%16
		for n, rest := 0, code/16; n < 4; n, rest = n+1, rest/3 {
			votes = append(votes, uint32(rest%3)+1)
		}
		c := configOf(1, votes...)
		node := ring.NodeID(4)
		newDisk := &orderedReport{node: node,
			report: report{Incarnation: inc(99), Config: configOf(0, votes...)}}
		reports, here, away := []*orderedReport{newDisk}, uint32(0), uint32(0)
		for n := ring.NodeID(1); n <= 3; n++ {
			if present>>n&1 == 1 {
				reports = append(reports, reportOf(n, c, 4, 9))
				here += votes[n-1]
			} else {
				away += votes[n-1]
			}
		}
		x := exchangeOf(nil, reports...)
		cmd := &state.Command{Request: "r", Replace: state.Member{Node: node, Incarnation: inc(99)}}
		x.replacements = []*state.Command{cmd}
		d, err := x.concludeDecision()
		if err != nil || d.Genesis {
			continue
		}
		again, err := x.verifyDecide(&d.decide)
		require.NoError(t, err)
		require.Equal(t, d, again)
		if d.replacement == nil {
			require.GreaterOrEqual(t, here, c.Quorum(), "an ordinary decision")
			continue
		}
		given++
		require.Less(t, here, c.Quorum(), "votes %v", votes)
		require.Less(t, away+votes[3], c.AckVotes(),
			"%v: those that are away cannot have confirmed a change alone, nor with the lost disk", votes)
		require.Less(t, away, c.Quorum(), "nor can they decide")
		wrong := d.decide
		wrong.Replacement = ""
		_, err = x.verifyDecide(&wrong)
		require.ErrorIs(t, err, errNoQuorum, "the decision must name the request")
		x.replacements = nil
		_, err = x.verifyDecide(&d.decide)
		require.ErrorIs(t, err, errNoQuorum, "the request must come before the decision in the order")
	}
	require.Positive(t, given)
}
