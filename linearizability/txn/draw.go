package txn

import (
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// Cycle is a contradiction: each transaction must come before the next, and the last before the first.
type Cycle struct {
	// Steps has one entry for each edge. A transaction may occur twice in a G-nonadjacent cycle.
	Steps []Step `json:"steps"`
}

// Step is one transaction of a cycle and why it must come before the next one.
type Step struct {
	// Txn is the index of the transaction's invoke event, and Next that of the next one.
	Txn  int64 `json:"txn"`
	Next int64 `json:"next"`
	// Did has the micro-operations in words.
	Did string `json:"did"`
	// Dependency is ww, wr, rw, process or realtime.
	Dependency string `json:"dependency"`
	// Key is the key that the dependency is about, as JSON; empty for process and realtime.
	Key string `json:"key,omitempty"`
	// Why describes what shows the dependency.
	Why string `json:"why"`
}

func (s *cycles) newStep(from, to int32, kind depgraph.Dependency) Step {
	step := Step{Txn: s.t.operation(from).Index, Next: s.t.operation(to).Index, Did: s.t.stepsText(from),
		Dependency: kind.String()}
	before, after := s.t.operation(from), s.t.operation(to)
	switch kind {
	case depgraph.Process:
		step.Why = fmt.Sprintf("process %d ran %s before %s", before.Process, s.t.name(from), s.t.name(to))
	case depgraph.Realtime:
		step.Why = fmt.Sprintf("%s returned at %d ns, and %s was called at %d ns", s.t.name(from),
			before.Return, s.t.name(to), after.Call)
	default:
		key, why := s.infer.explain(from, to, kind)
		if why == "" {
			why = fmt.Sprintf("other values show that %s comes before %s", s.t.name(from), s.t.name(to))
		} else {
			step.Key = s.t.keyText(key)
		}
		step.Why = why
	}
	if s.t.txns[from].outcome == history.Info {
		step.Did += " (its outcome is unknown to its client, but others read what it wrote)"
	}
	return step
}

// label is what stands at the arrow of a step.
func (s *Step) label() string {
	if s.Key == "" {
		return s.Dependency
	}
	return s.Dependency + " " + s.Key
}

// Explain describes the cycle in one paragraph.
func (c *Cycle) Explain() string {
	parts := make([]string, 0, len(c.Steps))
	for i := range c.Steps {
		s := &c.Steps[i]
		parts = append(parts,
			fmt.Sprintf("%s, so T%d comes before T%d (%s)", s.Why, s.Txn, s.Next, s.Dependency))
	}
	return strings.Join(parts, "; ") + fmt.Sprintf(": a contradiction, T%d would come before itself",
		c.Steps[0].Txn)
}

// Text draws the cycle downwards, one transaction a line, with the dependencies between them.
func (c *Cycle) Text() string {
	var b strings.Builder
	for i := range c.Steps {
		s := &c.Steps[i]
		fmt.Fprintf(&b, "T%d: %s\n  | %s: %s\n  v\n", s.Txn, s.Did, s.label(), s.Why)
	}
	fmt.Fprintf(&b, "T%d again\n", c.Steps[0].Txn)
	return b.String()
}

// WriteDOT writes the cycle as a graph in the language of Graphviz.
func (c *Cycle) WriteDOT(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph cycle {\n  node [shape=box];\n")
	for i := range c.Steps {
		s := &c.Steps[i]
		fmt.Fprintf(&b, "  T%d [label=\"%s\"];\n", s.Txn, dotText(fmt.Sprintf("T%d: %s", s.Txn, s.Did)))
		fmt.Fprintf(&b, "  T%d -> T%d [label=\"%s\"];\n", s.Txn, s.Next, dotText(s.label()))
	}
	b.WriteString("}\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing a cycle as DOT: %w", err)
	}
	return nil
}

func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}
