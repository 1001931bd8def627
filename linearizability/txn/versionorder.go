package txn

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// versionOrder collects which version of a register comes before which.
//
// Its graph has a vertex for each version, and for the initial state of each key. The kind of an edge is its
// reason: RW if a transaction read the first version and then wrote the second, WW if it wrote both, Process
// and Realtime if keys are sequential or linearizable.
type versionOrder struct {
	table *table
	edges *depgraph.Builder
}

func newVersionOrder(t *table) *versionOrder {
	return &versionOrder{table: t, edges: depgraph.NewBuilder(len(t.versions) + len(t.keys))}
}

// initial returns the vertex of a key's initial state.
func (o *versionOrder) initial(key int32) int32 { return int32(len(o.table.versions)) + key }

// vertex returns the vertex of a version of a key; none is the initial state.
func (o *versionOrder) vertex(key, v int32) int32 {
	if v == none {
		return o.initial(key)
	}
	return v
}

// touch is what a transaction did to one key: the versions that it saw or wrote first and last.
type touch struct {
	txn         int32
	first, last int32 // vertices
}

// before adds that one version comes before another. Nothing comes before an initial state, so such an
// edge closes a cycle.
func (o *versionOrder) before(key, first, second int32, reason depgraph.Dependency) {
	if !o.known(first) || !o.known(second) {
		return
	}
	o.edges.Add(first, second, reason)
	if second == o.initial(key) && first != second {
		o.edges.Add(second, first, reason)
	}
}

// known reports whether a vertex is an initial state, or a version that one transaction wrote.
func (o *versionOrder) known(vertex int32) bool {
	return vertex >= int32(len(o.table.versions)) || o.table.versions[vertex].writer >= 0
}

// touches returns what committed transactions did to each key, in the order of their calls.
func (o *versionOrder) touches() *groups[touch] {
	t := o.table
	return group(len(t.keys), func(yield func(int32, touch)) {
		place := map[int32]int{}
		var keys []int32
		var list []touch
		for i := range t.txns {
			if !t.txns[i].committed {
				continue
			}
			clear(place)
			keys, list = keys[:0], list[:0]
			for _, m := range t.steps(int32(i)) {
				if m.f == read && t.txns[i].outcome != history.OK {
					continue
				}
				v := o.vertex(m.key, m.version)
				at, ok := place[m.key]
				if !ok {
					at = len(list)
					place[m.key] = at
					keys, list = append(keys, m.key), append(list, touch{int32(i), v, v})
				}
				list[at].last = v
			}
			for at, key := range keys {
				yield(key, list[at])
			}
		}
	})
}

// orderWithin orders what a transaction read and then wrote. A version that was written later than it was
// read cannot come before it: its writer would depend on itself.
func (o *versionOrder) orderWithin() {
	last := map[int32]microOp{}
	for i := range o.table.txns {
		if !o.table.txns[i].committed {
			continue
		}
		clear(last)
		for _, m := range o.table.steps(int32(i)) {
			previous, known := last[m.key]
			isRead := m.f == read
			if isRead && (o.table.txns[i].outcome != history.OK || !m.external) {
				continue
			}
			if known && !isRead {
				reason := depgraph.WW
				if previous.f == read {
					reason = depgraph.RW
				}
				o.before(m.key, o.vertex(m.key, previous.version), m.version, reason)
			}
			last[m.key] = m
		}
	}
}

// orderProcesses orders versions as each process saw them.
func (o *versionOrder) orderProcesses(touches *groups[touch]) {
	last := map[int]int32{}
	for key := range int32(len(o.table.keys)) {
		clear(last)
		for _, now := range touches.of(key) {
			process := o.table.operation(now.txn).Process
			if before, ok := last[process]; ok {
				o.before(key, before, now.first, depgraph.Process)
			}
			if o.table.txns[now.txn].outcome == history.OK {
				last[process] = now.last
			}
		}
	}
}

// maxOrderEdges bounds, for each use of a key, the edges that real time may add to the order of versions.
const maxOrderEdges = 256

// orderTimes orders versions of each key by transactions that did not overlap. Only transactions that
// are followed directly need an edge. It returns the key at which the limit of edges was reached, or
// none.
func (o *versionOrder) orderTimes(touches *groups[touch]) int32 {
	limit := o.edges.Edges()
	for key := range int32(len(o.table.keys)) {
		list := touches.of(key)
		limit += maxOrderEdges * (len(list) + 1)
		if !o.orderTimesOf(key, list, limit) {
			return key
		}
	}
	return none
}

func (o *versionOrder) orderTimesOf(key int32, list []touch, limit int) bool {
	of := make(map[int32]touch, len(list))
	for _, now := range list {
		of[now.txn] = now
	}
	// front has transactions that returned, if none in front was called after their return. One with
	// the same version as an earlier one adds nothing.
	var front []touch
	for _, m := range momentsOf(o.table, list) {
		now := of[m.txn]
		if !m.returns {
			for _, before := range front {
				o.before(key, before.last, now.first, depgraph.Realtime)
			}
			if o.edges.Edges() > limit {
				return false
			}
			continue
		}
		call := o.table.operation(m.txn).Call
		front = slices.DeleteFunc(front, func(before touch) bool {
			return o.table.operation(before.txn).Return < call
		})
		if !slices.ContainsFunc(front, func(before touch) bool { return before.last == now.last }) {
			front = append(front, now)
		}
	}
	return true
}

func (o *versionOrder) keyOf(vertex int32) int32 {
	if n := int32(len(o.table.versions)); vertex >= n {
		return vertex - n
	}
	return o.table.versions[vertex].key
}

func (o *versionOrder) vertexText(vertex int32) string {
	if vertex >= int32(len(o.table.versions)) {
		return "null"
	}
	writer := o.table.versions[vertex].writer
	return fmt.Sprintf("%s of %s", shorten(o.table.valueText(vertex)), o.table.name(writer))
}

func momentsOf(t *table, list []touch) []moment {
	txns := make([]int32, len(list))
	for i, now := range list {
		txns[i] = now.txn
	}
	return moments(t, txns)
}
