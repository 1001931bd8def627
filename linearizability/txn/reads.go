package txn

import "github.com/holdfast-sim/holdfast/linearizability/history"

// readAt is one read: its transaction and its position in table.micro.
type readAt struct{ txn, at int32 }

// groups holds values by key: those of key k are items[start[k]:start[k+1]].
type groups[T any] struct {
	start []int32
	items []T
}

func (g *groups[T]) of(key int32) []T { return g.items[g.start[key]:g.start[key+1]] }

// group sorts values by key and keeps the order in which visit yields them. visit is called twice.
func group[T any](keys int, visit func(yield func(key int32, item T))) *groups[T] {
	g := &groups[T]{start: make([]int32, keys+1)}
	visit(func(key int32, _ T) { g.start[key+1]++ })
	for k := range keys {
		g.start[k+1] += g.start[k]
	}
	g.items = make([]T, g.start[keys])
	next := append([]int32(nil), g.start[:keys]...)
	visit(func(key int32, item T) {
		g.items[next[key]] = item
		next[key]++
	})
	return g
}

// readsByKey returns the reads of ok transactions.
func (t *table) readsByKey() *groups[readAt] {
	return group(len(t.keys), func(yield func(int32, readAt)) {
		for i := range t.txns {
			if t.txns[i].outcome != history.OK {
				continue
			}
			for at := t.txns[i].first; at < t.txns[i].end; at++ {
				if m := &t.micro[at]; m.f == read {
					yield(m.key, readAt{int32(i), at})
				}
			}
		}
	})
}

// versionsByKey returns the versions that were written or read.
func (t *table) versionsByKey() *groups[int32] {
	return group(len(t.keys), func(yield func(int32, int32)) {
		for v := range t.versions {
			yield(t.versions[v].key, int32(v))
		}
	})
}

// checkSource reports a read of a version that no transaction should have shown: one that nothing wrote,
// that only a failed transaction wrote, or, if it is the last that the read shows, that its writer
// wrote again. It returns what it found.
func (a *analysis) checkSource(r readAt, v int32, last bool) {
	version := &a.t.versions[v]
	switch {
	case version.writer == none:
		if len(a.t.unknownFunctions) == 0 && a.found.wants(GarbageRead) {
			a.found.add(GarbageRead, []int32{r.txn}, "%s read %s, but no transaction wrote %s to %s",
				a.t.name(r.txn), a.t.readText(r.at), shorten(a.t.valueText(v)), a.t.keyText(version.key))
		}
	case a.t.aborted(v):
		if a.found.wants(G1a) {
			a.found.add(G1a, []int32{version.writer, r.txn}, "%s failed after it %s, but %s read %s",
				a.t.name(version.writer), a.t.wroteText(v), a.t.name(r.txn), a.t.readText(r.at))
		}
	case last && version.intermediate && version.writer >= 0 && version.writer != r.txn:
		if a.found.wants(G1b) {
			a.found.add(G1b, []int32{version.writer, r.txn},
				"%s %s and then wrote the key again, but %s read %s", a.t.name(version.writer),
				a.t.wroteText(v), a.t.name(r.txn), a.t.readText(r.at))
		}
	}
}
