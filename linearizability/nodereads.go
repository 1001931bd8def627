package linearizability

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

func sortByCall(ops []history.Operation) {
	sort.SliceStable(ops, func(i, j int) bool { return ops[i].Call < ops[j].Call })
}

// checkNodeReads checks that the revisions which local reads on one node return never go backwards in real
// time. A node that dropped a branch of its log when another epoch won may go back, and is left out.
func (c *certificate) checkNodeReads() {
	var byNode map[string][]int
	for _, o := range c.observers {
		i := int(o)
		if c.place[i].role == models.LocalObservation && c.ops[i].Node != "" && !c.wentBack(c.ops[i].Node) {
			if byNode == nil {
				byNode = make(map[string][]int)
			}
			byNode[c.ops[i].Node] = append(byNode[c.ops[i].Node], i)
		}
	}
	names := make([]string, 0, len(byNode))
	for name := range byNode {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		c.checkNodeReadsOf(name, byNode[name])
	}
}

func (c *certificate) wentBack(node string) bool {
	return c.witness != nil && c.witness.node(node) != nil && len(c.witness.node(node).dropped) > 0
}

// checkNodeReadsOf walks the reads in the order of their revisions: none may return before one of a lower
// revision, placed earlier, was called.
func (c *certificate) checkNodeReadsOf(name string, reads []int) {
	sort.SliceStable(reads, func(i, j int) bool { return c.ops[reads[i]].Rev < c.ops[reads[j]].Rev })
	latest := -1 // among reads of strictly lower revisions
	pending := -1
	for k, i := range reads {
		if k > 0 && c.ops[reads[k-1]].Rev < c.ops[i].Rev && pending >= 0 {
			latest = pending
		}
		if latest >= 0 && c.ops[i].Return < c.ops[latest].Call {
			high, low := &c.ops[i], &c.ops[latest]
			c.found.add(Violation{Kind: RevisionRegression, Nodes: []string{name},
				Revisions: []uint64{high.Rev, low.Rev}, at: []int{i, latest},
				Explain: fmt.Sprintf("node %s: %s at %s %s; then the %s began at %s and %s", name,
					opName(high), seconds(high.Return), describeAnswer(high, high.Rev), opName(low),
					seconds(low.Call), describeAnswer(low, low.Rev))})
		}
		if pending < 0 || c.ops[i].Call > c.ops[pending].Call {
			pending = i
		}
	}
}
