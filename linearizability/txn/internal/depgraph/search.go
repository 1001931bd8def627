package depgraph

// Hop is one edge of a path.
type Hop struct {
	To   int32
	Kind Dependency
}

// Search finds shortest paths in one graph. Edges of kind Pass have no length.
type Search struct {
	g    *Graph
	mask Dependency
	// distance, parent and kind describe the shortest path that is known to a vertex; they count only
	// if round of the vertex is the current one.
	distance, parent, round []int32
	kind                    []Dependency
	current                 int32
	here, next              []int32
	// Order, if it is not nil, has a number for each vertex, and no edge of the kinds in mask leads to
	// a larger one. The search then leaves out vertices with smaller numbers than its target.
	Order []int32
	// Visited counts the edges that were looked at.
	Visited int
}

// NewSearch returns a Search for paths of edges of the kinds in mask.
func NewSearch(g *Graph, mask Dependency) *Search {
	n := g.Vertices()
	return &Search{g: g, mask: mask | Pass, distance: make([]int32, n), parent: make([]int32, n),
		round: make([]int32, n), kind: make([]Dependency, n)}
}

// Shortest returns a shortest path with at least one edge, or nil. If component is not nil, the path
// stays in the component of its start.
func (s *Search) Shortest(from, target int32, component []int32) []Hop {
	s.current++
	least := int32(0)
	if s.Order != nil {
		least = s.Order[target]
	}
	s.here, s.next = append(s.here[:0], from), s.next[:0]
	started := false
	for level := int32(0); len(s.here) > 0; level++ {
		for i := 0; i < len(s.here); i++ {
			v := s.here[i]
			if started {
				if s.distance[v] < level {
					continue
				}
				if v == target {
					return s.path(from, target)
				}
			}
			started = true
			s.expand(v, level, least, component)
		}
		s.here, s.next = s.next, s.here[:0]
	}
	return nil
}

func (s *Search) expand(v, level, least int32, component []int32) {
	g := s.g
	for i := g.Start[v]; i < g.Start[v+1]; i++ {
		s.Visited++
		w, kind := g.To[i], g.Kind[i]
		if kind&s.mask == 0 || (component != nil && component[w] != component[v]) {
			continue
		}
		if s.Order != nil && s.Order[w] < least {
			continue
		}
		distance := level + 1
		if kind == Pass {
			distance = level
		}
		if s.round[w] == s.current && s.distance[w] <= distance {
			continue
		}
		s.round[w], s.distance[w], s.parent[w], s.kind[w] = s.current, distance, v, kind
		if kind == Pass {
			s.here = append(s.here, w)
		} else {
			s.next = append(s.next, w)
		}
	}
}

func (s *Search) path(from, target int32) []Hop {
	var reversed []Hop
	for v := target; ; {
		reversed = append(reversed, Hop{v, s.kind[v]})
		if v = s.parent[v]; v == from {
			break
		}
	}
	path := make([]Hop, 0, len(reversed))
	for i := len(reversed) - 1; i >= 0; i-- {
		path = append(path, reversed[i])
	}
	return path
}
