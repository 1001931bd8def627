// Package rulebook judges rules in their cluster: whether a rule could be in force beside the others, and
// why not.
//
// Package rulebook never reads or changes a file; what the rules mean is package rules.
package rulebook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// Book is the rules of a cluster with what they are about.
type Book struct {
	Rules    rules.Set
	Groups   map[string]*config.Group
	Services map[string]*ha.ServiceConfig
	// Nodes are the names of the cluster's nodes; empty as long as none is known.
	Nodes []string
}

// CheckResources returns an error for resources that are not under HA.
func (b *Book) CheckResources(rule *config.Rule) error {
	var unmanaged []string
	for _, sid := range rule.Resources {
		if b.Services[sid] == nil {
			unmanaged = append(unmanaged, sid)
		}
	}
	if len(unmanaged) == 0 {
		return nil
	}
	return fmt.Errorf("cannot use unmanaged resource(s) %s.", strings.Join(unmanaged, ", "))
}

// CheckNodes returns an error for nodes that the cluster does not have. While no node is known, every name
// is accepted.
func (b *Book) CheckNodes(rule *config.Rule) error {
	var missing []string
	for _, node := range slices.Sorted(maps.Keys(rule.Nodes)) {
		if !slices.Contains(b.Nodes, node) {
			missing = append(missing, node)
		}
	}
	if len(missing) == 0 || len(b.Nodes) == 0 {
		return nil
	}
	return fmt.Errorf("cannot use non-existent node(s) %s.", strings.Join(missing, ", "))
}

// CheckFeasible returns an error if a rule could not be in force beside the others.
func (b *Book) CheckFeasible(all rules.Set, id string) error {
	if reasons := b.Conflicts(all)[id]; len(reasons) > 0 {
		return fmt.Errorf("Rule '%s' is invalid.\nresources: %s", id, strings.Join(reasons, ", "))
	}
	return nil
}

// Conflicts returns why rules cannot be in force, by rule.
func (b *Book) Conflicts(all rules.Set) map[string][]string {
	nodes := b.Nodes
	if len(nodes) == 0 { // enough for every rule
		for _, r := range all {
			for i := range r.Resources {
				nodes = append(nodes, fmt.Sprint(i))
			}
		}
	}
	out := map[string][]string{}
	for _, p := range rules.Check(rules.AddGroups(all, b.Groups, b.Services), nodes) {
		out[p.RuleID] = append(out[p.RuleID], p.Reason)
	}
	return out
}

// Losses returns the rules of the book that a change takes out of force, with the reasons, sorted.
func (b *Book) Losses(changed rules.Set) (out []string) {
	before, after := b.Conflicts(b.Rules), b.Conflicts(changed)
	for _, id := range slices.Sorted(maps.Keys(after)) {
		if b.Rules[id] != nil && len(before[id]) == 0 {
			out = append(out,
				fmt.Sprintf("rule '%s' is no longer in force: %s", id, strings.Join(after[id], ", ")))
		}
	}
	return out
}

// Row is a rule as it is written, and whether it is in force.
type Row struct {
	Rule      string              `json:"rule"`
	Type      string              `json:"type"`
	Enabled   int                 `json:"enabled"`
	State     string              `json:"state"` // InUse or Ignored
	Resources string              `json:"resources"`
	Nodes     string              `json:"nodes,omitempty"`
	Strict    *int                `json:"strict,omitempty"`
	Affinity  string              `json:"affinity,omitempty"` // positive or negative
	Disable   *int                `json:"disable,omitempty"`
	Comment   string              `json:"comment,omitempty"`
	Digest    string              `json:"digest"`
	Order     int                 `json:"order"`
	Errors    map[string][]string `json:"errors,omitempty"` // by property

	resources []string
}

// States of a rule.
const (
	InUse   = "in use"
	Ignored = "ignored (conflicts)"
)

// Where returns the affinity of a resource rule, and the nodes of a node rule.
func (r *Row) Where() string {
	if r.Strict != nil && *r.Strict == 1 {
		return r.Nodes + " only"
	}
	return r.Affinity + r.Nodes
}

// Rows returns the rules in the order of the file, and those that stand for groups. digest is the digest of
// the file.
func (b *Book) Rows(digest string) []Row {
	problems := b.Conflicts(b.Rules)
	list := []Row{}
	for _, r := range rules.AddGroups(b.Rules, b.Groups, b.Services) {
		row := Row{Rule: r.ID, Type: r.Kind, Enabled: 1, State: InUse, Affinity: r.Affinity,
			Resources: strings.Join(r.Resources, ","), Comment: r.Comment, Digest: digest, Order: r.Order,
			Strict: flagNumber(r.Strict), Disable: flagNumber(r.Disable), resources: r.Resources}
		if r.Kind == config.NodeAffinity {
			row.Nodes = config.FormatNodeList(r.Nodes)
		}
		if !r.Enabled() {
			row.Enabled = 0
		}
		if reasons := problems[r.ID]; len(reasons) > 0 {
			row.State, row.Errors = Ignored, map[string][]string{"resources": reasons}
		}
		list = append(list, row)
	}
	slices.SortFunc(list, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order),
			cmp.Compare(a.Rule, b.Rule))
	})
	return list
}

// Has reports whether a resource is in the rule.
func (r *Row) Has(sid string) bool { return slices.Contains(r.resources, sid) }

// flagNumber returns 0 or 1, and nil for a property that is not written.
func flagNumber(f config.Flag) *int {
	switch f {
	case config.FlagOn:
		return new(1)
	case config.FlagOff:
		return new(0)
	}
	return nil
}
