package reach

// cliqueStepsMax bounds the work of one search. It is counted in steps and not in time, so that all nodes
// stop at the same place: nodes that choose differently cannot form a ring. Graphs of up to 64 nodes with the
// odd broken link take some hundred steps.
const cliqueStepsMax = 200_000

// graph is an undirected graph whose nodes have weights above zero.
type graph struct {
	neighbours []Set
	weights    []uint64
}

// heaviest returns the clique of candidates with the greatest weight. Two of the same weight differ in some
// nodes, and the clique that has the lowest of these is preferred: the answer does not depend on the order of
// the search.
//
// Worked example: 1-2, 2-3, 3-4 and 4-1 are linked, all with the same weight. The cliques {1,2}, {1,4}, {2,3}
// and {3,4} weigh the same. 1 is in the first two; they differ in 2 and 4; so {1,2} it is.
func (g *graph) heaviest(candidates Set) Set {
	if g.isClique(candidates) {
		return candidates
	}
	s := search{graph: g}
	witness := s.above(0, candidates)
	need := g.weightOf(witness)
	var chosen Set
	for i := candidates.Next(0); i >= 0 && need > 0; i = candidates.Next(i + 1) {
		rest := candidates.And(&g.neighbours[i])
		if !witness.Has(i) {
			with, ok := s.through(i, need, rest)
			if !ok {
				candidates.Remove(i)
				continue
			}
			witness, need = with, g.weightOf(with)
		}
		chosen.Add(i)
		witness.Remove(i)
		need -= g.weights[i]
		candidates = rest
	}
	return chosen
}

func (g *graph) isClique(set Set) bool {
	for i := set.Next(0); i >= 0; i = set.Next(i + 1) {
		missing := set.Without(&g.neighbours[i])
		missing.Remove(i)
		if !missing.IsEmpty() {
			return false
		}
	}
	return true
}

func (g *graph) weightOf(set Set) uint64 {
	sum := uint64(0)
	for i := set.Next(0); i >= 0; i = set.Next(i + 1) {
		sum += g.weights[i]
	}
	return sum
}

// search is a branch and bound search. Its bound is a greedy colouring: a clique has at most one node of each
// colour.
type search struct {
	graph   *graph
	best    uint64
	bestSet Set
	steps   int
	// order and bounds are scratch, one part for each depth of the search.
	order  []int
	bounds []uint64
}

// above returns the heaviest clique of candidates among those above a weight, the empty set if there is none.
func (s *search) above(weight uint64, candidates Set) Set {
	s.best, s.bestSet, s.steps = weight, Set{}, cliqueStepsMax
	s.order, s.bounds = s.order[:0], s.bounds[:0]
	s.expand(Set{}, 0, candidates)
	return s.bestSet
}

// through returns a clique of a node and of candidates that weighs no less than need.
func (s *search) through(node int, need uint64, candidates Set) (Set, bool) {
	own := s.graph.weights[node]
	var with Set
	if need > own {
		with = s.above(need-own-1, candidates)
		if with.IsEmpty() {
			return with, false
		}
	}
	with.Add(node)
	return with, true
}

func (s *search) expand(chosen Set, sum uint64, candidates Set) {
	if s.steps == 0 {
		return
	}
	s.steps--
	if candidates.IsEmpty() {
		if sum > s.best {
			s.best, s.bestSet = sum, chosen
		}
		return
	}
	begin := len(s.order)
	s.colour(candidates)
	for at := len(s.order) - 1; at >= begin; at-- {
		if sum+s.bounds[at] <= s.best {
			break
		}
		i := s.order[at]
		with := chosen
		with.Add(i)
		s.order, s.bounds = s.order[:at+1], s.bounds[:at+1]
		s.expand(with, sum+s.graph.weights[i], candidates.And(&s.graph.neighbours[i]))
		candidates.Remove(i)
	}
	s.order, s.bounds = s.order[:begin], s.bounds[:begin]
}

// colour appends the candidates, colour by colour, and for each the greatest weight that a clique of it and
// the nodes before it can have.
func (s *search) colour(candidates Set) {
	below := uint64(0)
	for !candidates.IsEmpty() {
		heaviest := uint64(0)
		same := candidates
		for i := same.Next(0); i >= 0; i = same.Next(i + 1) {
			same = same.Without(&s.graph.neighbours[i])
			candidates.Remove(i)
			heaviest = max(heaviest, s.graph.weights[i])
			s.order = append(s.order, i)
			s.bounds = append(s.bounds, below+heaviest)
		}
		below += heaviest
	}
}
