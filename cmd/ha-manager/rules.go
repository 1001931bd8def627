package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

var ruleOptions = []option{
	{name: "resources", usage: "the `resources`, as in vm:100,ct:101", isRequired: true},
	{name: "nodes",
		usage: "the `nodes` with their priorities, as in n1:2,n2; the higher is preferred (node-affinity)"},
	{name: "strict", usage: "use no other nodes at all (node-affinity)", isSwitch: true},
	{name: "affinity", usage: "`positive`: keep together, negative: keep apart (resource-affinity)"},
	{name: "disable", usage: "the rule has no effect", isSwitch: true},
	{name: "comment", usage: "any `text`"},
}

func checkRules(text string) error {
	_, problems, err := config.ParseRules(text)
	return firstProblem(problems, err)
}

// ruleCommands are the commands under "ha-manager rules".
type ruleCommands struct{ *tool }

func (t ruleCommands) newRulesCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "rules", Short: "rules for where resources may run"})
	remove := &cobra.Command{Use: "remove RULE", Short: "remove a rule", Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.removeSection(cmd, haproc.RulesPath, checkRules, "ha rule", args[0])
		}}
	group.AddCommand(t.newRulesAddCommand(), t.newRulesSetCommand(), remove, t.newRulesListCommand(),
		t.newRulesConfigCommand())
	return group
}

// checkRuleKind returns an error for a name that is not a kind of rule.
func checkRuleKind(kind string) error {
	if kind != config.NodeAffinity && kind != config.ResourceAffinity {
		return fmt.Errorf("%w: a rule is of type %s or %s, not %q", errUsage, config.NodeAffinity,
			config.ResourceAffinity, kind)
	}
	return nil
}

func (t ruleCommands) newRulesAddCommand() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "add node-affinity|resource-affinity RULE", Short: "create a rule",
		Args: exactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkRuleKind(args[0]); err != nil {
				return err
			}
			if err := checkRequired(cmd, ruleOptions); err != nil {
				return err
			}
			return t.changeSections(cmd, haproc.RulesPath, checkRules,
				func(all []config.Section) ([]config.Section, error) {
					if findSection(all, args[1]) >= 0 {
						return nil, fmt.Errorf("HA rule '%s' already defined", args[1])
					}
					s := config.Section{Kind: args[0], ID: args[1]}
					err := setKeys(cmd, &s, ruleOptions, nil)
					return append(all, s), err
				})
		}}
	return withOptions(cmd, ruleOptions)
}

func (t ruleCommands) newRulesSetCommand() *cobra.Command {
	var cmd *cobra.Command
	var unset []string
	cmd = &cobra.Command{Use: "set node-affinity|resource-affinity RULE", Short: "change a rule",
		Args: exactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkRuleKind(args[0]); err != nil {
				return err
			}
			return t.changeSections(cmd, haproc.RulesPath, checkRules,
				func(all []config.Section) ([]config.Section, error) {
					i := findSection(all, args[1])
					if i < 0 || all[i].Kind != args[0] {
						return nil, fmt.Errorf("no such %s rule '%s'", args[0], args[1])
					}
					return all, setKeys(cmd, &all[i], ruleOptions, unset)
				})
		}}
	return withChanges(withOptions(cmd, ruleOptions), &unset)
}

// ruleShape is how rules are shown.
var ruleShape = sectionShape{idKey: "rule", kindKey: "type",
	titleOf: func(s config.Section) string { return s.Kind + ": " + s.ID },
	idOf:    func(s config.Section) string { return s.ID }}

func (t ruleCommands) newRulesConfigCommand() *cobra.Command {
	var kind, resource string
	cmd := &cobra.Command{Use: "config", Short: "show the rules as they are written", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := t.readFile(cmd.Context(), haproc.RulesPath)
			if err != nil {
				return err
			}
			all, _, err := config.ParseRules(text)
			if err != nil {
				return err
			}
			shape := ruleShape
			shape.includes = func(s config.Section) bool {
				return (kind == "" || s.Kind == kind) &&
					(resource == "" || all[s.ID] != nil && all[s.ID].Has(resource))
			}
			return t.printSections(cmd, text, shape)
		}}
	cmd.Flags().StringVar(&kind, "type", "", "only rules of this `type`")
	cmd.Flags().StringVar(&resource, "resource", "", "only rules for this `resource`")
	return t.withFormatFlag(cmd)
}

// ruleRow is a rule and whether it is in force.
type ruleRow struct {
	Rule      string   `json:"rule"`
	Type      string   `json:"type"`
	Enabled   int      `json:"enabled"`
	State     string   `json:"state"` // in use, disabled, contradictory
	Resources string   `json:"resources"`
	Affinity  string   `json:"affinity"` // positive or negative; for a node rule its nodes
	Comment   string   `json:"comment,omitempty"`
	Errors    []string `json:"errors,omitempty"`
}

func (t ruleCommands) newRulesListCommand() *cobra.Command {
	return t.withFormatFlag(&cobra.Command{Use: "list",
		Short: "list the rules, and which contradict each other",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, v, err := t.connectView(cmd.Context())
			if err != nil {
				return err
			}
			all, err := readRules(cmd.Context(), a)
			if err != nil {
				return err
			}
			list := v.ruleRows(all)
			return t.printValue(cmd, list, func(w io.Writer) error { return printRules(w, list) })
		}})
}

func (v *view) ruleRows(all map[string]*config.Rule) []ruleRow {
	nodes := make([]string, 0, len(v.lrmStatuses))
	for node := range v.lrmStatuses {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	dropped := map[string][]string{}
	for _, p := range rules.Check(all, nodes) {
		if !slices.Contains(dropped[p.RuleID], p.Reason) {
			dropped[p.RuleID] = append(dropped[p.RuleID], p.Reason)
		}
	}
	list := make([]ruleRow, 0, len(all))
	for id, r := range all {
		row := ruleRow{Rule: id, Type: r.Kind, Enabled: 1, State: "in use",
			Resources: strings.Join(r.Resources, ","), Affinity: r.Affinity, Comment: r.Comment,
			Errors: dropped[id]}
		if r.Kind == config.NodeAffinity {
			row.Affinity = config.FormatNodeList(r.Nodes)
			if r.Strict.On() {
				row.Affinity += " only"
			}
		}
		switch {
		case !r.Enabled():
			row.Enabled, row.State = 0, "disabled"
		case len(row.Errors) > 0:
			row.State = "contradictory"
		}
		list = append(list, row)
	}
	slices.SortFunc(list, func(a, b ruleRow) int { return strings.Compare(a.Rule, b.Rule) })
	return list
}

func printRules(w io.Writer, list []ruleRow) error {
	rows := [][]string{{"enabled", "state", "rule", "type", "resources", "affinity", "comment"}}
	for _, r := range list {
		rows = append(rows, []string{fmt.Sprint(r.Enabled), r.State, r.Rule, r.Type, r.Resources, r.Affinity,
			r.Comment})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	for _, r := range list {
		for _, e := range r.Errors {
			fmt.Fprintf(w, "%s is not in force: %s\n", r.Rule, e)
		}
	}
	return nil
}
