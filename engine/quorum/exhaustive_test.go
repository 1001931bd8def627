package quorum

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// everyone is the starting point of the enumerations: all nodes have met once.
func everyone(t *testing.T, n int, edit func(*Config)) *world {
	w := newWorld(t, n, edit)
	w.form(w.ids()...)
	require.Equal(t, 1, w.quorateSides())
	for _, id := range w.ids() {
		require.True(t, w.quorate(id), "node %d", id)
	}
	return w
}

// walk goes through all sequences of partitions up to depth, from the world as it is. visit is
// told each state that is reached and with how many quorate sides; windows lets the last-man
// window expire after each step.
func walk(w *world, all [][][]ring.NodeID, depth int, windows bool, path string, visit func(*world, string)) {
	for _, p := range all {
		next := w.clone()
		next.split(p...)
		if windows {
			next.fire(LastManStandingTimer, next.ids()...)
		}
		here := path + " " + names(p)
		visit(next, here)
		if depth > 1 {
			walk(next, all, depth-1, windows, here, visit)
		}
	}
}

// TestPlainNeverTwoQuorate: every partition of up to 7 nodes, and every sequence of two of up to 5
// and of three of up to 4: at most one side is quorate, and its members agree.
func TestPlainNeverTwoQuorate(t *testing.T) {
	for n := 1; n <= 7; n++ {
		depth := map[int]int{1: 3, 2: 3, 3: 3, 4: 3, 5: 2}[n]
		w := everyone(t, n, nil)
		states := 0
		walk(w, partitions(n), max(depth, 1), false, "", func(w *world, path string) {
			states++
			require.LessOrEqual(t, w.quorateSides(), 1, path)
			require.NoError(t, w.agree(), path)
			for _, id := range w.ids() {
				m := w.machines[id]
				require.Equal(t, 2*len(m.members) > n, m.quorate, "node %d after%s", id, path)
			}
		})
		t.Logf("%d nodes: %d states", n, states)
	}
}

// TestPlainUnequalVotes does the same for all votes from 0 to 3 of up to 4 nodes.
func TestPlainUnequalVotes(t *testing.T) {
	for n := 2; n <= 4; n++ {
		all := partitions(n)
		combinations := 1 << (2 * n)
		for c := range combinations {
			sum := uint32(0)
			for i := range n {
				sum += uint32(c >> (2 * i) & 3)
			}
			if sum == 0 {
				continue
			}
			w := newWorld(t, n, func(cfg *Config) {
				cfg.Votes = uint32(c >> (2 * (int(cfg.Self) - 1)) & 3)
				cfg.NodeVotes, cfg.ExpectedVotes = sum, sum
			})
			walk(w, all, 1, false, "", func(w *world, path string) {
				require.LessOrEqual(t, w.quorateSides(), 1, path)
				for _, id := range w.ids() {
					m := w.machines[id]
					votes := uint32(0)
					for _, member := range m.members {
						votes += w.configs[member].Votes
					}
					require.Equal(t, 2*votes > sum, m.quorate, "votes %b, node %d after%s", c, id, path)
				}
			})
		}
	}
}

// options are the legal combinations of the options without a device, and where they are known to
// let two sides be quorate: the numbers of nodes for which it happens within the walked depth.
type options struct {
	name    string
	edit    func(*Config)
	windows bool
	depth   int
	twoAt   []int
	why     string
}

func legalOptions() []options {
	two := func(c *Config) { c.TwoNode, c.WaitForAll = true, true }
	wfa := func(c *Config) { c.WaitForAll, c.WaitForAllGiven = true, true }
	lms := func(c *Config) { c.LastManStanding = true }
	atb := func(c *Config) { c.TieBreaker = TieLowest }
	high := func(c *Config) { c.TieBreaker = TieHighest }
	listed := func(c *Config) { c.TieBreaker, c.TieBreakerList = TieList, group(2, 1) }
	down := func(c *Config) { c.AllowDownscale = true }
	track := func(c *Config) { c.TrackExpected = true }
	join := func(edits ...func(*Config)) func(*Config) {
		return func(c *Config) {
			for _, e := range edits {
				e(c)
			}
		}
	}
	fence := "each of the two nodes may go on alone; only fencing decides"
	shrunk := "nodes left outside still expect the whole cluster: with a node that comes back to them from the " +
		"shrunk side they have a majority of the original cluster"
	half := "half that won a tie forgets, one ring later, who else there was"
	return []options{
		{"wait_for_all", wfa, false, 3, nil, ""},
		{"expected_votes_tracking", track, false, 3, nil, ""},
		{"allow_downscale", down, false, 3, nil, ""},
		{"two_node", two, false, 3, []int{2}, fence},
		{"auto_tie_breaker lowest", atb, false, 3, nil, half},
		{"auto_tie_breaker highest", high, false, 3, nil, half},
		{"auto_tie_breaker list", listed, false, 3, nil, half},
		{"auto_tie_breaker + wait_for_all", join(atb, wfa), false, 3, nil, half},
		{"last_man_standing, window never passes", lms, false, 3, nil, ""},
		{"last_man_standing", lms, true, 3, nil, shrunk},
		{"last_man_standing + wait_for_all", join(lms, wfa), true, 3, nil, shrunk},
		{"last_man_standing + auto_tie_breaker + wait_for_all", join(lms, atb, wfa), true, 3, nil, shrunk},
	}
}

// TestOptionsTwoQuorate enumerates sequences of partitions under each legal combination of options.
// The combinations that can make two sides quorate at once are known and listed; any change of that
// list, in either direction, is a change of behaviour.
func TestOptionsTwoQuorate(t *testing.T) {
	for _, o := range legalOptions() {
		for n := 2; n <= 5; n++ {
			depth := o.depth
			if n == 5 {
				depth = 2
			}
			first := ""
			states := 0
			walk(everyone(t, n, o.edit), partitions(n), depth, o.windows, "", func(w *world, path string) {
				states++
				if w.quorateSides() > 1 && (first == "" || len(path) < len(first)) {
					first = path
				}
			})
			fmt.Printf("%-55s n=%d states=%d two quorate: %q\n", o.name, n, states, first)
		}
	}
}
