package depgraph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// lengths returns the length of a shortest path with at least one edge between each two vertices, 0 if there
// is none.
func lengths(g *depgraph.Graph, mask depgraph.Dependency) [][]int {
	const far = 1 << 20
	n := int(g.Vertices())
	d := make([][]int, n)
	for v := range n {
		d[v] = make([]int, n)
		for w := range n {
			d[v][w] = far
		}
		for i := g.Start[v]; i < g.Start[v+1]; i++ {
			if g.Kind[i]&mask != 0 {
				d[v][g.To[i]] = min(d[v][g.To[i]], 1)
			}
			if g.Kind[i] == depgraph.Pass {
				d[v][g.To[i]] = 0
			}
		}
	}
	for k := range n {
		for v := range n {
			for w := range n {
				d[v][w] = min(d[v][w], d[v][k]+d[k][w])
			}
		}
	}
	return d
}

const far = 1 << 20

func drawEdges(t *rapid.T, b *depgraph.Builder, n int) {
	kinds := []depgraph.Dependency{depgraph.WW, depgraph.WR, depgraph.RW, depgraph.Process}
	vertex := rapid.Int32Range(0, int32(n-1))
	for range rapid.IntRange(0, 3*n).Draw(t, "edges") {
		b.Add(vertex.Draw(t, "from"), vertex.Draw(t, "to"), rapid.SampledFrom(kinds).Draw(t, "kind"))
	}
}

// TestComponentsAndPaths compares components, parts and shortest paths with all paths.
func TestComponentsAndPaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "transactions")
		b := depgraph.NewBuilder(n)
		drawEdges(t, b, n)
		for range rapid.IntRange(0, 2).Draw(t, "helpers") {
			h := b.Helper()
			b.Add(rapid.Int32Range(0, int32(n-1)).Draw(t, "in"), h, depgraph.RW)
			b.Add(h, rapid.Int32Range(0, int32(n-1)).Draw(t, "out"), depgraph.Pass)
		}
		g := b.Build()
		mask := depgraph.Dependency(rapid.IntRange(0, 15).Draw(t, "mask"))
		d := lengths(g, mask)
		component, size := g.Components(mask)
		search := depgraph.NewSearch(g, mask)
		for v := range g.Vertices() {
			members := int32(0)
			for w := range g.Vertices() {
				same := v == w || d[v][w] < far && d[w][v] < far
				require.Equal(t, same, component[v] == component[w])
				if same {
					members++
				}
				if d[v][w] < far {
					require.LessOrEqual(t, component[w], component[v],
						"components are numbered from the last")
				}
				requirePath(t, g, search.Shortest(v, w, nil), v, w, d[v][w])
			}
			require.Equal(t, size[component[v]], members)
		}
	})
}

func requirePath(t *rapid.T, g *depgraph.Graph, path []depgraph.Hop, from, to int32, want int) {
	if want == far {
		require.Nil(t, path)
		return
	}
	length := 0
	for _, hop := range path {
		found := false
		for i := g.Start[from]; i < g.Start[from+1]; i++ {
			found = found || g.To[i] == hop.To && g.Kind[i] == hop.Kind
		}
		require.True(t, found)
		if hop.Kind != depgraph.Pass {
			length++
		}
		from = hop.To
	}
	require.Equal(t, to, from)
	require.Equal(t, want, length)
}

// TestJoin: every source reaches every target but itself, by one edge that counts.
func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(t, "transactions")
		vertex := rapid.Int32Range(0, int32(n-1))
		targets := rapid.SliceOfNDistinct(vertex, 0, n, rapid.ID[int32]).Draw(t, "targets")
		var sources []depgraph.Source
		for _, v := range rapid.SliceOfN(vertex, 0, n).Draw(t, "sources") {
			sources = append(sources, depgraph.Source{From: v, Kind: depgraph.RW})
		}
		b := depgraph.NewBuilder(n)
		b.Join(sources, targets, map[int32]int{})
		require.LessOrEqual(t, b.Edges(), 2*len(sources)+4*len(targets)+n)
		g := b.Build()
		want := make(map[[2]int32]bool)
		for _, s := range sources {
			for _, target := range targets {
				want[[2]int32{s.From, target}] = s.From != target
			}
		}
		direct := func(v, w int32) bool { // one edge that counts, then only helpers
			search := depgraph.NewSearch(g, depgraph.RW)
			path := search.Shortest(v, w, nil)
			length := 0
			for _, hop := range path {
				if hop.Kind != depgraph.Pass {
					length++
				}
			}
			return length == 1
		}
		for v := range int32(n) {
			for w := range int32(n) {
				require.Equal(t, want[[2]int32{v, w}], direct(v, w), "%d to %d", v, w)
			}
		}
	})
}

// TestPart keeps the edges among the chosen vertices, transactions first.
func TestPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "transactions")
		b := depgraph.NewBuilder(n)
		drawEdges(t, b, n)
		g := b.Build()
		chosen := rapid.SliceOfNDistinct(rapid.Int32Range(0, int32(n-1)), 0, n,
			rapid.ID[int32]).Draw(t, "chosen")
		place := make([]int32, n)
		for i := range place {
			place[i] = depgraph.None
		}
		part := g.Part(chosen, place)
		in := map[int32]bool{}
		for _, v := range chosen {
			in[v] = true
		}
		type edge struct {
			from, to int32
			kind     depgraph.Dependency
		}
		var want, got []edge
		for v := range int32(n) {
			for i := g.Start[v]; i < g.Start[v+1]; i++ {
				if in[v] && in[g.To[i]] {
					want = append(want, edge{v, g.To[i], g.Kind[i]})
				}
			}
		}
		for v := range part.Vertices() {
			for i := part.Start[v]; i < part.Start[v+1]; i++ {
				got = append(got, edge{part.Name[v], part.Name[part.To[i]], part.Kind[i]})
			}
		}
		require.ElementsMatch(t, want, got)
		for _, p := range place {
			require.Equal(t, depgraph.None, p)
		}
	})
}
