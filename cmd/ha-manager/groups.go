package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/ids"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// sections are the sections of a file.
type sections = []config.Section

var groupOptions = []option{
	{name: "nodes", usage: "the `nodes` with their priorities, as in n1:2,n2", isRequired: true},
	{name: "restricted", usage: "on no other nodes", isSwitch: true},
	{name: "nofailback", usage: "do not go back to a better node", isSwitch: true},
	{name: "comment", usage: "any `text`"},
}

func checkGroups(text string) error {
	_, problems, err := config.ParseGroups(text)
	return firstProblem(problems, err)
}

// errGroupsGone is Proxmox VE's error in a cluster that has rules instead of groups.
var errGroupsGone = errors.New("ha groups have been migrated to rules")

// groupsGoneError returns an error with the prefix if the cluster no longer has groups. A master converts
// groups to rules as soon as all nodes understand rules, and removes the groups. A cluster that has had a
// master and has no groups never gets any.
func groupsGoneError(cmd *cobra.Command, a *api, prefix string) error {
	text, _, err := a.readFile(cmd.Context(), haproc.GroupsPath)
	if err != nil {
		return err
	}
	groups, _, err := config.ParseGroups(text)
	if err != nil || len(groups) > 0 {
		return err
	}
	present, err := a.listFiles(cmd.Context(), nodesDir)
	if err != nil {
		return err
	}
	for path := range present {
		if _, node, isNode := cutNodeDir(path); isNode && present[haproc.VersionPath(node)] {
			return fmt.Errorf("%s: %w", prefix, errGroupsGone)
		}
	}
	return nil
}

// groupCommands are the commands for HA groups.
type groupCommands struct{ *tool }

// changeGroups edits the groups, unless they are gone.
func (t groupCommands) changeGroups(cmd *cobra.Command, doing, id string,
	change func(sections) (sections, error)) error {
	a, err := t.newAPIClient()
	if err != nil {
		return err
	}
	if err := a.checkWritable(cmd.Context()); err != nil {
		return err
	}
	err = cmp.Or(groupsGoneError(cmd, a, "cannot "+doing+" group"), ids.CheckConfigID(id))
	if err != nil {
		return err
	}
	return t.changeSections(cmd, haproc.GroupsPath, doing+" ha group failed", checkGroups, change)
}

func (t groupCommands) newGroupAddCommand() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "groupadd GROUP", Short: "create an HA group (use rules instead)",
		Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkRequired(cmd, groupOptions); err != nil {
				return err
			}
			return t.changeGroups(cmd, "create", args[0], func(all sections) (sections, error) {
				if findSection(all, args[0]) >= 0 {
					return nil, fmt.Errorf("ha group ID '%s' already defined", args[0])
				}
				s := config.Section{Kind: "group", ID: args[0]}
				err := setKeys(cmd, &s, groupOptions, nil)
				return append(all, s), err
			})
		}}
	return withOptions(cmd, groupOptions)
}

func (t groupCommands) newGroupSetCommand() *cobra.Command {
	var cmd *cobra.Command
	var unset []string
	cmd = &cobra.Command{Use: "groupset GROUP", Short: "change an HA group", Args: exactArgs(1),
		ValidArgsFunction: t.completeGroups,
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeGroups(cmd, "update", args[0], func(all sections) (sections, error) {
				i := findSection(all, args[0])
				if i < 0 {
					return nil, fmt.Errorf("no such ha group '%s'", args[0])
				}
				return all, setKeys(cmd, &all[i], groupOptions, unset)
			})
		}}
	return withChanges(withOptions(cmd, groupOptions), &unset)
}

func (t groupCommands) newGroupRemoveCommand() *cobra.Command {
	return &cobra.Command{Use: "groupremove GROUP", Short: "remove an HA group that no resource is in",
		Args: exactArgs(1), ValidArgsFunction: t.completeGroups,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, v, err := t.writableView(cmd)
			if err != nil {
				return err
			}
			return t.changeGroups(cmd, "delete", args[0], func(all sections) (sections, error) {
				i := findSection(all, args[0])
				if i < 0 {
					return nil, fmt.Errorf("no such ha group '%s'", args[0])
				}
				for _, sid := range slices.Sorted(maps.Keys(v.services)) {
					if v.services[sid].Group == args[0] {
						return nil, fmt.Errorf("ha group is used by service '%s'", sid)
					}
				}
				return slices.Delete(all, i, i+1), nil
			})
		}}
}

func (t groupCommands) newGroupConfigCommand() *cobra.Command {
	return t.withFormatFlag(&cobra.Command{Use: "groupconfig", Short: "list the HA groups",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := t.newAPIClient()
			if err != nil {
				return err
			}
			if err := groupsGoneError(cmd, a, "cannot index groups"); err != nil {
				return err
			}
			all, digest, err := t.readSections(cmd, haproc.GroupsPath)
			if err != nil {
				return err
			}
			return t.printSections(cmd, all, digest, sectionShape{idKey: "group",
				titleOf: func(s config.Section) string { return "group: " + s.ID },
				idOf:    func(s config.Section) string { return s.ID }})
		}})
}
