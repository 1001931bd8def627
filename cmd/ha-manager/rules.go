package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/ids"
	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/rulebook"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

var ruleOptions = []option{
	{name: "resources", usage: "the `resources`, as in vm:100,ct:101", isRequired: true},
	{name: "nodes",
		usage: "the `nodes` with their priorities, as in n1:2,n2; the higher is preferred (node-affinity)"},
	{name: "strict", usage: "use no other nodes at all (node-affinity)", isSwitch: true},
	{name: "affinity", usage: "positive to keep together, negative to keep apart (resource-affinity)"},
	{name: "disable", usage: "the rule has no effect", isSwitch: true},
	{name: "comment", usage: "any `text`"},
}

func checkRules(text string) error {
	_, problems, err := config.ParseRules(text)
	return firstProblem(problems, err)
}

// ruleCommands are the commands under "ha-manager rules".
type ruleCommands struct{ *tool }

// Beginnings of errors about the content of the rules.
const (
	createRuleFailed = "create ha rule failed"
	updateRuleFailed = "update HA rules failed"
	deleteRuleFailed = "delete ha rule failed"
)

func (t ruleCommands) newRulesCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "rules", Short: "rules for where resources may run"})
	remove := &cobra.Command{Use: "remove RULE", Short: "remove a rule", Args: exactArgs(1),
		ValidArgsFunction: t.completeRules,
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.changeSections(cmd, haproc.RulesPath, deleteRuleFailed, checkRules,
				func(all []config.Section) ([]config.Section, error) {
					i := findSection(all, args[0])
					if i < 0 {
						return nil, fmt.Errorf("HA rule '%s' does not exist", args[0])
					}
					return slices.Delete(all, i, i+1), nil
				})
		}}
	group.AddCommand(t.newRulesAddCommand(), t.newRulesSetCommand(), remove, t.newRulesListCommand(),
		t.newRulesConfigCommand())
	return group
}

// checkRuleKind returns an error for a name that is not a kind of rule.
func checkRuleKind(kind string) error {
	if !slices.Contains(ruleKinds, kind) {
		return fmt.Errorf("%w: a rule is of type %s, not %q", errUsage, strings.Join(ruleKinds, " or "), kind)
	}
	return nil
}

var ruleKinds = []string{config.NodeAffinity, config.ResourceAffinity}

const refusedRules = `A rule that cannot be in force is refused: a rule for a resource that is not under
HA, for a node that does not exist, or one that contradicts the other rules.`

func (t ruleCommands) newRulesAddCommand() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "add node-affinity|resource-affinity RULE", Short: "create a rule",
		Long: "Creates a rule.\n\n" + refusedRules, Args: exactArgs(2),
		ValidArgsFunction: t.completeRuleKinds,
		RunE: func(_ *cobra.Command, args []string) error {
			kind, id := args[0], args[1]
			err := cmp.Or(checkRuleKind(kind), ids.CheckConfigID(id), checkRequired(cmd, ruleOptions))
			if err != nil {
				return err
			}
			return t.changeRules(cmd, id, createRuleFailed,
				func(all []config.Section) ([]config.Section, error) {
					if findSection(all, id) >= 0 {
						return nil, fmt.Errorf("HA rule '%s' already defined", id)
					}
					s := config.Section{Kind: kind, ID: id}
					err := setKeys(cmd, &s, ruleOptions, nil)
					return append(all, s), err
				})
		}}
	return t.withRuleCompletion(withOptions(cmd, ruleOptions))
}

func (t ruleCommands) newRulesSetCommand() *cobra.Command {
	var cmd *cobra.Command
	var unset []string
	cmd = &cobra.Command{Use: "set node-affinity|resource-affinity RULE", Short: "change a rule",
		Long: "Changes a rule. What is not given stays as it is.\n\n" + refusedRules, Args: exactArgs(2),
		ValidArgsFunction: t.completeRuleKinds,
		RunE: func(_ *cobra.Command, args []string) error {
			kind, id := args[0], args[1]
			if err := checkRuleKind(kind); err != nil {
				return err
			}
			return t.changeRules(cmd, id, updateRuleFailed,
				func(all []config.Section) ([]config.Section, error) {
					i := findSection(all, id)
					switch {
					case i < 0:
						return nil, fmt.Errorf("HA rule '%s' does not exist", id)
					case all[i].Kind != kind:
						return nil, fmt.Errorf("HA rule '%s' is of type %s", id, all[i].Kind)
					}
					return all, setKeys(cmd, &all[i], ruleOptions, unset)
				})
		}}
	return t.withRuleCompletion(withChanges(withOptions(cmd, ruleOptions), &unset))
}

// changeRules edits the rules, and refuses a rule that could not be in force. It warns of other rules that
// are no longer in force.
func (t ruleCommands) changeRules(cmd *cobra.Command, id, what string,
	change func([]config.Section) ([]config.Section, error)) error {
	_, v, err := t.writableView(cmd)
	if err != nil {
		return err
	}
	if len(v.groups) > 0 {
		return fmt.Errorf("%s: ha groups have not been migrated yet", strings.TrimSuffix(what, " failed"))
	}
	book := v.rulebook()
	var changed rules.Set
	err = t.changeSections(cmd, haproc.RulesPath, what, func(text string) error {
		var problems []config.Problem
		changed, problems, err = config.ParseRules(text)
		if err := firstProblem(problems, err); err != nil {
			return err
		}
		// Only what the command names is checked, so that the rest of a rule does not prevent its repair.
		if cmd.Flags().Lookup("resources").Changed {
			if err := book.CheckResources(changed[id]); err != nil {
				return cmp.Or(v.damaged.Of(haproc.ResourcesPath), err)
			}
		}
		if cmd.Flags().Lookup("nodes").Changed {
			if err := book.CheckNodes(changed[id]); err != nil {
				return err
			}
		}
		return book.CheckFeasible(changed, id)
	}, change)
	if err != nil {
		return err
	}
	for _, loss := range book.Losses(changed) {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", loss)
	}
	return nil
}

// rulebook returns the rules as they are.
func (v *view) rulebook() *rulebook.Book {
	return &rulebook.Book{Rules: v.rules, Groups: v.groups, Services: v.services, Nodes: v.nodes()}
}

// ruleFilter limits the rules that are shown.
type ruleFilter struct{ kind, resource string }

// addTo gives a command the options of the filter.
func (f *ruleFilter) addTo(cmd *cobra.Command, t ruleCommands) *cobra.Command {
	wordVar(cmd, &f.kind, "type", "only rules of this `type`", ruleKinds...)
	cmd.Flags().StringVar(&f.resource, "resource", "", "only rules for this `resource`")
	completeFlag(cmd, "resource", t.completeManaged)
	return t.withTableFlags(cmd)
}

func (t ruleCommands) newRulesConfigCommand() *cobra.Command {
	var filter ruleFilter
	return filter.addTo(&cobra.Command{Use: "config", Short: "show the rules, and which are in force",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := t.readRuleRows(cmd, filter)
			if err != nil {
				return err
			}
			slices.SortStableFunc(list,
				func(a, b rulebook.Row) int { return cmp.Compare(a.Enabled, b.Enabled) })
			var rows [][]string
			for _, r := range list {
				rows = append(rows,
					[]string{fmt.Sprint(r.Enabled), r.State, r.Rule, r.Type, r.Resources, r.Comment})
			}
			titles := []string{"enabled", "state", "rule", "type", "resources", "comment"}
			return t.printTable(cmd, list, titles, rows)
		}}, t)
}

func (t ruleCommands) newRulesListCommand() *cobra.Command {
	var filter ruleFilter
	return filter.addTo(&cobra.Command{Use: "list",
		Short: "list the rules, and why some are not in force",
		Long: `Lists the rules. Proxmox VE's command shows the first column only; the others are what an
operator asks next: where the resources of a rule may run, and why it is not in force.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := t.readRuleRows(cmd, filter)
			if err != nil {
				return err
			}
			slices.SortStableFunc(list, func(a, b rulebook.Row) int { return cmp.Compare(a.Rule, b.Rule) })
			var rows [][]string
			for _, r := range list {
				rows = append(rows, []string{r.Rule, fmt.Sprint(r.Enabled), r.State, r.Type, r.Resources,
					r.Where(), r.Comment, strings.Join(r.Errors["resources"], "\n")})
			}
			titles := []string{"rule", "enabled", "state", "type", "resources", "affinity", "comment",
				"conflicts"}
			return t.printTable(cmd, list, titles, rows)
		}}, t)
}

// readRuleRows reads the rules that the filter lets through, in the order of the file.
func (t ruleCommands) readRuleRows(cmd *cobra.Command, filter ruleFilter) ([]rulebook.Row, error) {
	a, v, err := t.connectView(cmd)
	if err != nil {
		return nil, err
	}
	text, _, err := a.readFile(cmd.Context(), haproc.RulesPath)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(v.rulebook().Rows(configDigest(text)), func(r rulebook.Row) bool {
		return filter.kind != "" && r.Type != filter.kind || filter.resource != "" && !r.Has(filter.resource)
	}), nil
}
