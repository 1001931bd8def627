package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// moveCommands are the commands that the master executes.
type moveCommands struct{ *tool }

// send adds a line to the master's commands.
func (t moveCommands) send(cmd *cobra.Command, line string) error {
	if _, err := config.ParseCommand(line); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	a, err := t.connect()
	if err != nil {
		return err
	}
	return a.send(cmd.Context(), line)
}

// send adds a line, which must be a command, to the master's commands.
func (a *api) send(ctx context.Context, line string) error {
	return a.edit(ctx, haproc.CommandsPath, func(old string) (string, error) {
		if old != "" && !strings.HasSuffix(old, "\n") {
			old += "\n"
		}
		return old + line + "\n", nil
	})
}

// sendFor sends a command about a service that must be configured. check, when set, can refuse it.
func (t moveCommands) sendFor(cmd *cobra.Command, sid, line string, check func(a *api, v *view) error) error {
	a, v, err := t.writableView(cmd.Context())
	if err != nil {
		return err
	}
	if v.services[sid] == nil {
		return fmt.Errorf("%w '%s'", errNoResource, sid)
	}
	if check != nil {
		if err := check(a, v); err != nil {
			return err
		}
	}
	return a.send(cmd.Context(), line)
}

// move returns the command migrate or relocate.
func (t moveCommands) move(how string) *cobra.Command {
	short := "move a running resource to another node"
	if how == "relocate" {
		short = "stop a resource and start it on another node"
	}
	return &cobra.Command{Use: how + " SID NODE", Short: short, Args: exactArgs(2),
		Long: short + `.

Resources that must stay together move together, and a resource that must stay apart from one on the
target is not moved there: both are reported before anything is sent. Node rules are not checked:
a resource that may not stay on the target returns.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := sidOf(args[0], "")
			if err != nil {
				return err
			}
			target := args[1]
			return t.sendFor(cmd, sid, fmt.Sprintf("%s %s %s", how, sid, target),
				func(a *api, v *view) error {
					if err := v.isNode(target); err != nil {
						return err
					}
					return v.partners(cmd.Context(), a, cmd.OutOrStdout(), how, sid, target)
				})
		}}
}

// errNoNode means that the cluster has no such node.
var errNoNode = errors.New("no such cluster node")

// isNode returns an error for a name that is no node. Before the first LRM has written its status the
// nodes are not known, and every name is accepted.
func (v *view) isNode(name string) error {
	if v.agents[name] == nil && len(v.agents) > 0 {
		return fmt.Errorf("%w '%s': there are %s", errNoNode, name,
			strings.Join(slices.Sorted(maps.Keys(v.agents)), ", "))
	}
	return nil
}

// partners prints what resource-affinity rules add to a move, or returns why they forbid it, by the same
// rules as the master.
func (v *view) partners(ctx context.Context, a *api, w io.Writer, how, sid, target string) error {
	all, err := readRules(ctx, a)
	if err != nil {
		return err
	}
	nodes := slices.Sorted(maps.Keys(v.agents))
	set, _ := rules.Normalize(all, nodes)
	compiled := rules.Compile(set, nodes)
	var blocking []string
	for _, other := range compiled.Apart[sid] {
		if sd := v.manager.ServiceStatus[other]; sd != nil && (sd.Node == target || sd.Target == target) {
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
		if sd := v.manager.ServiceStatus[other]; sd != nil && sd.Node != target && sd.Target != target {
			fmt.Fprintf(w,
				"also %s resource '%s' in positive affinity with resource '%s' to target node '%s'\n",
				how, other, sid, target)
		}
	}
	return nil
}

func (t moveCommands) crmCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "crm-command", Short: "send a command to the master"})
	stop := &cobra.Command{Use: "stop SID TIMEOUT",
		Short: "stop a resource within so many seconds (0: at once)", Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := sidOf(args[0], "")
			if err != nil {
				return err
			}
			line := fmt.Sprintf("stop %s %s", sid, args[1])
			if _, err := config.ParseCommand(line); err != nil {
				return fmt.Errorf("%w: TIMEOUT is a number of seconds, not %q", errUsage, args[1])
			}
			return t.sendFor(cmd, sid, line, nil)
		}}
	disarm := &cobra.Command{Use: "disarm-ha freeze|ignore", Short: "switch HA off on purpose",
		Args: exactArgs(1),
		Long: `Switches fencing off in the whole cluster, for work to which HA must not react. With freeze,
services stay as they are and HA does not touch them; with ignore, they are ignored, as if not
configured. It takes effect when every LRM has closed its watchdog connection: see "ha-manager status".`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "freeze" && args[0] != "ignore" {
				return fmt.Errorf("%w: write freeze or ignore, not %q", errUsage, args[0])
			}
			return t.send(cmd, "disarm-ha "+args[0])
		}}
	arm := &cobra.Command{Use: "arm-ha", Short: "switch HA on again", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return t.send(cmd, "arm-ha") }}
	group.AddCommand(t.move("migrate"), t.move("relocate"), stop, t.maintenance(), disarm, arm)
	return group
}

func (t moveCommands) maintenance() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "node-maintenance",
		Short: "move services away from a node, and back"})
	for _, how := range []string{"enable", "disable"} {
		group.AddCommand(&cobra.Command{Use: how + " NODE", Short: how + " a node's maintenance",
			Args: exactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				a, v, err := t.writableView(cmd.Context())
				if err != nil {
					return err
				}
				if err := v.isNode(args[0]); err != nil {
					return err
				}
				return a.send(cmd.Context(), how+"-node-maintenance "+args[0])
			}})
	}
	return group
}
