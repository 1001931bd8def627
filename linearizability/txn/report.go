package txn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// maxListed bounds how many findings of one anomaly a report lists; all are counted.
const maxListed = 8

// Finding is one anomaly with what proves it.
type Finding struct {
	Anomaly Anomaly `json:"anomaly"`
	// Explain describes what happened; it names transactions as T and the index of their invoke event.
	Explain string `json:"explain"`
	// Ops are the operations of the transactions involved, in the order of their calls.
	Ops []history.Operation `json:"ops"`
	// Cycle is the cycle, nil for anomalies that need none.
	Cycle *Cycle `json:"cycle,omitempty"`
}

// Report is what [Check] found.
type Report struct {
	Kind        Kind        `json:"kind"`
	Consistency Consistency `json:"consistency"`
	// Forbidden are the anomalies that Consistency forbids, the strongest contradictions first.
	Forbidden []Finding `json:"forbidden,omitempty"`
	// Allowed are anomalies that Consistency allows.
	Allowed []Finding `json:"allowed,omitempty"`
	// Counts has the number of findings of each anomaly, also of those that are not listed. Cycles are
	// counted once for each set of transactions that are entangled with each other.
	Counts map[Anomaly]int `json:"counts,omitempty"`
	// Undecided are reasons why the absence of forbidden anomalies would prove nothing.
	Undecided []string `json:"undecided,omitempty"`
	// Not are the weakest models that the anomalies rule out, AlsoNot the stronger models that imply one of
	// them. A model in neither list may hold.
	Not     []Consistency `json:"not,omitempty"`
	AlsoNot []Consistency `json:"alsoNot,omitempty"`
	// Details are further facts, one line each: what was read, and what could be inferred from it.
	Details []string `json:"details,omitempty"`
	Stats   Stats    `json:"stats"`
}

// Stats counts what a check looked at.
type Stats struct {
	// Transactions counts all of them; Committed those that took effect, with an unknown outcome too if
	// their writes were read; Unknown the other unknown outcomes.
	Transactions int `json:"transactions"`
	Committed    int `json:"committed"`
	Unknown      int `json:"unknown"`
	Failed       int `json:"failed"`
	// Keys, Versions and Reads count keys, values that were written or read, and reads that returned.
	Keys     int `json:"keys"`
	Versions int `json:"versions"`
	Reads    int `json:"reads"`
	// Dependencies counts the edges of the graph. Some of them stand for many pairs of transactions.
	Dependencies int `json:"dependencies"`
}

// Satisfied reports whether the history satisfies the model as far as can be inferred: no forbidden anomaly
// was found, and nothing was left out.
func (r *Report) Satisfied() bool { return len(r.Forbidden) == 0 && len(r.Undecided) == 0 }

// Summary is one sentence about the result.
func (r *Report) Summary() string {
	switch {
	case len(r.Forbidden) > 0:
		return fmt.Sprintf("not %s: %s; %s", r.Consistency, r.names(true), r.RuledOut())
	case len(r.Undecided) > 0:
		return "not decided: " + strings.Join(r.Undecided, "; ")
	}
	text := fmt.Sprintf("%d committed transactions satisfy %s as far as can be inferred", r.Stats.Committed,
		r.Consistency)
	if len(r.Allowed) > 0 {
		text += fmt.Sprintf("; it allows what was found: %s; %s", r.names(false), r.RuledOut())
	}
	return text
}

// RuledOut names the models that the anomalies rule out, or returns an empty string.
func (r *Report) RuledOut() string {
	if len(r.Not) == 0 {
		return ""
	}
	text := "ruled out: " + joinNames(r.Not)
	switch {
	case len(r.AlsoNot) > 0 && len(r.Not) == 1:
		text += " and every model that implies it"
	case len(r.AlsoNot) > 0:
		text += " and every model that implies one of them"
	}
	return text
}

func joinNames(names []Consistency) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

// names lists the anomalies that are forbidden, or allowed, with their numbers.
func (r *Report) names(forbidden bool) string {
	var texts []string
	for _, a := range Anomalies() {
		if n := r.Counts[a]; n > 0 && r.Consistency.Forbids(a) == forbidden {
			texts = append(texts, fmt.Sprintf("%s (%d)", a, n))
		}
	}
	return strings.Join(texts, ", ")
}

// collector gathers findings.
type collector struct {
	t     *table
	list  map[Anomaly][]Finding
	count map[Anomaly]int
	// least is the weakest model that the inference holds for; empty if it holds for all of them.
	least Consistency
}

func newCollector(t *table) *collector {
	return &collector{t: t, list: map[Anomaly][]Finding{}, count: map[Anomaly]int{}}
}

// wants counts a finding and reports whether it is to be listed.
func (c *collector) wants(a Anomaly) bool {
	c.count[a]++
	return c.count[a] <= maxListed
}

// add lists a finding about some transactions.
func (c *collector) add(a Anomaly, txns []int32, format string, args ...any) {
	c.list[a] = append(c.list[a], Finding{Anomaly: a, Explain: fmt.Sprintf(format, args...),
		Ops: c.operations(txns)})
}

func (c *collector) operations(txns []int32) []history.Operation {
	txns = slices.Clone(txns)
	slices.Sort(txns)
	ops := make([]history.Operation, 0, len(txns))
	for _, txn := range slices.Compact(txns) {
		ops = append(ops, *c.t.operation(txn))
	}
	return ops
}

// anomalies lists what was found.
func (c *collector) anomalies() (found []Anomaly) {
	for _, a := range Anomalies() {
		if c.count[a] > 0 {
			found = append(found, a)
		}
	}
	return found
}

// into moves the findings into a report. implied has those that also assume what the model assumed
// implies about single keys; it may be nil.
func (c *collector) into(r *Report, implied *collector, assumed Consistency) {
	r.Counts = c.count
	for _, a := range c.anomalies() {
		if r.Consistency.Forbids(a) {
			r.Forbidden = append(r.Forbidden, c.list[a]...)
		} else {
			r.Allowed = append(r.Allowed, c.list[a]...)
		}
	}
	var further []Anomaly
	if implied != nil {
		further = slices.DeleteFunc(implied.anomalies(),
			func(a Anomaly) bool { return c.count[a] > 0 || !r.Consistency.Forbids(a) })
	}
	for _, a := range further {
		r.Counts[a] = implied.count[a]
		r.Forbidden = append(r.Forbidden, implied.list[a]...)
	}
	found := c.anomalies()
	proved := func(model Consistency) func(Anomaly) bool {
		return func(a Anomaly) bool {
			return model.Forbids(a) && (c.least == "" || a == GarbageRead || model.Implies(c.least))
		}
	}
	r.Not, r.AlsoNot = ruledOut(func(model Consistency) bool {
		return slices.ContainsFunc(found, proved(model)) ||
			model.Implies(assumed) && slices.ContainsFunc(further, model.Forbids)
	})
}
