package txn

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// maxListElements bounds the elements of a list that are shown; the last ones tell most.
const maxListElements = 8

// name names a transaction: T and the index of its invoke event.
func (t *table) name(txn int32) string { return fmt.Sprintf("T%d", t.operation(txn).Index) }

// listText returns a list as text, shortened at its start.
func (t *table) listText(list []int32) string {
	var b strings.Builder
	b.WriteByte('[')
	skipped := max(0, len(list)-maxListElements)
	if skipped > 0 {
		fmt.Fprintf(&b, "… %d more, ", skipped)
	}
	for i, v := range list[skipped:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(shorten(t.valueText(v)))
	}
	b.WriteByte(']')
	return b.String()
}

// readText returns what a read returned, as in x = [1, 2].
func (t *table) readText(at int32) string {
	m := &t.micro[at]
	if t.kind == ListAppend {
		return t.keyText(m.key) + " = " + t.listText(t.versionsRead(m))
	}
	return t.keyText(m.key) + " = " + shorten(t.valueText(m.version))
}

// readVersion returns the version that a read returned: the last element of a list, or none.
func (t *table) readVersion(m *microOp) int32 {
	if t.kind == RWRegister {
		return m.version
	}
	if m.length == 0 {
		return none
	}
	return t.elements[m.list+m.length-1]
}

// wroteText describes a write, as in "appended 3 to x".
func (t *table) wroteText(v int32) string {
	key, value := t.keyText(t.versions[v].key), shorten(t.valueText(v))
	if t.kind == ListAppend {
		return fmt.Sprintf("appended %s to %s", value, key)
	}
	return fmt.Sprintf("wrote %s = %s", key, value)
}

// maxSteps bounds the micro-operations of a transaction that a picture shows.
const maxSteps = 12

// stepsText returns the micro-operations of a transaction in one line.
func (t *table) stepsText(txn int32) string {
	var parts []string
	first, end := t.txns[txn].first, t.txns[txn].end
	for at := first; at < end; at++ {
		if at-first == maxSteps {
			parts = append(parts, fmt.Sprintf("… %d more", end-at))
			break
		}
		m := &t.micro[at]
		switch {
		case m.f != read:
			parts = append(parts, fmt.Sprintf("%s %s %s", functionNames[m.f], t.keyText(m.key),
				shorten(t.valueText(m.version))))
		case t.operation(txn).Outcome != history.OK:
			parts = append(parts, "r "+t.keyText(m.key))
		default:
			parts = append(parts, "r "+t.readText(at))
		}
	}
	return strings.Join(parts, ", ")
}

// maxExplained bounds the micro-operations of a transaction in which an explanation is looked for.
const maxExplained = 2000

// shownSteps returns the first micro-operations of a transaction.
func (t *table) shownSteps(txn int32) []microOp {
	steps := t.steps(txn)
	return steps[:min(len(steps), maxExplained)]
}

// explainObserved finds a read of one transaction that returned what another one wrote.
func (t *table) explainObserved(from, to int32) (key int32, text string) {
	for i, m := range t.steps(to) {
		if m.f != read {
			continue
		}
		if v := t.readVersion(&m); v != none && t.versions[v].writer == from {
			return m.key, fmt.Sprintf("%s %s, and %s read %s", t.name(from), t.wroteText(v), t.name(to),
				t.readText(t.txns[to].first+int32(i)))
		}
	}
	return none, ""
}
