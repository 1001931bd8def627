package quorum

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// reload gives every running node its configuration again, changed by edit.
func reload(w *world, edit func(*Config)) {
	for _, id := range w.ids() {
		cfg := w.configs[id]
		edit(&cfg)
		w.configs[id] = cfg
	}
	for _, id := range w.ids() {
		if m := w.voters[id]; m != nil {
			out, err := m.Reload(w.configs[id])
			w.do(id, out, err)
		}
	}
	w.settle()
}

// Reloading armed wait_for_all again (corosync ca320bea): the node judged itself not quorate, or not
// quorate at the next loss, although a majority was there.
func TestReloadDoesNotArmWaitForAll(t *testing.T) {
	w := everyone(t, 3, func(c *Config) { c.WaitForAll, c.WaitForAllGiven = true, true })
	reload(w, func(*Config) {})
	for _, id := range w.ids() {
		require.True(t, w.quorate(id))
		require.NotContains(t, w.voters[id].ownEntry().flags.String(), "wfa")
	}
	w.split(group(1, 2), group(3))
	require.True(t, w.quorate(1) && w.quorate(2))
	require.False(t, w.quorate(3))
	reload(w, func(*Config) {})
	require.True(t, w.quorate(1) && w.quorate(2), "also while a node is missing")
	require.NotContains(t, w.voters[1].ownEntry().flags.String(), "wfa")
}

// two_node turned on at runtime did not turn on wait_for_all (corosync 8ce65bf9).
func TestTwoNodeAtRuntimeBringsWaitForAll(t *testing.T) {
	w := everyone(t, 2, nil)
	reload(w, func(c *Config) { c.TwoNode, c.WaitForAll = true, true })
	require.Equal(t, []string{"2Node", "Quorate", "WaitForAll"}, w.voters[1].Status().Options)
	w.split(group(1), group(2))
	require.True(t, w.quorate(1) && w.quorate(2), "two_node lets both go on")
	w.kill(1)
	w.boot(1)
	w.form(1)
	require.False(t, w.quorate(1), "alone after a start")
	w.form(1, 2)
	require.True(t, w.quorate(1))

	// Off again: wait_for_all goes with it, the quorum is two votes again.
	reload(w, func(c *Config) { c.TwoNode, c.WaitForAll = false, false })
	require.Equal(t, []string{"Quorate"}, w.voters[1].Status().Options)
	w.split(group(1), group(2))
	require.Zero(t, w.quorateSides())

	// An explicit "wait_for_all: 0" stays.
	w = everyone(t, 2, func(c *Config) { c.WaitForAllGiven = true })
	reload(w, func(c *Config) { c.TwoNode = true })
	require.Equal(t, []string{"2Node", "Quorate"}, w.voters[1].Status().Options)
}

// two_node stays in force in a larger cluster (seen with Corosync 3.1.7): every part of at most two nodes is
// quorate, without a word in the log.
func TestTwoNodeInLargerClusters(t *testing.T) {
	w := everyone(t, 3, func(c *Config) { c.TwoNode, c.WaitForAll = true, true })
	require.Equal(t, []string{"2Node", "Quorate", "WaitForAll"}, w.voters[1].Status().Options)
	w.split(group(1), group(2), group(3))
	require.Equal(t, 3, w.quorateSides())
	require.EqualValues(t, 1, w.voters[1].Status().Quorum)
}

// A node whose own votes are more than one switches last_man_standing off at its start (seen with Corosync
// 3.1.7), not only when it hears of such a node.
func TestLastManStandingNeedsOneVoteAlsoOfThisNode(t *testing.T) {
	_, out, err := New(Config{Self: 1, Votes: 2, ExpectedVotes: 4, NodeVotes: 4, Nodes: 3,
		LastManStanding: true})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(out.Log), "Disabling LMS.")
	w := newWorld(t, 3, func(c *Config) { c.Votes, c.LastManStanding = 2, true })
	require.NotContains(t, w.voters[1].Status().Options, "LastManStanding")
}

// The operator's "expected" is accepted on a node without quorum also if it does not help (seen with Corosync
// 3.1.7); it is refused where it would take quorum away, or is less than what is present.
func TestExpectedWithoutQuorum(t *testing.T) {
	w := everyone(t, 3, func(*Config) {})
	_, err := w.voters[1].SetExpected(9)
	require.ErrorIs(t, err, ErrInvalidParameter, "quorate")
	w.split(group(1), group(2, 3))
	for _, k := range []uint32{9, 3, 2} {
		_, err := w.voters[1].SetExpected(k)
		require.NoError(t, err)
	}
}

// auto_tie_breaker was judged differently on different nodes after the cluster had grown (corosync
// PR 246): here from 3 nodes, where it is off, to 4, with a new lowest node.
func TestTieBreakerAfterGrowing(t *testing.T) {
	w := emptyWorld(t)
	add := func(id ring.NodeID, nodes uint32) {
		w.configs[id] = Config{Self: id, Votes: 1, ExpectedVotes: nodes, NodeVotes: nodes, Nodes: int(nodes),
			TieBreaker: TieLowest}
		w.boot(id)
	}
	for id := ring.NodeID(2); id <= 4; id++ {
		add(id, 3)
	}
	w.form(2, 3, 4)
	require.NotContains(t, w.voters[2].Status().Options, "AutoTieBreaker", "off with an odd number of votes")
	reload(w, func(c *Config) { c.ExpectedVotes, c.NodeVotes, c.Nodes = 4, 4, 4 })
	add(1, 4)
	w.form(1, 2, 3, 4)
	for _, id := range w.ids() {
		require.Contains(t, w.voters[id].Status().Options, "AutoTieBreaker", "node %d", id)
		require.Equal(t, ring.NodeID(1), w.voters[id].ownEntry().majority.Tie, "node %d", id)
	}
	w.split(group(1, 4), group(2, 3))
	require.True(t, w.quorate(1) && w.quorate(4))
	require.False(t, w.quorate(2) || w.quorate(3))
}

// auto_tie_breaker in a cluster of 5 made both sides of a 2/3 split quorate (corosync 74).
func TestTieBreakerInOddCluster(t *testing.T) {
	start := everyone(t, 5, func(c *Config) {
		c.TieBreaker, c.WaitForAll, c.WaitForAllGiven = TieLowest,
			true, true
	})
	for _, p := range partitions(5) {
		w := start.clone()
		w.split(p...)
		for _, id := range w.ids() {
			require.Equal(t, len(w.voters[id].members) >= 3, w.quorate(id), "%s, node %d", names(p), id)
		}
		// The same rings again, as after a lost token: the minority does not become a tie-breaker's side.
		w.split(p...)
		for _, id := range w.ids() {
			require.Equal(t, len(w.voters[id].members) >= 3, w.quorate(id), "%s again, node %d", names(p), id)
		}
	}
}

// Two rings at once can both have a majority only by an operator's command. The tie follows the ring
// that formed later, however late the command came to the other one: 3 remembers 13, whose 1 is missing,
// and does not follow 2 into a second majority beside 1. The slow votequorum of TestMachineAgainstSlow
// went by the time of the command and called the right answer wrong (-rapid.seed=4667593516581351721).
func TestTieFollowsTheRingThatFormedLater(t *testing.T) {
	w := everyone(t, 3, func(c *Config) {
		c.TieBreaker, c.ExpectedVotes, c.NodeVotes = TieLowest, 4, 4
		if c.Self == 1 {
			c.Votes = 2
		}
	})
	w.split(group(2), group(1, 3))
	out, err := w.voters[2].SetExpected(1)
	w.do(2, out, err)
	w.settle()
	require.Equal(t, 2, w.quorateSides(), "2 by the command, 13 by votes")
	w.split(group(1), group(2, 3))
	require.True(t, w.quorate(1))
	require.False(t, w.quorate(2) || w.quorate(3))
}

// A member without votes can have a majority of the votes that it expects, in a ring in which the others have
// none, after an operator lowered what it expects. The others do not follow its memory before the next ring:
// here both halves of eight votes would be quorate.
func TestAMajorityOfOneMemberIsNotOneOfTheRing(t *testing.T) {
	votes := []uint32{1, 1, 0, 3, 3}
	w := everyone(t, 5, func(c *Config) {
		c.TieBreaker, c.ExpectedVotes, c.NodeVotes, c.Votes = TieLowest, 8, 8, votes[c.Self-1]
	})
	expect := func(at ring.NodeID, votes uint32) {
		out, err := w.voters[at].SetExpected(votes)
		w.do(at, out, err)
		w.settle()
	}
	w.kill(1)
	w.boot(1)
	w.split(group(1, 2, 3), group(4, 5))
	expect(1, 2)
	w.split(group(2, 3), group(1, 4), group(5))
	w.split(group(1, 3, 5), group(2, 4))
	expect(1, 8)
	require.True(t, w.quorate(2) && w.quorate(4), "they follow 4, of the last majority")
	require.False(t, w.quorate(1) || w.quorate(5))
}

// last_man_standing depends on when the next node goes (corosync 803).
func TestLastManStandingWindow(t *testing.T) {
	for _, passed := range []bool{false, true} {
		w := everyone(t, 5, func(c *Config) { c.LastManStanding = true })
		w.split(group(1, 2, 3), group(4), group(5))
		require.Equal(t, 1, w.quorateSides())
		if passed {
			w.fire(LastManStandingTimer, 1, 2, 3)
		}
		w.split(group(1, 2), group(3), group(4), group(5))
		require.Equal(t, passed, w.quorate(1), "window passed: %v", passed)
		require.False(t, w.quorate(3))
		if passed {
			w.fire(LastManStandingTimer, 1, 2)
			w.split(group(1), group(2))
			require.Zero(t, w.quorateSides(), "from two to one needs a tie-breaker")
		}
	}
}

func TestLastManStandingToOneWithTieBreaker(t *testing.T) {
	w := everyone(t, 4, func(c *Config) { c.LastManStanding, c.TieBreaker = true, TieLowest })
	for _, left := range [][]ring.NodeID{group(1, 2, 3), group(1, 2)} {
		w.kill(left[len(left)-1] + 1)
		w.form(left...)
		w.fire(LastManStandingTimer, left...)
		require.True(t, w.quorate(1))
	}
	w.split(group(1), group(2))
	require.True(t, w.quorate(1))
	require.False(t, w.quorate(2))
}

func TestLastManStandingNeedsOneVoteEach(t *testing.T) {
	w := everyone(t, 4, func(c *Config) {
		c.LastManStanding, c.NodeVotes, c.ExpectedVotes = true, 5, 5
		if c.Self == 2 {
			c.Votes = 2
		}
	})
	require.NotContains(t, w.voters[1].Status().Options, "LastManStanding")
	w.split(group(1, 2), group(3, 4))
	require.Empty(t, w.timers[1])
}

// The window passes in the middle of a sync: it counts once the sync is done.
func TestLastManStandingWindowInSync(t *testing.T) {
	w := everyone(t, 4, func(c *Config) { c.LastManStanding = true })
	w.form(1, 2, 3)
	w.start(1, 2, 3)
	queue := w.queue
	w.queue = nil
	w.fire(LastManStandingTimer, 1, 2, 3)
	require.Equal(t, uint32(4), w.voters[1].ownEntry().effectiveExpected)
	w.queue = queue
	w.settle()
	require.Equal(t, uint32(3), w.voters[1].ownEntry().effectiveExpected)
}

// A node that boots alone waits forever (domain of wait_for_all), and an operator can end that.
func TestCancelWaitForAll(t *testing.T) {
	w := newWorld(t, 2, func(c *Config) { c.TwoNode, c.WaitForAll = true, true })
	w.form(1)
	require.False(t, w.quorate(1))
	w.do(1, w.voters[1].CancelWaitForAll(), nil)
	w.settle()
	require.True(t, w.quorate(1))
}

// "expected 1" on both halves of a cluster: the split brain that operators make by hand. It ends
// when the halves meet, and nothing else does it.
func TestExpectedOneOnBothSides(t *testing.T) {
	w := everyone(t, 2, nil)
	w.split(group(1), group(2))
	require.Zero(t, w.quorateSides())
	for _, id := range w.ids() {
		out, err := w.voters[id].SetExpected(1)
		w.do(id, out, err)
	}
	w.settle()
	require.Equal(t, 2, w.quorateSides())
	w.form(1, 2)
	require.Equal(t, 1, w.quorateSides())
	require.Equal(t, uint32(2), w.voters[1].ownEntry().effectiveExpected)
	w.split(group(1), group(2))
	require.Zero(t, w.quorateSides())
}

func TestExpectedIsRefused(t *testing.T) {
	w := everyone(t, 5, nil)
	for k := range uint32(20) {
		_, err := w.voters[1].SetExpected(k)
		if k >= 5 && k <= 9 {
			require.NoError(t, err, "%d", k)
		} else {
			require.ErrorIs(t, err, ErrInvalidParameter, "%d", k)
		}
	}
	_, err := w.voters[1].SetExpected(maxExpected + 1)
	require.ErrorIs(t, err, ErrInvalidParameter)
}

// A command that is delivered in the middle of a sync counts on all members, also when another ring
// ends that sync.
func TestCommandInSync(t *testing.T) {
	for _, broken := range []bool{false, true} {
		w := everyone(t, 3, nil)
		w.start(1, 2, 3)
		out, err := w.voters[2].SetExpected(5)
		require.NoError(t, err)
		w.queue = append([]sent{{2, w.voters[2].ring, out.Multicast[0]}}, w.queue...)
		if broken {
			head := w.queue[0]
			w.queue = []sent{head}
			w.settle()
			w.form(1, 2, 3)
		} else {
			w.settle()
		}
		for _, id := range w.ids() {
			v := w.voters[id].Decision()
			require.Equal(t, [2]uint32{5, 3}, [2]uint32{v.Expected, v.Quorum}, "node %d, broken %v", id,
				broken)
		}
	}
}

func TestVotesChangedInSync(t *testing.T) {
	w := everyone(t, 3, nil)
	w.start(1, 2, 3)
	out, err := w.voters[1].SetVotes(2, 4)
	require.NoError(t, err)
	w.queue = append([]sent{{1, w.voters[1].ring, out.Multicast[0]}}, w.queue...)
	w.settle()
	require.NoError(t, w.agree())
	require.Equal(t, uint32(6), w.voters[1].Decision().Votes)
	require.Equal(t, uint32(6), w.voters[3].Decision().Votes)
}

// TestDeviceVotesDiffer: of two files with different votes for the device the higher number counts,
// until the quorate side announces another.
func TestDeviceVotesDiffer(t *testing.T) {
	w := newWorld(t, 3, func(c *Config) {
		c.Device, c.DeviceVotes, c.ExpectedVotes = true, uint32(c.Self), 5
	})
	w.form(1, 2)
	require.Equal(t, uint32(2), w.voters[1].Status().DeviceVotes)
	require.Equal(t, uint32(2), w.voters[2].Status().DeviceVotes)
	w.form(1, 2, 3)
	require.Equal(t, uint32(3), w.voters[1].Status().DeviceVotes)
	w.kill(2)
	w.boot(2)
	w.form(1, 2, 3)
	require.Equal(t, uint32(3), w.voters[2].Status().DeviceVotes)
	require.Equal(t, uint32(3), w.voters[1].Status().DeviceVotes)
}

func TestSetVotes(t *testing.T) {
	w := everyone(t, 3, nil)
	out, err := w.voters[1].SetVotes(2, 4)
	w.do(1, out, err)
	w.settle()
	for _, id := range w.ids() {
		require.Equal(t, Decision{Ring: w.voters[id].ring, Members: w.ids(), Quorate: true, Votes: 6,
			Expected: 6,
			Quorum:   4}, w.voters[id].Decision())
	}
	w.split(group(1, 3), group(2))
	require.False(t, w.quorate(1))
	require.True(t, w.quorate(2))
	_, err = w.voters[1].SetVotes(9, 1)
	require.ErrorIs(t, err, ErrInvalidParameter)
	_, err = w.voters[2].SetVotes(2, 0)
	require.ErrorIs(t, err, ErrInvalidParameter)
}

// A node with a larger nodelist raises what is expected, also for nodes with the old file.
func TestGrowingByReload(t *testing.T) {
	w := everyone(t, 3, nil)
	reload(w, func(c *Config) { c.ExpectedVotes, c.NodeVotes, c.Nodes = 5, 5, 5 })
	require.Equal(t, uint32(3), w.voters[1].Decision().Quorum)
	w.split(group(1, 2), group(3))
	require.Zero(t, w.quorateSides())
	// And back: the file is shorter again, while a majority is there to take it.
	w.form(1, 2, 3)
	reload(w, func(c *Config) { c.ExpectedVotes, c.NodeVotes, c.Nodes = 3, 3, 3 })
	require.Equal(t, uint32(2), w.voters[1].Decision().Quorum)
	w.split(group(1, 2), group(3))
	require.Equal(t, 1, w.quorateSides())
}

// The quorum never goes down by itself.
func TestQuorumNeverGoesDown(t *testing.T) {
	w := everyone(t, 5, nil)
	w.voters[1].ownEntry().effectiveExpected = 2 // as if everything had been forgotten
	w.form(1)
	require.Equal(t, uint32(3), w.voters[1].Decision().Quorum)
	require.False(t, w.quorate(1))
}

func TestTrackedExpectedVotes(t *testing.T) {
	w := newWorld(t, 5, func(c *Config) { c.TrackExpected, c.ExpectedVotes = true, 3 })
	w.form(w.ids()...)
	require.Equal(t, uint32(5), w.persist[1])
	for _, id := range w.ids() {
		w.kill(id)
		w.boot(id)
	}
	w.split(group(1, 2), group(3, 4, 5))
	require.False(t, w.quorate(1))
	require.True(t, w.quorate(3))
}

// A device cannot register where the configuration forbids it; two_node yields to one that is
// registered, and keeps one out that is not.
func TestDeviceAndTwoNodeAtRuntime(t *testing.T) {
	device := func(c *Config) { c.Device, c.DeviceVotes, c.ExpectedVotes = true, 1, 3 }
	w := everyone(t, 2, device)
	out, err := w.voters[1].RegisterDevice(DeviceName)
	w.do(1, out, err)
	w.settle()
	reload(w, func(c *Config) { c.TwoNode, c.WaitForAll = true, true })
	require.NotContains(t, w.voters[1].Status().Options, "2Node")
	require.Contains(t, w.voters[2].Status().Options, "2Node")
	_, err = w.voters[2].RegisterDevice(DeviceName)
	require.ErrorIs(t, err, ErrDeviceRefused)
	_, err = everyone(t, 2, nil).voters[1].RegisterDevice(DeviceName)
	require.ErrorIs(t, err, ErrDeviceRefused)
}

func TestDeviceRefusals(t *testing.T) {
	w := everyone(t, 2, func(c *Config) { c.Device, c.DeviceVotes, c.ExpectedVotes = true, 1, 3 })
	m := w.voters[1]
	_, err := m.PollDevice(DeviceName, m.ring, true)
	require.ErrorIs(t, err, ErrDeviceUnknown)
	out, err := m.RegisterDevice(DeviceName)
	w.do(1, out, err)
	w.settle()
	_, err = m.PollDevice("other", m.ring, true)
	require.ErrorIs(t, err, ErrDeviceUnknown)
	_, err = m.PollDevice(DeviceName, ring.ID{Seq: m.ring.Seq - 4, Rep: 1}, true)
	require.ErrorIs(t, err, ErrDeviceWrongRing)
	require.Equal(t, uint32(2), m.Decision().Votes, "a vote for another ring does not count")
	_, err = w.voters[2].RegisterDevice("other")
	require.ErrorIs(t, err, ErrDeviceExists)
	_, err = m.RegisterDevice("")
	require.Error(t, err)
}
