package txn

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// cycles finds the anomalies that are cycles. It looks at one set of entangled transactions (a strongly
// connected component of the whole graph) after the other.
//
// Whether a class of cycles exists is decided in linear time: an edge is on a cycle of some kinds of edges
// if both of its ends are in one component of the graph of those kinds. Which cycle is shown, and whether
// it could be shorter, takes a search from each such edge, within a limit.
type cycles struct {
	*analysis
	part *depgraph.Graph
	kept depgraph.Dependency // kinds of edges that part has
	seen [len(cycleClasses)][len(suffixes)]bool
	// ran is set if the search for cycles with one rw edge reached its limit.
	ran bool
}

// Positions in cycleClasses.
const (
	classG0 = iota
	classG1c
	classSingle
	classNonadjacent
	classItem
)

var (
	// timeEdges are the edges that cycles of each suffix may have besides those of values.
	timeEdges = [len(suffixes)]depgraph.Dependency{0, depgraph.Process, depgraph.Process | depgraph.Realtime}
	// newest is the kind of edge without which no cycle has the suffix.
	newest = [len(suffixes)]depgraph.Dependency{0, depgraph.Process, depgraph.Realtime}
)

// findCycles reports the cycles of the whole graph.
func (a *analysis) findCycles(ctx context.Context, g *depgraph.Graph) {
	component, size := g.Components(depgraph.AllData | depgraph.Process | depgraph.Realtime)
	members := group(len(size), func(yield func(int32, int32)) {
		for v := range g.Vertices() {
			if size[component[v]] > 1 {
				yield(component[v], v)
			}
		}
	})
	place := make([]int32, g.Vertices())
	for i := range place {
		place[i] = none
	}
	limited := false
	for c := range int32(len(size)) {
		if size[c] < 2 {
			continue
		}
		s := &cycles{analysis: a, part: g.Part(members.of(c), place)}
		for _, kind := range s.part.Kind {
			s.kept |= kind
		}
		for level := range suffixes {
			if ctx.Err() != nil {
				a.undecided = append(a.undecided,
					fmt.Sprintf("the search for cycles was ended: %v", ctx.Err()))
				return
			}
			s.searchLevel(level)
		}
		limited = limited || s.ran
	}
	if limited && a.o.consistency == ConsistentView {
		a.undecided = append(a.undecided,
			"cycles with one anti-dependency were searched for only up to the limit of the search")
	}
}

// searchLevel looks for all classes of cycles with one suffix. A cycle with a suffix is not reported
// where the same transactions have a cycle that is forbidden by all models which forbid this one.
func (s *cycles) searchLevel(level int) {
	if level > 0 && s.kept&newest[level] == 0 {
		return
	}
	more := timeEdges[level]
	if level == 0 {
		s.searchSimple(classG0, level, depgraph.WW, depgraph.WW)
		s.searchSimple(classG1c, level, depgraph.WW|depgraph.WR, depgraph.WR)
		s.searchNonadjacent(level, depgraph.AllData)
		if !s.seen[classSingle][0] && !s.seen[classNonadjacent][0] {
			s.searchSimple(classItem, level, depgraph.AllData, depgraph.RW)
		}
		return
	}
	if !s.covered(classG0, level) {
		s.searchSimple(classG0, level, depgraph.WW|more, depgraph.WW)
	}
	if !s.covered(classG1c, level) {
		s.searchSimple(classG1c, level, depgraph.WW|depgraph.WR|more, depgraph.WW|depgraph.WR)
	}
	if !s.covered(classNonadjacent, level) {
		s.searchNonadjacent(level, depgraph.AllData|more)
	}
	if !s.covered(classItem, level) {
		s.searchSimple(classItem, level, depgraph.AllData|more, depgraph.AllData)
	}
}

// covered reports whether a cycle of this class or a stronger one, with this suffix or a weaker one, is
// known.
func (s *cycles) covered(class, level int) bool {
	for c := 0; c <= class; c++ {
		for l := 0; l <= level; l++ {
			if s.seen[c][l] {
				return true
			}
		}
	}
	return false
}

// candidates are the edges of one component that can be on a cycle of a class.
type candidates struct {
	from []int32
	to   []int32
	kind []depgraph.Dependency
}

func (c *candidates) add(from, to int32, kind depgraph.Dependency) {
	c.from, c.to, c.kind = append(c.from, from), append(c.to, to), append(c.kind, kind)
}

// against returns the candidates whose start could come after their end.
func (c *candidates) against(order []int32) *candidates {
	kept := &candidates{}
	for i := range c.from {
		if order[c.from[i]] <= order[c.to[i]] {
			kept.add(c.from[i], c.to[i], c.kind[i])
		}
	}
	return kept
}

// entangled returns the edges of the kinds in must whose ends are in one component, by component, in
// the order of their first vertices. If order is not nil, edges whose end has a smaller number in it
// than their start are left out.
func entangled(g *depgraph.Graph, component, order []int32, vertices int32,
	must depgraph.Dependency) []candidates {
	number := map[int32]int{}
	var list []candidates
	for v := range vertices {
		for i := g.Start[v]; i < g.Start[v+1]; i++ {
			w := g.To[i]
			if g.Kind[i]&must == 0 || component[v] != component[w] || (order != nil && order[w] < order[v]) {
				continue
			}
			at, ok := number[component[v]]
			if !ok {
				at = len(list)
				number[component[v]] = at
				list = append(list, candidates{})
			}
			list[at].add(v, w, g.Kind[i])
		}
	}
	return list
}

// searchSimple looks for cycles of the kinds in mask that have an edge of the kinds in must.
//
// Edges of processes and time alone have no cycle, so a cycle with a suffix has an edge between values
// that leads against their order. Only such edges are searched from: a single stale read can entangle
// the whole history.
func (s *cycles) searchSimple(class, level int, mask, must depgraph.Dependency) {
	if s.kept&must == 0 {
		return
	}
	component, _ := s.part.Components(mask)
	var order []int32
	if level > 0 {
		order, _ = s.part.Components(timeEdges[level])
	}
	found := entangled(s.part, component, order, s.part.Vertices(), must)
	if len(found) == 0 {
		return
	}
	s.seen[class][level] = true
	search := depgraph.NewSearch(s.part, mask)
	for i := range found {
		if s.found.wants(s.anomaly(class, level)) {
			cycle, _ := s.shortestOf(search, &found[i], component)
			s.report(class, level, cycle)
		}
	}
}

// searchNonadjacent looks for closed walks in which no two rw edges meet: G-single if there is one with a
// single rw edge, else G-nonadjacent.
func (s *cycles) searchNonadjacent(level int, mask depgraph.Dependency) {
	if s.kept&depgraph.RW == 0 {
		return
	}
	layers := s.part.TwoLayers(mask)
	component, _ := layers.Components(mask)
	n := s.part.Vertices()
	found := entangled(layers, component, nil, n, depgraph.RW)
	if len(found) == 0 {
		return
	}
	// Components are numbered from the last to the first, so a path of other edges leads only to
	// smaller numbers.
	order, _ := s.part.Components(mask &^ depgraph.RW)
	// The order of a vertex is the same in both layers.
	order = append(order, order...)
	single, several := depgraph.NewSearch(layers, mask&^depgraph.RW), depgraph.NewSearch(layers, mask)
	single.Order = order
	for i := range found {
		cycle, whole := s.shortestOf(single, found[i].against(order), component)
		s.ran = s.ran || !whole
		class := classSingle
		if cycle == nil {
			class = classNonadjacent
			cycle, _ = s.shortestOf(several, &found[i], component)
		}
		s.seen[class][level] = true
		if !s.found.wants(s.anomaly(class, level)) {
			continue
		}
		for j := range cycle {
			cycle[j].To %= n
		}
		s.report(class, level, cycle)
	}
}

// shortestOf returns the shortest cycle through one of the candidates that it finds within its limit,
// as a path that begins and ends at its last vertex, and whether it tried all of them.
func (s *cycles) shortestOf(search *depgraph.Search, from *candidates,
	component []int32) (best []depgraph.Hop, whole bool) {
	limit := search.Visited + s.o.searchEdges
	bestLength := 0
	for i := range from.from {
		if i > 0 && (search.Visited > limit || bestLength == 2) {
			return best, bestLength == 2
		}
		path := search.Shortest(from.to[i], from.from[i], component)
		if path == nil {
			continue
		}
		length := 1
		for _, step := range path {
			if step.Kind != depgraph.Pass {
				length++
			}
		}
		if best == nil || length < bestLength {
			best, bestLength = append([]depgraph.Hop{{To: from.to[i], Kind: from.kind[i]}}, path...), length
		}
	}
	return best, true
}

// anomaly names a cycle. If the order of versions assumes an order of processes or of time, its name has that
// suffix, too.
func (s *cycles) anomaly(class, level int) Anomaly {
	return cycleClasses[class] + Anomaly(suffixes[max(level, s.assumedLevel)])
}

// report lists a cycle.
func (s *cycles) report(class, level int, path []depgraph.Hop) {
	var txns []int32
	var kinds []depgraph.Dependency
	kind := depgraph.Dependency(0)
	for _, step := range path {
		if step.Kind != depgraph.Pass {
			kind = step.Kind
		}
		if step.To < s.part.Real {
			txns, kinds = append(txns, s.part.Name[step.To]), append(kinds, kind)
		}
	}
	// kinds[i] leads to txns[i]; the cycle begins at the earliest transaction.
	first := 0
	for i := range txns {
		if txns[i] < txns[first] {
			first = i
		}
	}
	n := len(txns)
	cycle := &Cycle{}
	for i := range txns {
		from, to := txns[(first+i)%n], txns[(first+i+1)%n]
		cycle.Steps = append(cycle.Steps, s.newStep(from, to, kinds[(first+i+1)%n]))
	}
	a := s.anomaly(class, level)
	s.found.list[a] = append(s.found.list[a], Finding{Anomaly: a, Explain: cycle.Explain(),
		Ops: s.found.operations(txns), Cycle: cycle})
}
