package txn

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// unread is the position of a version that no read of its list shows.
const unread = int32(1<<31 - 1)

// lists infers the order of versions from reads of lists. The longest read of a key gives the order,
// and every other read must be a prefix of it. What a committed transaction appended, and the longest
// read does not show, comes after it.
type lists struct {
	*analysis
	reads    *groups[readAt]
	versions *groups[int32]
	// position is, for each version, that in the longest read of its key, or unread.
	position []int32

	// The rest is about one key.
	longest []int32
	// agreed is how far all reads agree.
	agreed int
	// bad are positions of the longest read that checkSource must see, in order.
	bad []int32
	// installed are versions of committed transactions in their order; rank[i] counts those among the first
	// i elements of the longest read.
	installed []int32
	rank      []int32
	// nextOther is, for each position in installed, that of the next version of another transaction.
	nextOther []int32

	// appended is, for each transaction, its append that the longest read of a key showed last.
	appended []keyWrite

	place                   map[int32]int
	appendedUnread          int
	keysUnread, keysUnclear int
}

// keyWrite is a write of a key: its position in table.micro.
type keyWrite struct{ key, at int32 }

func newLists(a *analysis) *lists {
	l := &lists{analysis: a, reads: a.t.readsByKey(), versions: a.t.versionsByKey(),
		position: make([]int32, len(a.t.versions)), place: map[int32]int{},
		appended: make([]keyWrite, len(a.t.txns))}
	for i := range l.appended {
		l.appended[i].key = none
	}
	for v := range l.position {
		l.position[v] = unread
	}
	return l
}

// infer checks all keys and adds their edges.
func (l *lists) infer() {
	for key := range int32(len(l.t.keys)) {
		l.findLongest(key)
		l.orderLongest()
		l.checkReads(key)
		l.checkDirtyUpdates()
		l.checkProgramOrder(key)
		l.install()
		l.connect(key)
	}
	l.details = append(l.details, fmt.Sprintf(
		"versions: the order of each list is that of its longest read; %d appends to %d lists were never "+
			"read, so their order among each other is not known", l.appendedUnread, l.keysUnread))
	if l.keysUnclear > 0 {
		l.details = append(l.details, fmt.Sprintf(
			"versions: reads of %d lists contradict each other, so their order is known only as far as "+
				"they agree", l.keysUnclear))
		l.unclearOrder()
	}
}

// unclearOrder withdraws the claim that models were checked which allow contradictory reads.
func (l *lists) unclearOrder() {
	if !l.o.consistency.Forbids(IncompatibleOrder) {
		l.undecided = append(l.undecided, fmt.Sprintf(
			"the order of %d lists is known only as far as their reads agree", l.keysUnclear))
	}
}

func (l *lists) findLongest(key int32) {
	l.longest = nil
	for _, r := range l.reads.of(key) {
		if list := l.t.versionsRead(&l.t.micro[r.at]); len(list) > len(l.longest) {
			l.longest = list
		}
	}
	l.agreed = len(l.longest)
}

// orderLongest gives versions their position, and notes elements that need a closer look.
func (l *lists) orderLongest() {
	l.bad = l.bad[:0]
	for i, v := range l.longest {
		version := &l.t.versions[v]
		switch {
		case l.position[v] != unread:
			l.bad = append(l.bad, int32(i))
			continue
		case version.writer == none || l.t.aborted(v):
			l.bad = append(l.bad, int32(i))
		}
		l.position[v] = int32(i)
	}
}

// checkReads compares every read with the longest one, and looks at the versions that it shows. What is
// wrong with a version is reported for the first read that shows it.
func (l *lists) checkReads(key int32) {
	reported := 0
	var disagrees *readAt
	reads := l.reads.of(key)
	for i := range reads {
		r := reads[i]
		list := l.t.versionsRead(&l.t.micro[r.at])
		same := 0
		for same < len(list) && list[same] == l.longest[same] {
			same++
		}
		for ; reported < len(l.bad) && int(l.bad[reported]) < same; reported++ {
			l.checkElement(r, l.bad[reported])
		}
		if same < len(list) {
			l.agreed = min(l.agreed, same)
			l.reportIncompatible(r, list, same, disagrees == nil)
			disagrees = &reads[i]
		}
		if len(list) > 0 {
			last := list[len(list)-1]
			if w := l.t.versions[last].writer; w >= 0 && !l.t.aborted(last) {
				l.checkSource(r, last, true)
			}
		}
	}
	if disagrees != nil {
		l.keysUnclear++
	}
}

func (l *lists) checkElement(r readAt, at int32) {
	v := l.longest[at]
	if l.position[v] == at {
		l.checkSource(r, v, false)
		return
	}
	l.duplicate(r, v)
}

func (l *lists) duplicate(r readAt, v int32) {
	if l.t.versions[v].writer != ambiguous && l.found.wants(DuplicateElements) {
		l.found.add(DuplicateElements, []int32{r.txn}, "%s read %s, which has %s twice", l.t.name(r.txn),
			l.t.readText(r.at), shorten(l.t.valueText(v)))
	}
}

// reportIncompatible reports a read that is no prefix of the longest one. same is how far both agree.
func (l *lists) reportIncompatible(r readAt, list []int32, same int, first bool) {
	seen := map[int32]bool{}
	for _, v := range list {
		if seen[v] {
			l.duplicate(r, v)
		}
		seen[v] = true
	}
	for _, v := range list[same:] {
		if l.position[v] == unread {
			l.checkSource(r, v, false)
		}
	}
	if !first {
		l.found.count[IncompatibleOrder]++
		return
	}
	if l.found.wants(IncompatibleOrder) {
		other := l.longestReader(l.t.micro[r.at].key)
		l.found.add(IncompatibleOrder, []int32{r.txn, other.txn},
			"%s read %s and %s read %s: they differ at position %d, so they are not versions of one list",
			l.t.name(r.txn), l.t.readText(r.at), l.t.name(other.txn), l.t.readText(other.at), same)
	}
}

func (l *lists) longestReader(key int32) readAt {
	for _, r := range l.reads.of(key) {
		if l.t.micro[r.at].length == int32(len(l.longest)) {
			return r
		}
	}
	return readAt{none, none}
}

// checkDirtyUpdates reports a committed version behind an aborted one.
func (l *lists) checkDirtyUpdates() {
	aborted := none
	for _, v := range l.longest[:l.agreed] {
		switch {
		case l.t.aborted(v):
			aborted = v
		case aborted != none && l.t.committedWriter(v) != none:
			if l.found.wants(DirtyUpdate) {
				w, failed := l.t.committedWriter(v), l.t.versions[aborted].writer
				l.found.add(DirtyUpdate, []int32{failed, w}, "%s %s after %s, which failed, %s",
					l.t.name(w), l.t.wroteText(v), l.t.name(failed), l.t.wroteText(aborted))
			}
			aborted = none
		}
	}
}

// checkProgramOrder reports elements of one transaction that a list shows in another order than they were
// appended in.
func (l *lists) checkProgramOrder(key int32) {
	for _, v := range l.longest[:l.agreed] {
		version := &l.t.versions[v]
		if version.writer < 0 {
			continue
		}
		last := &l.appended[version.writer]
		if last.key == key && last.at > version.at && l.found.wants(IncompatibleOrder) {
			r := l.longestReader(key)
			l.found.add(IncompatibleOrder, []int32{version.writer, r.txn},
				"%s %s before it appended %s, but %s read %s",
				l.t.name(version.writer), l.t.wroteText(v), l.t.valueText(l.t.micro[last.at].version),
				l.t.name(r.txn), l.t.readText(r.at))
		}
		*last = keyWrite{key, version.at}
	}
}

// install lists the versions of committed transactions as far as all reads agree.
func (l *lists) install() {
	l.installed, l.rank = l.installed[:0], append(l.rank[:0], 0)
	for i, v := range l.longest[:l.agreed] {
		if l.position[v] == int32(i) && l.t.committedWriter(v) != none {
			l.installed = append(l.installed, v)
		}
		l.rank = append(l.rank, int32(len(l.installed)))
	}
	n := len(l.installed)
	l.nextOther = append(l.nextOther[:0], make([]int32, n)...)
	for i := n - 1; i >= 0; i-- {
		l.nextOther[i] = int32(i + 1)
		if i+1 < n && l.writerAt(i) == l.writerAt(i+1) {
			l.nextOther[i] = l.nextOther[i+1]
		}
	}
}

func (l *lists) writerAt(i int) int32 { return l.t.versions[l.installed[i]].writer }

// connect adds the edges of one key.
func (l *lists) connect(key int32) {
	for i := 1; i < len(l.installed); i++ {
		l.b.Add(l.writerAt(i-1), l.writerAt(i), depgraph.WW)
	}
	var last []depgraph.Source // who comes before everything that no read shows
	if n := len(l.installed); n > 0 {
		last = append(last, depgraph.Source{From: l.writerAt(n - 1), Kind: depgraph.WW})
	}
	for _, r := range l.reads.of(key) {
		m := &l.t.micro[r.at]
		if !m.external || int(m.length) > l.agreed {
			l.connectWriter(r, m)
			continue
		}
		writer := l.connectWriter(r, m)
		next := int(l.rank[m.length])
		if next < len(l.installed) && l.writerAt(next) == writer {
			next = int(l.nextOther[next])
		}
		if next < len(l.installed) {
			l.b.Add(r.txn, l.writerAt(next), depgraph.RW)
		} else {
			last = append(last, depgraph.Source{From: r.txn, Kind: depgraph.RW})
		}
	}
	l.connectUnread(key, last)
}

// connectWriter adds the edge from the writer of what a read returned, and returns the writer.
func (l *lists) connectWriter(r readAt, m *microOp) int32 {
	v := l.t.readVersion(m)
	if v == none {
		return none
	}
	writer := l.t.committedWriter(v)
	if writer != none {
		l.b.Add(writer, r.txn, depgraph.WR)
	}
	return writer
}

// connectUnread lets everything that is known about a list precede what no read shows.
func (l *lists) connectUnread(key int32, last []depgraph.Source) {
	var targets []int32
	seen := map[int32]bool{}
	n := 0
	for _, v := range l.versions.of(key) {
		w := l.t.committedWriter(v)
		if l.position[v] != unread || w == none {
			continue
		}
		n++
		if !seen[w] {
			seen[w] = true
			targets = append(targets, w)
		}
	}
	if n == 0 {
		return
	}
	l.appendedUnread += n
	l.keysUnread++
	if l.agreed == len(l.longest) {
		l.b.Join(last, targets, l.place)
	}
}

// explain finds why one transaction must come before another, for one kind of dependency.
func (l *lists) explain(from, to int32, kind depgraph.Dependency) (key int32, text string) {
	switch kind {
	case depgraph.WR:
		return l.t.explainObserved(from, to)
	case depgraph.WW:
		return l.explainWrites(from, to)
	case depgraph.RW:
		return l.explainRead(from, to)
	}
	return none, ""
}

// explainWrites finds the closest two appends to one list.
func (l *lists) explainWrites(from, to int32) (int32, string) {
	t := l.t
	first, second, best := none, none, unread
	for _, m := range t.shownSteps(from) {
		for _, n := range t.shownSteps(to) {
			if m.f == read || n.f == read || m.key != n.key {
				continue
			}
			p, q := l.position[m.version], l.position[n.version]
			if p < q && p != unread && (first == none || q-p < best) {
				first, second, best = m.version, n.version, q-p
			}
		}
	}
	if first == none {
		return none, ""
	}
	key := t.versions[first].key
	reader := l.longestOf(key)
	text := fmt.Sprintf("%s %s, and %s %s later", t.name(from), t.wroteText(first), t.name(to),
		t.wroteText(second))
	if l.position[second] == unread {
		return key, text + fmt.Sprintf(": the longest read, %s of %s, does not show it yet",
			t.readText(reader.at), t.name(reader.txn))
	}
	return key, text + fmt.Sprintf(": %s read %s", t.name(reader.txn), t.readText(reader.at))
}

func (l *lists) longestOf(key int32) readAt {
	l.findLongest(key)
	return l.longestReader(key)
}

// explainRead finds a read that does not show an append.
func (l *lists) explainRead(from, to int32) (int32, string) {
	t := l.t
	best, at := unread, none
	var missing int32
	for i, m := range t.shownSteps(from) {
		if m.f != read || !m.external {
			continue
		}
		for _, n := range t.shownSteps(to) {
			if n.f == read || n.key != m.key || l.position[n.version] < m.length {
				continue
			}
			if p := l.position[n.version]; at == none || p-m.length < best {
				best, at, missing = p-m.length, t.txns[from].first+int32(i), n.version
			}
		}
	}
	if at == none {
		return none, ""
	}
	return t.micro[at].key, fmt.Sprintf("%s read %s and did not see that %s %s", t.name(from), t.readText(at),
		t.name(to), t.wroteText(missing))
}
