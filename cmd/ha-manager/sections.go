package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
)

// changeSections edits a file of sections and refuses what would not be understood afterwards.
func (t *tool) changeSections(cmd *cobra.Command, path string, understood func(string) error,
	change func([]config.Section) ([]config.Section, error)) error {
	a, err := t.connect()
	if err != nil {
		return err
	}
	return a.edit(cmd.Context(), path, func(old string) (string, error) {
		sections, problems, err := config.ParseSections(old)
		if err == nil && len(problems) > 0 {
			err = fmt.Errorf("%s: %s; correct the file first", path, problems[0])
		}
		if err != nil {
			return "", err
		}
		if sections, err = change(sections); err != nil {
			return "", err
		}
		text := config.FormatSections(sections)
		return text, understood(text)
	})
}

func understoodRules(text string) error {
	_, problems, err := config.ParseRules(text)
	return firstProblem(problems, err)
}

func understoodGroups(text string) error {
	_, problems, err := config.ParseGroups(text)
	return firstProblem(problems, err)
}

func firstProblem(problems []config.Problem, err error) error {
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%w: %s", errUsage, problems[0].Text)
	}
	return err
}

func find(sections []config.Section, id string) int {
	return slices.IndexFunc(sections, func(s config.Section) bool { return s.ID == id })
}

// setKeys takes the changed flags among the names over into a section; "" removes a property.
func setKeys(cmd *cobra.Command, s *config.Section, names []string) {
	for _, name := range names {
		flag := cmd.Flags().Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		value := flag.Value.String()
		s.Keys = slices.DeleteFunc(s.Keys, func(kv config.KeyValue) bool { return kv.Key == name })
		if value != "" {
			s.Keys = append(s.Keys, config.KeyValue{Key: name, Value: value})
		}
	}
}

func withFlags(cmd *cobra.Command, usage map[string]string, names []string) *cobra.Command {
	for _, name := range names {
		cmd.Flags().String(name, "", usage[name])
	}
	return cmd
}

var ruleFlags = []string{"resources", "nodes", "strict", "affinity", "disable", "comment"}

var ruleUsage = map[string]string{
	"resources": "the resources, as in vm:100,ct:101",
	"nodes":     "the nodes with their priorities, as in n1:2,n2 (node-affinity)",
	"strict":    "1: no other nodes at all (node-affinity)",
	"affinity":  "positive: keep together, negative: keep apart (resource-affinity)",
	"disable":   "1: the rule has no effect",
	"comment":   "any text",
}

func (t *tool) rules() *cobra.Command {
	group := &cobra.Command{Use: "rules", Short: "rules for where resources may run"}
	var add, set *cobra.Command
	add = withFlags(&cobra.Command{Use: "add node-affinity|resource-affinity RULE", Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeSections(add, daemon.RulesPath, understoodRules, func(all []config.Section) ([]config.Section, error) {
				if find(all, args[1]) >= 0 {
					return nil, fmt.Errorf("HA rule '%s' already exists", args[1])
				}
				s := config.Section{Kind: args[0], ID: args[1]}
				setKeys(add, &s, ruleFlags)
				return append(all, s), nil
			})
		}}, ruleUsage, ruleFlags)
	set = withFlags(&cobra.Command{Use: "set node-affinity|resource-affinity RULE", Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeSections(set, daemon.RulesPath, understoodRules, func(all []config.Section) ([]config.Section, error) {
				i := find(all, args[1])
				if i < 0 || all[i].Kind != args[0] {
					return nil, fmt.Errorf("no such %s rule '%s'", args[0], args[1])
				}
				setKeys(set, &all[i], ruleFlags)
				return all, nil
			})
		}}, ruleUsage, ruleFlags)
	remove := &cobra.Command{Use: "remove RULE", Args: exactly(1), RunE: func(cmd *cobra.Command, args []string) error {
		return t.removeSection(cmd, daemon.RulesPath, understoodRules, "rule", args[0])
	}}
	show := func(cmd *cobra.Command, _ []string) error {
		return t.show(cmd, daemon.RulesPath, func(s config.Section) string { return s.Kind + ": " + s.ID })
	}
	group.AddCommand(add, set, remove,
		&cobra.Command{Use: "list", Short: "list the rules", Args: exactly(0), RunE: show},
		&cobra.Command{Use: "config", Short: "list the rules", Args: exactly(0), RunE: show})
	return group
}

func (t *tool) removeSection(cmd *cobra.Command, path string, understood func(string) error, what, id string) error {
	return t.changeSections(cmd, path, understood, func(all []config.Section) ([]config.Section, error) {
		i := find(all, id)
		if i < 0 {
			return nil, fmt.Errorf("no such %s '%s'", what, id)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

func (t *tool) show(cmd *cobra.Command, path string, title func(config.Section) string) error {
	a, err := t.connect()
	if err != nil {
		return err
	}
	text, _, err := a.read(cmd.Context(), path)
	if err != nil {
		return err
	}
	return printSections(cmd, text, title)
}

var groupFlags = []string{"nodes", "restricted", "nofailback", "comment"}

var groupUsage = map[string]string{
	"nodes":      "the nodes with their priorities, as in n1:2,n2",
	"restricted": "1: on no other nodes",
	"nofailback": "1: do not go back to a better node",
	"comment":    "any text",
}

func (t *tool) groupAdd() *cobra.Command {
	var cmd *cobra.Command
	cmd = withFlags(&cobra.Command{Use: "groupadd GROUP", Short: "make an HA group (use rules instead)", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeSections(cmd, daemon.GroupsPath, understoodGroups, func(all []config.Section) ([]config.Section, error) {
				if find(all, args[0]) >= 0 {
					return nil, fmt.Errorf("ha group ID '%s' already defined", args[0])
				}
				s := config.Section{Kind: "group", ID: args[0]}
				setKeys(cmd, &s, groupFlags)
				return append(all, s), nil
			})
		}}, groupUsage, groupFlags)
	return cmd
}

func (t *tool) groupSet() *cobra.Command {
	var cmd *cobra.Command
	cmd = withFlags(&cobra.Command{Use: "groupset GROUP", Short: "change an HA group", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeSections(cmd, daemon.GroupsPath, understoodGroups, func(all []config.Section) ([]config.Section, error) {
				i := find(all, args[0])
				if i < 0 {
					return nil, fmt.Errorf("no such ha group '%s'", args[0])
				}
				setKeys(cmd, &all[i], groupFlags)
				return all, nil
			})
		}}, groupUsage, groupFlags)
	return cmd
}

func (t *tool) groupRemove() *cobra.Command {
	return &cobra.Command{Use: "groupremove GROUP", Short: "remove an HA group", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.removeSection(cmd, daemon.GroupsPath, understoodGroups, "ha group", args[0])
		}}
}

func (t *tool) groupConfig() *cobra.Command {
	return &cobra.Command{Use: "groupconfig", Short: "list the HA groups", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.show(cmd, daemon.GroupsPath, func(s config.Section) string { return "group: " + s.ID })
		}}
}
