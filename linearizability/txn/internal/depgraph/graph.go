package depgraph

// Dependency is a set of reasons why one transaction must come before another.
type Dependency uint8

// The dependencies. The first three are Adya's.
const (
	// WW means that the second transaction wrote a later version of a key than the first.
	WW Dependency = 1 << iota
	// WR means that the second transaction read a version that the first wrote.
	WR
	// RW means that the first transaction read an older version of a key than the second wrote.
	RW
	// Process means that one process ran the first transaction before the second.
	Process
	// Realtime means that the first transaction returned before the second was called.
	Realtime
	// Pass leaves a helper vertex. It costs nothing and belongs to the dependency that led there.
	Pass
)

// AllData are the dependencies that come from values.
const AllData = WW | WR | RW

var dependencyNames = map[Dependency]string{WW: "ww", WR: "wr", RW: "rw", Process: "process",
	Realtime: "realtime"}

// String returns ww, wr, rw, process or realtime.
func (d Dependency) String() string { return dependencyNames[d] }

// edge is one dependency between two vertices.
type edge struct {
	from, to int32
	kind     Dependency
}

// Graph is a directed graph in rows: the edges of vertex v are Start[v] to Start[v+1].
//
// Vertices below Real are transactions. The others are helpers, which stand for many edges at once: if
// each of m transactions precedes each of n, a helper between them needs m+n edges. An edge into a
// helper has the kind of the dependency, and edges from helpers have the kind Pass.
type Graph struct {
	Real  int32
	Start []int32
	To    []int32
	Kind  []Dependency
	// Name is, for a part of a graph, the vertex of the whole graph.
	Name []int32
}

// None stands for no vertex.
const None int32 = -1

// NewBuilder returns a Builder of a graph that has so many transactions and no helper yet.
func NewBuilder(transactions int) *Builder {
	return &Builder{real: int32(transactions), vertices: int32(transactions)}
}

// Edges returns the number of edges so far.
func (b *Builder) Edges() int { return len(b.edges) }

// Builder collects edges.
type Builder struct {
	real, vertices int32
	edges          []edge
}

// Add adds an edge, unless it would lead from a vertex to itself.
func (b *Builder) Add(from, to int32, kind Dependency) {
	if from != to {
		b.edges = append(b.edges, edge{from, to, kind})
	}
}

// Helper returns a new helper vertex.
func (b *Builder) Helper() int32 {
	b.vertices++
	return b.vertices - 1
}

// Source is a vertex with the kind of the dependency that leaves it.
type Source struct {
	From int32
	Kind Dependency
}

// Join lets every source precede every target but itself, with a number of edges that is linear in both.
// Targets must be distinct.
func (b *Builder) Join(sources []Source, targets []int32, place map[int32]int) {
	if len(sources) == 0 || len(targets) == 0 {
		return
	}
	if len(targets) == 1 || len(sources) == 1 {
		for _, s := range sources {
			for _, target := range targets {
				b.Add(s.From, target, s.Kind)
			}
		}
		return
	}
	clear(place)
	for i, target := range targets {
		place[target] = i
	}
	// up[i] leads to targets 0 to i, and down[i] to targets i to the last.
	n := len(targets)
	up := b.chain(targets)
	overlap := false
	for _, s := range sources {
		i, isTarget := place[s.From]
		overlap = overlap || isTarget
		if !isTarget {
			b.Add(s.From, up+int32(n-1), s.Kind)
		} else if i > 0 {
			b.Add(s.From, up+int32(i-1), s.Kind)
		}
	}
	if !overlap {
		return
	}
	reversed := make([]int32, n)
	for i, target := range targets {
		reversed[n-1-i] = target
	}
	down := b.chain(reversed)
	for _, s := range sources {
		if i, isTarget := place[s.From]; isTarget && i < n-1 {
			b.Add(s.From, down+int32(n-2-i), s.Kind)
		}
	}
}

// chain returns the first of as many helpers as there are targets: helper i leads to targets 0 to i.
func (b *Builder) chain(targets []int32) int32 {
	first := b.vertices
	for i, target := range targets {
		h := b.Helper()
		b.Add(h, target, Pass)
		if i > 0 {
			b.Add(h, h-1, Pass)
		}
	}
	return first
}

// Build sorts the edges by vertex.
func (b *Builder) Build() *Graph {
	g := &Graph{Real: b.real, Start: make([]int32, b.vertices+1), To: make([]int32, len(b.edges)),
		Kind: make([]Dependency, len(b.edges))}
	for i := range b.edges {
		g.Start[b.edges[i].from+1]++
	}
	for v := int32(0); v < b.vertices; v++ {
		g.Start[v+1] += g.Start[v]
	}
	next := append([]int32(nil), g.Start[:b.vertices]...)
	for _, e := range b.edges {
		at := next[e.from]
		next[e.from]++
		g.To[at], g.Kind[at] = e.to, e.kind
	}
	b.edges = nil
	return g
}

// Vertices returns the number of vertices.
func (g *Graph) Vertices() int32 { return int32(len(g.Start) - 1) }

// Components numbers the strongly connected components of the graph that has only edges of the kinds in
// mask, and edges out of helpers. It returns the component of each vertex, and the vertices of each.
// It is Tarjan's algorithm without recursion.
func (g *Graph) Components(mask Dependency) (component, size []int32) {
	n := g.Vertices()
	mask |= Pass
	component = make([]int32, n)
	low, next := make([]int32, n), make([]int32, n)
	var stack, path []int32
	visited := int32(0)
	for root := range n {
		if low[root] != 0 {
			continue
		}
		path = append(path, root)
		for len(path) > 0 {
			v := path[len(path)-1]
			if low[v] == 0 {
				visited++
				low[v], next[v], component[v] = visited, g.Start[v], -visited
				stack = append(stack, v)
			}
			if w := g.advance(v, mask, next, low, component); w != None {
				path = append(path, w)
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				parent := path[len(path)-1]
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != -component[v] {
				continue
			}
			size = append(size, 0)
			stack = g.close(v, stack, component, low, size)
		}
	}
	return component, size
}

// finished is the low link of a vertex whose component is known; no later vertex can reach it.
const finished = int32(1<<31 - 1)

// advance looks at the next edges of v. It returns a vertex that has not been visited, or None.
// component of a vertex whose component is not known yet is minus its number in the order of visits.
func (g *Graph) advance(v int32, mask Dependency, next, low, component []int32) int32 {
	for ; next[v] < g.Start[v+1]; next[v]++ {
		if g.Kind[next[v]]&mask == 0 {
			continue
		}
		w := g.To[next[v]]
		if low[w] == 0 {
			return w
		}
		if low[w] != finished {
			low[v] = min(low[v], -component[w])
		}
	}
	return None
}

// close takes the component of v from the stack.
func (g *Graph) close(v int32, stack, component, low, size []int32) []int32 {
	number := int32(len(size) - 1)
	for {
		w := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		component[w], low[w] = number, finished
		size[number]++
		if w == v {
			return stack
		}
	}
}

// Part returns the graph of some vertices and the edges among them. place must have an entry for each
// vertex of g and hold only None; it does so again on return.
func (g *Graph) Part(vertices, place []int32) *Graph {
	p := &Graph{Start: make([]int32, 1, len(vertices)+1), Name: make([]int32, 0, len(vertices))}
	for Pass := range 2 { // transactions first
		for _, v := range vertices {
			if (v < g.Real) == (Pass == 0) {
				place[v] = int32(len(p.Name))
				p.Name = append(p.Name, v)
			}
		}
		if Pass == 0 {
			p.Real = int32(len(p.Name))
		}
	}
	for _, v := range p.Name {
		for i := g.Start[v]; i < g.Start[v+1]; i++ {
			if w := place[g.To[i]]; w != None {
				p.To, p.Kind = append(p.To, w), append(p.Kind, g.Kind[i])
			}
		}
		p.Start = append(p.Start, int32(len(p.To)))
	}
	for _, v := range vertices {
		place[v] = None
	}
	return p
}

// TwoLayers returns a graph whose closed walks are those of g in which no two rw edges meet. Vertex v stands
// for v after any other edge, and v+n for v after an rw edge, where n is the number of vertices.
func (g *Graph) TwoLayers(mask Dependency) *Graph {
	n := g.Vertices()
	l := &Graph{Real: g.Real, Start: make([]int32, 1, 2*n+1)}
	for layer := range int32(2) {
		for v := range n {
			for i := g.Start[v]; i < g.Start[v+1]; i++ {
				kind, to := g.Kind[i], g.To[i]
				switch {
				case kind == Pass:
					to += layer * n
				case kind&mask == 0 || (kind == RW && layer == 1):
					continue
				case kind == RW:
					to += n
				}
				l.To, l.Kind = append(l.To, to), append(l.Kind, kind)
			}
			l.Start = append(l.Start, int32(len(l.To)))
		}
	}
	return l
}
