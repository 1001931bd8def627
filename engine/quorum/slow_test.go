package quorum

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// slowNode is one node of a slow, obvious votequorum that follows the man page, for a cluster whose
// rings form at once.
type slowNode struct {
	votes, expected, need uint32
	quorate, waits, up    bool
	ring                  int // the number of its ring, in order of forming
	// incarnation counts restarts; what a node knew of an earlier incarnation does not count.
	incarnation int
}

// slowRing is a ring that had a majority of the votes.
type slowRing struct {
	number      int // in order of forming; a majority by the operator's command does not make it younger
	members     []ring.NodeID
	incarnation map[ring.NodeID]int // of the nodes that decided so, in which incarnation
}

type slowCluster struct {
	twoNode, waitForAll, lowestBreaksTies bool
	configured                            map[ring.NodeID]uint32
	nodes                                 map[ring.NodeID]*slowNode
	rings                                 int        // how many have formed
	majorities                            []slowRing // in order of rings, then of time
}

func (s *slowCluster) boot(id ring.NodeID) {
	incarnation := 0
	if n := s.nodes[id]; n != nil {
		incarnation = n.incarnation + 1
	}
	sum := uint32(0)
	for _, v := range s.configured {
		sum += v
	}
	s.nodes[id] = &slowNode{votes: s.configured[id], expected: sum, waits: s.waitForAll, up: true,
		incarnation: incarnation,
		need:        majority(sum)}
}

// majority finds the smallest number that is more than half, by trying.
func majority(of uint32) uint32 {
	q := uint32(0)
	for 2*q <= of {
		q++
	}
	return q
}

func (s *slowCluster) form(members []ring.NodeID) {
	before := map[ring.NodeID]slowNode{}
	total := uint32(0)
	s.rings++
	for _, id := range members {
		s.nodes[id].ring = s.rings
		before[id] = *s.nodes[id]
		total += s.nodes[id].votes
	}
	for _, id := range members {
		n := s.nodes[id]
		adopted := uint32(0)
		for other, b := range before {
			if other != id && b.quorate && !b.waits {
				n.waits = false
			}
			if other != id && b.quorate && !n.quorate {
				adopted = max(adopted, b.expected)
			}
		}
		if adopted > 0 {
			n.expected, n.need = adopted, 0
		}
		n.expected = max(n.expected, total)
		highest := n.expected
		for other, b := range before {
			if other != id && b.quorate {
				highest = max(highest, b.expected)
			}
		}
		n.need = max(n.need, majority(highest), majority(total))
	}
	s.judge(members, total)
}

// expect is the operator's command on one node, for all members of its ring.
func (s *slowCluster) expect(members []ring.NodeID, k uint32) {
	total := uint32(0)
	for _, id := range members {
		total += s.nodes[id].votes
	}
	need := majority(k)
	if s.twoNode && len(members) <= 2 {
		need = 1
	}
	if k == 0 || k < total || need > total && s.nodes[members[0]].quorate {
		return
	}
	for _, id := range members {
		s.nodes[id].expected, s.nodes[id].need = k, majority(k)
	}
	s.judge(members, total)
}

func (s *slowCluster) judge(members []ring.NodeID, total uint32) {
	var remembering []ring.NodeID
	for _, id := range members {
		n := s.nodes[id]
		if s.twoNode && len(members) <= 2 {
			n.need = 1
		}
		if n.waits && total != n.expected {
			n.quorate = false
			continue
		}
		n.quorate = total >= n.need
		if n.quorate {
			remembering = append(remembering, id)
		} else if s.lowestBreaksTies && total > 0 && total == n.expected/2 {
			n.quorate = s.tieWon(id, members, n.need)
		}
		n.waits = s.waitForAll && !n.quorate
	}
	if len(remembering) > 0 {
		r := slowRing{number: s.nodes[members[0]].ring, members: members, incarnation: map[ring.NodeID]int{}}
		for _, id := range remembering {
			r.incarnation[id] = s.nodes[id].incarnation
		}
		s.majorities = append(s.majorities, r)
		slices.SortStableFunc(s.majorities, func(a, b slowRing) int { return a.number - b.number })
	}
}

// tieWon looks at the whole past: the youngest ring with a majority that a member remembers. What a member
// remembers of the present ring the others learn in the next one: after an operator's command some members
// can have a majority in a ring in which others have none.
func (s *slowCluster) tieWon(asking ring.NodeID, members []ring.NodeID, need uint32) bool {
	remembers := func(id ring.NodeID, r slowRing) bool {
		incarnation, took := r.incarnation[id]
		return took && incarnation == s.nodes[id].incarnation &&
			(id == asking || r.number < s.nodes[asking].ring)
	}
	for _, r := range slices.Backward(s.majorities) {
		if !slices.ContainsFunc(members, func(id ring.NodeID) bool { return remembers(id, r) }) {
			continue
		}
		lost := uint32(0)
		for _, id := range r.members {
			// A node that took part again later remembers a later ring, which would have been found.
			if !slices.Contains(members, id) || !remembers(id, r) {
				lost += s.configured[id]
			}
		}
		return slices.Contains(members, slices.Min(r.members)) && lost < need
	}
	return false
}

// TestMachineAgainstSlow runs random histories of partitions, restarts and operator's commands and
// compares every node with the slow version after every step.
func TestMachineAgainstSlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "nodes")
		slow := &slowCluster{configured: map[ring.NodeID]uint32{}, nodes: map[ring.NodeID]*slowNode{},
			waitForAll: rapid.Bool().Draw(t, "wait_for_all"), twoNode: n == 2 && rapid.Bool().Draw(t,
				"two_node"),
			lowestBreaksTies: rapid.Bool().Draw(t, "auto_tie_breaker")}
		sum := uint32(0)
		for i := range n {
			v := rapid.Uint32Range(0, 3).Draw(t, "votes")
			slow.configured[ring.NodeID(i+1)] = v
			sum += v
		}
		if sum == 0 {
			slow.configured[1], sum = 1, 1
		}
		if slow.lowestBreaksTies && (slow.twoNode || sum%2 == 1 && !slow.waitForAll) {
			slow.lowestBreaksTies = false
		}
		w := newWorld(t, n, func(c *Config) {
			c.Votes, c.ExpectedVotes, c.NodeVotes = slow.configured[c.Self], sum, sum
			c.TwoNode, c.WaitForAll, c.WaitForAllGiven = slow.twoNode, slow.waitForAll, true
			if slow.lowestBreaksTies {
				c.TieBreaker = TieLowest
			}
		})
		for _, id := range w.ids() {
			slow.boot(id)
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			step(t, w, slow)
			compare(t, w, slow)
		}
	})
}

func step(t *rapid.T, w *world, slow *slowCluster) {
	ids := w.ids()
	if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
		id := rapid.SampledFrom(ids).Draw(t, "who")
		w.kill(id)
		w.boot(id)
		slow.boot(id)
	}
	groups := make([][]ring.NodeID, len(ids))
	for _, id := range ids {
		g := rapid.IntRange(0, len(ids)-1).Draw(t, "group")
		groups[g] = append(groups[g], id)
	}
	w.split(groups...)
	for _, g := range groups {
		if len(g) > 0 {
			slow.form(g)
		}
	}
	compare(t, w, slow)
	g := rapid.SampledFrom(groups).Draw(t, "ring of the operator")
	if len(g) == 0 || rapid.Bool().Draw(t, "no command") {
		return
	}
	k := rapid.Uint32Range(0, 20).Draw(t, "expected")
	out, err := w.voters[g[0]].SetExpected(k)
	if err != nil {
		require.ErrorIs(t, err, ErrInvalidParameter)
	}
	w.do(g[0], out, nil)
	w.settle()
	slow.expect(g, k)
}

func compare(t *rapid.T, w *world, slow *slowCluster) {
	for _, id := range w.ids() {
		v, s := w.voters[id].Decision(), slow.nodes[id]
		require.Equal(t, fmt.Sprintf("quorate=%v expected=%d quorum=%d", s.quorate, s.expected, s.need),
			fmt.Sprintf("quorate=%v expected=%d quorum=%d", v.Quorate, v.Expected, v.Quorum),
			"node %d in ring %v of %v", id, v.Ring, v.Members)
	}
}

// TestRequiredIsTheFormula compares the arithmetic with counting.
func TestRequiredIsTheFormula(t *testing.T) {
	for expected := range uint32(200) {
		for present := range uint32(200) {
			require.Equal(t, max(majority(expected), majority(present)), RequiredVotes(expected, present))
		}
	}
}

// TestOrderDoesNotMatter: members that say the same things in another order reach the same verdict.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(combinations()).Draw(t, "options")
		w := newWorld(t, 5, c.edit)
		for range 3 {
			cut := rapid.IntRange(0, 4).Draw(t, "cut")
			order := rapid.Permutation(w.ids()).Draw(t, "order")
			w.split(ring.Sorted(order[:cut]), ring.Sorted(order[cut:]))
		}
		w.start(w.ids()...)
		infos := w.queue
		var verdicts []Decision
		for range 2 {
			branch := w.clone()
			branch.queue = rapid.Permutation(infos).Draw(t, "messages")
			branch.settle()
			for _, id := range branch.ids() {
				verdicts = append(verdicts, branch.voters[id].Decision())
			}
		}
		require.Equal(t, verdicts[:5], verdicts[5:])
	})
}
