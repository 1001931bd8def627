package reach

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

func nodeIDs(n int) []ring.NodeID {
	ids := make([]ring.NodeID, n)
	for i := range ids {
		ids[i] = ring.NodeID(2*i + 1)
	}
	return ids
}

func drawSet(t *rapid.T, n int, what string) Set {
	var s Set
	for i, in := range rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, what) {
		if in {
			s.Add(i)
		}
	}
	return s
}

func drawRow(t *rapid.T, i, n int) Row {
	r := Row{Version: Version{Boot: rapid.Uint64Range(1, 3).Draw(t, "boot"),
		Number: rapid.Uint64Range(0, 5).Draw(t, "number")}, Votes: rapid.Uint32Range(0, 3).Draw(t, "votes")}
	if r.IsLeaving = rapid.IntRange(0, 9).Draw(t, "leaving") == 0; !r.IsLeaving {
		r.Links = drawSet(t, n, "links")
		r.Links.Remove(i)
	}
	if members := drawSet(t, n, "primary"); !members.IsEmpty() {
		id := ring.ID{Seq: rapid.Uint64Range(1, 3).Draw(t, "ring"), Rep: 1}
		r.Primary = Primary{Ring: id, Members: members}
	}
	if r.Relays = rapid.Bool().Draw(t, "relays"); r.Relays {
		if r.Quality = make([]byte, n); !r.IsLeaving {
			r.Direct = drawSet(t, n, "direct")
			r.Direct.Remove(i)
		}
		for j := range n {
			if j != i {
				r.Quality[j] = rapid.ByteRange(0, gradeMax).Draw(t, "quality")
			}
		}
	}
	return r
}

func drawTable(t *rapid.T) *Table {
	n := rapid.IntRange(1, 9).Draw(t, "nodes")
	table := NewTable(nodeIDs(n))
	for i := range n {
		if rapid.IntRange(0, 9).Draw(t, "known") > 0 {
			table.Merge(i, drawRow(t, i, n))
		}
	}
	return table
}

// TestDecisionsAgree: nodes with the same rows divide the nodes in the same way, every part is a clique of
// links that both ends report, no node is left out, and the first part of a component is its heaviest clique.
func TestDecisionsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := drawTable(t)
		for i := range table.nodes {
			d := table.Decide(i)
			require.True(t, d.Members.Has(i))
			require.Equal(t, d, table.Decide(i), "the same rows, the same decision")
			g, component := table.graph(i)
			require.True(t, g.isClique(d.Members))
			require.LessOrEqual(t, g.weightOf(d.Members), g.weightOf(d.First))
			require.Equal(t, d.First, bruteForceOf(g, component))
			for j := component.Next(0); j >= 0; j = component.Next(j + 1) {
				other := table.Decide(j)
				require.Equal(t, d.First, other.First, "nodes of a component agree on the first clique")
				if d.Members.Has(j) {
					require.Equal(t, d, other, "members of a clique agree on it")
				} else {
					require.False(t, other.Members.Has(i))
				}
			}
		}
	})
}

func bruteForceOf(g *graph, candidates Set) Set {
	part := &graph{neighbours: make([]Set, len(g.neighbours)), weights: g.weights}
	for i := candidates.Next(0); i >= 0; i = candidates.Next(i + 1) {
		part.neighbours[i] = g.neighbours[i]
	}
	best := bruteForce(part)
	if best.And(&candidates) != best { // a node outside of the component that weighs more
		return g.heaviest(candidates)
	}
	return best
}

// TestRowsOfOtherComponentsDoNotMatter: only rows of nodes to which a node is connected change its decision.
func TestRowsOfOtherComponentsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := drawTable(t)
		n := len(table.nodes)
		self := rapid.IntRange(0, n-1).Draw(t, "self")
		_, component := table.graph(self)
		before := table.Decide(self)
		outsider := rapid.IntRange(0, n-1).Draw(t, "outsider")
		if component.Has(outsider) {
			t.Skip("drew a node of the component")
		}
		row := drawRow(t, outsider, n)
		for i := component.Next(0); i >= 0; i = component.Next(i + 1) {
			if table.rows[i].Links.Has(outsider) {
				row.Links.Remove(i) // otherwise it is an edge
			}
		}
		table.rows[outsider] = row
		require.Equal(t, before, table.Decide(self))
	})
}

// TestDecide are the cases that an operator meets.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name    string
		links   []string // per node: "x" for a link to that node
		votes   []uint32
		primary []int
		want    [][]int // by node, the members
	}{
		{"all", []string{".xx", "x.x", "xx."}, nil, nil, [][]int{{0, 1, 2}, {0, 1, 2}, {0, 1, 2}}},
		{"a pair is cut", []string{".x.", "x.x", ".x."}, nil, nil, [][]int{{0, 1}, {0, 1}, {2}}},
		{"a pair is cut, and the quorate ring was the other pair", []string{".x.", "x.x", ".x."}, nil,
			[]int{1, 2}, [][]int{{0}, {1, 2}, {1, 2}}},
		{"a pair is cut, and the third has more votes", []string{".x.", "x.x", ".x."}, []uint32{1, 1, 2}, nil,
			[][]int{{0}, {1, 2}, {1, 2}}},
		{"0 hears 2 and 2 does not hear 0", []string{".xx", "x.x", ".x."}, nil, nil,
			[][]int{{0, 1}, {0, 1}, {2}}},
		{"0 hears all and none hears 0", []string{".xx", "..x", ".x."}, nil, nil,
			[][]int{{0}, {1, 2}, {1, 2}}},
		{"chain of four", []string{".x..", "x.x.", ".x.x", "..x."}, nil, nil,
			[][]int{{0, 1}, {0, 1}, {2, 3}, {2, 3}}},
		{"star around 1", []string{".x..", "x.xx", ".x..", ".x.."}, nil, nil,
			[][]int{{0, 1}, {0, 1}, {2}, {3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(c.links)
			table := NewTable(nodeIDs(n))
			for i, links := range c.links {
				row := Row{Version: Version{Boot: 1}, Votes: 1}
				if c.votes != nil {
					row.Votes = c.votes[i]
				}
				for j := range links {
					if links[j] == 'x' {
						row.Links.Add(j)
					}
				}
				for _, j := range c.primary {
					row.Primary.Ring = ring.ID{Seq: 4, Rep: 1}
					row.Primary.Members.Add(j)
				}
				table.Merge(i, row)
			}
			for i := range n {
				var want Set
				for _, j := range c.want[i] {
					want.Add(j)
				}
				require.Equal(t, want, table.Decide(i).Members, "node %d", i)
			}
		})
	}
}

func TestNewerRowsWin(t *testing.T) {
	table := NewTable(nodeIDs(3))
	require.True(t, table.Merge(1, Row{Version: Version{Boot: 1, Number: 9}, Votes: 1}))
	require.False(t, table.Merge(1, Row{Version: Version{Boot: 1, Number: 9}, Votes: 2}))
	require.False(t, table.Merge(1, Row{Version: Version{Boot: 1, Number: 8}, Votes: 2}))
	before := table.Digest()
	require.True(t, table.Merge(1, Row{Version: Version{Boot: 2}, Votes: 2}), "a restart replaces all before")
	require.NotEqual(t, before, table.Digest())
	require.EqualValues(t, 2, table.Row(1).Votes)
}

func TestRowsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := drawTable(t)
		to := NewTable(from.nodes)
		rows, err := to.DecodeRows(from.AppendRows(nil, allOf(len(from.nodes))))
		require.NoError(t, err)
		for _, r := range rows {
			require.True(t, to.Merge(r.Node, r.Row))
		}
		require.Equal(t, from.rows, to.rows)
		require.Equal(t, from.Digest(), to.Digest())
	})
}

func TestRowsOfOtherNodeListsAreRefused(t *testing.T) {
	three, four := NewTable(nodeIDs(3)), NewTable(nodeIDs(4))
	three.Merge(0, Row{Version: Version{Boot: 1}})
	_, err := four.DecodeRows(three.AppendRows(nil, allOf(3)))
	require.ErrorIs(t, err, ErrOtherNodes)
	require.NotEqual(t, three.Digest(), NewTable(nodeIDs(4)).Digest())
}

func FuzzDecodeRows(f *testing.F) {
	table := NewTable(nodeIDs(5))
	row := Row{Version: Version{Boot: 1, Number: 2}, Votes: 1, Primary: Primary{Ring: ring.ID{Seq: 4, Rep: 1},
		Members: allOf(5)}}
	row.Links.Add(1)
	table.Merge(0, row)
	table.Merge(3, Row{Version: Version{Boot: 7}, IsLeaving: true})
	relays := Row{Version: Version{Boot: 2}, Votes: 1, Links: row.Links, Relays: true, Direct: row.Links,
		Quality: []byte{15, 0, 3, 0, 1}}
	relays.Links.Remove(1)
	relays.Direct.Remove(1)
	table.Merge(1, relays)
	f.Add(table.AppendRows(nil, allOf(5)))
	f.Add(table.AppendRows(nil, Set{}))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		to := NewTable(nodeIDs(5))
		rows, err := to.DecodeRows(b)
		if err != nil {
			return
		}
		var of Set
		for _, r := range rows {
			require.True(t, to.Merge(r.Node, r.Row))
			of.Add(r.Node)
		}
		require.Equal(t, b, to.AppendRows(nil, of), "one way to write what was read")
		for i := range to.nodes {
			d := to.Decide(i)
			require.True(t, d.Members.Has(i))
		}
	})
}
