package txn

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// registers infers an order of versions from what writes, processes and time imply. An order that
// is not implied stays open.
type registers struct {
	*analysis
	*versionOrder
	order *depgraph.Graph
	// component numbers the strongly connected components; versions in one of size 2 cannot be ordered.
	component, size []int32
}

func newRegisters(a *analysis) *registers {
	return &registers{analysis: a, versionOrder: newVersionOrder(a.t)}
}

// infer checks all keys and adds their edges.
func (r *registers) infer() {
	if r.o.writesFollowReads && r.o.consistency.Implies(ReadCommitted) {
		r.orderWithin()
		r.found.least = ReadCommitted
	} else {
		r.details = append(r.details, "versions: no order was inferred from reads before writes")
	}
	touches := r.touches()
	if r.o.sequentialKeys || r.o.linearizableKeys {
		r.orderProcesses(touches)
	}
	if r.o.linearizableKeys {
		if key := r.orderTimes(touches); key != none {
			r.undecided = append(r.undecided, fmt.Sprintf(
				"too many transactions overlap to order the versions of %s by time", r.t.keyText(key)))
		}
	}
	r.order = r.edges.Build()
	r.checkCycles()
	r.checkReads()
	r.connect()
	r.describe()
}

// checkCycles reports versions that cannot be ordered.
func (r *registers) checkCycles() {
	r.component, r.size = r.order.Components(depgraph.AllData | depgraph.Process | depgraph.Realtime)
	reported := make(map[int32]bool)
	for v := range r.order.Vertices() {
		c := r.component[v]
		if r.size[c] < 2 || reported[c] {
			continue
		}
		reported[c] = true
		name := CyclicVersions + Anomaly(suffixes[r.assumedLevel])
		if !r.found.wants(name) {
			continue
		}
		s := depgraph.NewSearch(r.order, depgraph.AllData|depgraph.Process|depgraph.Realtime)
		path := s.Shortest(v, v, nil)
		r.found.add(name, r.versionWriters(path), "register %s: %s",
			r.t.keyText(r.keyOf(v)), r.describeVersions(v, path))
	}
}

var orderReasons = map[depgraph.Dependency]string{
	depgraph.WW:       "one transaction wrote both in this order",
	depgraph.RW:       "one transaction read the first and then wrote the second",
	depgraph.Process:  "one process used them in this order",
	depgraph.Realtime: "they were used in this order in real time",
}

func (r *registers) describeVersions(v int32, path []depgraph.Hop) string {
	text := ""
	for i, step := range path {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s before %s (%s)", r.vertexText(v), r.vertexText(step.To),
			orderReasons[step.Kind])
		v = step.To
	}
	return text
}

func (r *registers) versionWriters(path []depgraph.Hop) []int32 {
	var txns []int32
	for _, step := range path {
		if step.To < int32(len(r.t.versions)) && r.t.versions[step.To].writer >= 0 {
			txns = append(txns, r.t.versions[step.To].writer)
		}
	}
	return txns
}

// checkReads looks at the version that each read returned.
func (r *registers) checkReads() {
	for i := range r.t.txns {
		if r.t.txns[i].outcome != history.OK {
			continue
		}
		for at := r.t.txns[i].first; at < r.t.txns[i].end; at++ {
			if m := &r.t.micro[at]; m.f == read && m.version != none {
				r.checkSource(readAt{int32(i), at}, m.version, true)
			}
		}
	}
}

// connect adds the edges between transactions.
func (r *registers) connect() {
	readers := r.readers()
	writers := r.writersByKey()
	place := map[int32]int{}
	var sources []depgraph.Source
	var targets []int32
	for vertex := range r.order.Vertices() {
		sources, targets = sources[:0], targets[:0]
		writer := none
		if vertex < int32(len(r.t.versions)) {
			writer = r.t.committedWriter(vertex)
			targets = r.successors(vertex, writer, targets)
		} else {
			targets = append(targets, writers.of(r.keyOf(vertex))...)
		}
		for _, reader := range readers.of(vertex) {
			if r.t.micro[reader.at].external {
				sources = append(sources, depgraph.Source{From: reader.txn, Kind: depgraph.RW})
			}
			if writer != none {
				r.b.Add(writer, reader.txn, depgraph.WR)
			}
		}
		if writer != none {
			sources = append(sources, depgraph.Source{From: writer, Kind: depgraph.WW})
		}
		slices.Sort(targets)
		r.b.Join(sources, slices.Compact(targets), place)
	}
}

// successors appends the committed writers of versions that are known to come after one version.
func (r *registers) successors(vertex, writer int32, targets []int32) []int32 {
	g := r.order
	for i := g.Start[vertex]; i < g.Start[vertex+1]; i++ {
		to := g.To[i]
		if to >= int32(len(r.t.versions)) || r.component[to] == r.component[vertex] {
			continue
		}
		if w := r.t.committedWriter(to); w != none && w != writer {
			targets = append(targets, w)
		}
	}
	return targets
}

// readers returns the reads of ok transactions by the vertex of what they returned.
func (r *registers) readers() *groups[readAt] {
	return group(int(r.order.Vertices()), func(yield func(int32, readAt)) {
		for i := range r.t.txns {
			if r.t.txns[i].outcome != history.OK {
				continue
			}
			for at := r.t.txns[i].first; at < r.t.txns[i].end; at++ {
				if m := &r.t.micro[at]; m.f == read {
					yield(r.vertex(m.key, m.version), readAt{int32(i), at})
				}
			}
		}
	})
}

func (r *registers) writersByKey() *groups[int32] {
	return group(len(r.t.keys), func(yield func(int32, int32)) {
		for v := range r.t.versions {
			if w := r.t.committedWriter(int32(v)); w != none {
				yield(r.t.versions[v].key, w)
			}
		}
	})
}

// describe counts what was inferred.
func (r *registers) describe() {
	ordered := make([]bool, len(r.t.versions))
	reasons := map[depgraph.Dependency]int{}
	for v := range r.order.Vertices() {
		for i := r.order.Start[v]; i < r.order.Start[v+1]; i++ {
			to := r.order.To[i]
			if to < int32(len(ordered)) && v < int32(len(ordered)) && !ordered[to] {
				ordered[to] = true
				reasons[r.order.Kind[i]]++
			}
		}
	}
	known, n := 0, 0
	for v := range r.t.versions {
		if r.t.committedWriter(int32(v)) == none {
			continue
		}
		n++
		if ordered[v] {
			known++
		}
	}
	r.details = append(r.details, fmt.Sprintf("versions: of %d committed values, %d are known to come "+
		"after another value (first reason: %d read before the write, %d written twice by one "+
		"transaction, %d order of a process, %d real time); the others are only known to come after "+
		"null, so fewer anomalies can show", n, known, reasons[depgraph.RW], reasons[depgraph.WW],
		reasons[depgraph.Process], reasons[depgraph.Realtime]))
}

// explain finds why one transaction must come before another, for one kind of dependency.
func (r *registers) explain(from, to int32, kind depgraph.Dependency) (key int32, text string) {
	if kind == depgraph.WR {
		return r.t.explainObserved(from, to)
	}
	t := r.t
	for i, m := range t.shownSteps(from) {
		if (kind == depgraph.RW) != (m.f == read) || (m.f == read && !m.external) {
			continue
		}
		for _, n := range t.shownSteps(to) {
			if n.f == read || n.key != m.key {
				continue
			}
			reason, ok := r.reason(m.version, n.version)
			switch {
			case !ok:
			case kind == depgraph.RW:
				return m.key, fmt.Sprintf("%s read %s, and %s %s, which comes later (%s)", t.name(from),
					t.readText(t.txns[from].first+int32(i)), t.name(to), t.wroteText(n.version), reason)
			default:
				return m.key, fmt.Sprintf("%s %s, and %s %s, which comes later (%s)", t.name(from),
					t.wroteText(m.version), t.name(to), t.wroteText(n.version), reason)
			}
		}
	}
	return none, ""
}

// reason returns why one version comes before another.
func (r *registers) reason(first, second int32) (string, bool) {
	if first == none {
		return "null is the initial state", true
	}
	g := r.order
	for i := g.Start[first]; i < g.Start[first+1]; i++ {
		if g.To[i] == second {
			return orderReasons[g.Kind[i]], true
		}
	}
	return "", false
}
