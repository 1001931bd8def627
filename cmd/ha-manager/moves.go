package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// moveCommands are the commands that the master executes.
type moveCommands struct{ *tool }

// sendCommand adds a line to the master's commands.
func (t moveCommands) sendCommand(cmd *cobra.Command, line string) error {
	if _, err := config.ParseCommand(line); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	a, err := t.newAPIClient()
	if err != nil {
		return err
	}
	return a.sendCommand(cmd.Context(), line)
}

// sendCommand adds a line, which must be a command, to the master's commands.
func (a *api) sendCommand(ctx context.Context, line string) error {
	return a.editFile(ctx, haproc.CommandsPath, func(old string) (string, error) {
		if old != "" && !strings.HasSuffix(old, "\n") {
			old += "\n"
		}
		return old + line + "\n", nil
	})
}

// sendServiceCommand sends a command about a service that HA manages. lineOf makes the line of the service,
// and check, when set, can refuse it.
func (t moveCommands) sendServiceCommand(cmd *cobra.Command, word string, lineOf func(sid string) string,
	check func(a *api, v *view, sid string) error) error {
	a, v, sid, err := t.writableService(cmd, word)
	if err != nil {
		return err
	}
	if v.services[sid] == nil {
		if err := v.damaged.Of(haproc.ResourcesPath); err != nil {
			return err
		}
	}
	if err := cmp.Or(checkManaged(v, sid), v.checkServiceState(sid, "")); err != nil {
		return err
	}
	if check != nil {
		if err := check(a, v, sid); err != nil {
			return err
		}
	}
	return a.sendCommand(cmd.Context(), lineOf(sid))
}

// newMoveCommand returns the command migrate or relocate.
func (t moveCommands) newMoveCommand(how ha.CommandVerb) *cobra.Command {
	short := "move a running resource to another node"
	if how == ha.CommandRelocate {
		short = "stop a resource and start it on another node"
	}
	return &cobra.Command{Use: string(how) + " SID NODE", Short: short, Args: exactArgs(2),
		ValidArgsFunction: inOrder(t.completeManaged, t.completeNodes),
		Long: short + `.

Resources that must stay together move together, and a resource that must stay apart from one on the
target is not moved there: both are reported before anything is sent. Node rules are not checked:
a resource that may not stay on the target returns.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			target := args[1]
			return t.sendServiceCommand(cmd, args[0],
				func(sid string) string { return fmt.Sprintf("%s %s %s", how, sid, target) },
				func(_ *api, v *view, sid string) error {
					if err := v.checkNode(target); err != nil {
						return err
					}
					return checkMovePartners(cmd.OutOrStdout(), v, how, sid, target)
				})
		}}
}

// errNoNode means that the cluster has no such node.
var errNoNode = errors.New("no such cluster node")

// checkNode returns an error for a name that is no node. While no node is known, every name is accepted.
func (v *view) checkNode(name string) error {
	if nodes := v.nodes(); len(nodes) > 0 && !slices.Contains(nodes, name) {
		return fmt.Errorf("%w '%s': there are %s", errNoNode, name, strings.Join(nodes, ", "))
	}
	return nil
}

// checkMovePartners prints what resource-affinity rules add to a move, or returns why they forbid it, by the
// same rules as the master.
func checkMovePartners(w io.Writer, v *view, how ha.CommandVerb, sid, target string) error {
	nodes := v.nodes()
	set, _ := rules.Normalize(rules.AddGroups(v.rules, v.groups, v.services), nodes)
	compiled := rules.Compile(set, nodes)
	var blocking []string
	for _, other := range compiled.Apart[sid] {
		if sd := v.managerStatus.ServiceStatus[other]; sd != nil && (sd.Node == target ||
			sd.Target == target) {
			blocking = append(blocking,
				fmt.Sprintf("- resource '%s' on target node '%s' in negative affinity with resource '%s'",
					other, target, sid))
		}
	}
	if len(blocking) > 0 {
		return fmt.Errorf("cannot %s resource '%s' to node '%s':\n\n%s", how, sid, target,
			strings.Join(blocking, "\n"))
	}
	for _, other := range compiled.Together[sid] {
		if sd := v.managerStatus.ServiceStatus[other]; sd != nil && sd.Node != target && sd.Target != target {
			fmt.Fprintf(w,
				"also %s resource '%s' in positive affinity with resource '%s' to target node '%s'\n",
				how, other, sid, target)
		}
	}
	return nil
}

func (t moveCommands) newCRMCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "crm-command", Short: "send a command to the master"})
	stop := &cobra.Command{Use: "stop SID TIMEOUT",
		Short: "stop a resource within so many seconds (0: at once)", Args: exactArgs(2),
		ValidArgsFunction: inOrder(t.completeManaged),
		RunE: func(cmd *cobra.Command, args []string) error {
			lineOf := func(sid string) string { return fmt.Sprintf("stop %s %s", sid, args[1]) }
			if _, err := config.ParseCommand(lineOf("vm:100")); err != nil {
				return fmt.Errorf("%w: TIMEOUT is a number of seconds, not %q", errUsage, args[1])
			}
			return t.sendServiceCommand(cmd, args[0], lineOf, nil)
		}}
	disarm := &cobra.Command{Use: "disarm-ha freeze|ignore", Short: "switch HA off on purpose",
		Args: exactArgs(1), ValidArgs: []string{string(ha.DisarmFreeze), string(ha.DisarmIgnore)},
		Long: `Switches fencing off in the whole cluster, for work to which HA must not react. With freeze,
services stay as they are and HA does not touch them; with ignore, they are ignored, as if not
configured. It takes effect when every LRM has closed its watchdog connection: see "ha-manager status".`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if mode := ha.DisarmMode(args[0]); mode != ha.DisarmFreeze && mode != ha.DisarmIgnore {
				return fmt.Errorf("%w: write freeze or ignore, not %q", errUsage, args[0])
			}
			return t.sendCommand(cmd, string(ha.CommandDisarm)+" "+args[0])
		}}
	arm := &cobra.Command{Use: "arm-ha", Short: "switch HA on again", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return t.sendCommand(cmd, string(ha.CommandArm)) }}
	group.AddCommand(t.newMoveCommand(ha.CommandMigrate), t.newMoveCommand(ha.CommandRelocate), stop,
		t.newMaintenanceCommand(), disarm, arm)
	return group
}

func (t moveCommands) newMaintenanceCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "node-maintenance",
		Short: "move services away from a node, and back"})
	for _, how := range []string{"enable", "disable"} {
		group.AddCommand(&cobra.Command{Use: how + " NODE", Short: how + " a node's maintenance",
			Args: exactArgs(1), ValidArgsFunction: inOrder(t.completeNodes),
			RunE: func(cmd *cobra.Command, args []string) error {
				a, v, err := t.writableView(cmd)
				if err != nil {
					return err
				}
				if err := v.checkNode(args[0]); err != nil {
					return err
				}
				return a.sendCommand(cmd.Context(), how+"-node-maintenance "+args[0])
			}})
	}
	return group
}
