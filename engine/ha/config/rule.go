package config

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Kinds of rules and of affinity.
const (
	NodeAffinity     = "node-affinity"
	ResourceAffinity = "resource-affinity"
	Positive         = "positive"
	Negative         = "negative"
)

// Rule is one section of ha/rules.cfg.
type Rule struct {
	ID   string
	Kind string
	// Resources are service ids, sorted.
	Resources []string
	// Nodes are the nodes with their priorities, only for NodeAffinity. A higher number is preferred.
	Nodes map[string]int
	// Strict forbids all other nodes, only for NodeAffinity.
	Strict Flag
	// Affinity is Positive or Negative, only for ResourceAffinity.
	Affinity string
	Disable  Flag
	Comment  string
	// Order is the place in the file, from 1.
	Order int
}

// Enabled reports whether the rule is in force.
func (r *Rule) Enabled() bool { return !r.Disable.On() }

// Has reports whether a resource is in the rule.
func (r *Rule) Has(sid string) bool {
	i := sort.SearchStrings(r.Resources, sid)
	return i < len(r.Resources) && r.Resources[i] == sid
}

// Clone returns a deep copy.
func (r *Rule) Clone() *Rule {
	out := *r
	out.Resources = append([]string(nil), r.Resources...)
	if r.Nodes != nil {
		out.Nodes = make(map[string]int, len(r.Nodes))
		for node, priority := range r.Nodes {
			out.Nodes[node] = priority
		}
	}
	return &out
}

var nodePattern = regexp.MustCompile(`^([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?::(\d{1,9}))?$`)

// ParseNodeList reads "node[:priority],…"; a missing priority is 0.
func ParseNodeList(value string) (map[string]int, error) {
	nodes := map[string]int{}
	for _, entry := range splitList(value) {
		match := nodePattern.FindStringSubmatch(entry)
		if match == nil {
			return nil, fmt.Errorf("%q is not of the form node or node:priority", entry)
		}
		priority := 0
		if match[2] != "" {
			priority, _ = strconv.Atoi(match[2]) // at most nine digits, see the pattern
		}
		nodes[match[1]] = priority
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("node list is empty")
	}
	return nodes, nil
}

// FormatNodeList writes a node list sorted by name.
func FormatNodeList(nodes map[string]int) string {
	entries := make([]string, 0, len(nodes))
	for _, node := range sortedKeys(nodes) {
		if priority := nodes[node]; priority != 0 {
			entries = append(entries, node+":"+strconv.Itoa(priority))
		} else {
			entries = append(entries, node)
		}
	}
	return strings.Join(entries, ",")
}

func parseResources(value string) ([]string, error) {
	seen := map[string]bool{}
	for _, sid := range splitList(value) {
		if _, _, err := ha.SplitSID(sid); err != nil {
			return nil, err
		}
		seen[sid] = true
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("resource list is empty")
	}
	return sortedKeys(seen), nil
}

// ParseRules reads ha/rules.cfg. A section that cannot be used becomes a problem. Of sections with the same
// id the last is in force, at its place, and if it cannot be used none is (pve-common, SectionConfig).
func ParseRules(text string) (map[string]*Rule, []Problem, error) {
	sections, problems, err := ParseSections(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read rules: %w", err)
	}
	rules := map[string]*Rule{}
	order := 0
	for _, section := range sections {
		if problem := section.checkHeader(NodeAffinity, ResourceAffinity); problem != "" {
			problems = append(problems, Problem{section.Line, "rule " + section.ID + ": " + problem})
			continue
		}
		order++
		if rules[section.ID] != nil {
			problems = append(problems, Problem{section.Line, "duplicate rule " + section.ID + replaces})
			delete(rules, section.ID)
		}
		rule, ruleProblems := ruleFromSection(section)
		problems = append(problems, ruleProblems...)
		if rule == nil {
			continue
		}
		rule.Order = order
		rules[rule.ID] = rule
	}
	return rules, problems, nil
}

func ruleFromSection(section Section) (*Rule, []Problem) {
	rule := &Rule{ID: section.ID, Kind: section.Kind}
	var problems []Problem
	for _, kv := range section.Keys {
		if err := rule.setProperty(kv.Key, kv.Value); err != nil {
			problems = append(problems, Problem{
				kv.Line, fmt.Sprintf("rule %s, property %s: %v", rule.ID, kv.Key, err),
			})
		}
	}
	missing := ""
	switch {
	case len(rule.Resources) == 0:
		missing = "resources"
	case rule.Kind == NodeAffinity && len(rule.Nodes) == 0:
		missing = "nodes"
	case rule.Kind == ResourceAffinity && rule.Affinity == "":
		missing = "affinity"
	}
	if missing != "" {
		return nil, append(problems, Problem{
			section.Line, fmt.Sprintf("rule %s: property %s is missing", rule.ID, missing),
		})
	}
	return rule, problems
}

func (r *Rule) setProperty(key, value string) (err error) {
	switch key {
	case "resources":
		r.Resources, err = parseResources(value)
		return err
	case "disable":
		r.Disable, err = parseFlag(value)
		return err
	case "comment":
		r.Comment = decodeComment(value)
		return nil
	}
	if r.Kind == NodeAffinity {
		switch key {
		case "nodes":
			r.Nodes, err = ParseNodeList(value)
			return err
		case "strict":
			r.Strict, err = parseFlag(value)
			return err
		}
	} else if key == "affinity" {
		if value != Positive && value != Negative {
			return fmt.Errorf("%q is neither positive nor negative", value)
		}
		r.Affinity = value
		return nil
	}
	return fmt.Errorf("unknown property")
}

// FormatRules writes ha/rules.cfg in the order of the rules.
func FormatRules(rules map[string]*Rule) string {
	ids := sortedKeys(rules)
	sort.SliceStable(ids, func(i, j int) bool { return rules[ids[i]].Order < rules[ids[j]].Order })
	sections := make([]Section, 0, len(ids))
	for _, id := range ids {
		rule := rules[id]
		section := Section{Kind: rule.Kind, ID: id}
		add := func(key, value string) {
			section.Keys = append(section.Keys, KeyValue{Key: key, Value: value})
		}
		if rule.Comment != "" {
			add("comment", encodeComment(rule.Comment))
		}
		if rule.Affinity != "" {
			add("affinity", rule.Affinity)
		}
		if rule.Nodes != nil {
			add("nodes", FormatNodeList(rule.Nodes))
		}
		add("resources", strings.Join(rule.Resources, ","))
		if rule.Strict != FlagUnset {
			add("strict", formatFlag(rule.Strict))
		}
		if rule.Disable.On() { // as Proxmox VE's writer: 'disable 0' is what no such line means
			add("disable", formatFlag(rule.Disable))
		}
		sections = append(sections, section)
	}
	return FormatSections(sections)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
