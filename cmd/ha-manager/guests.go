package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/ids"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// guestCommands are the commands under "ha-manager guest".
type guestCommands struct{ *tool }

// newGuestCommand manages the configurations of the services themselves, for which real clusters have other
// tools. A service belongs to the node that has its configuration.
func (t guestCommands) newGuestCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "guest",
		Short: "the configurations of services: what runs, and on which node",
		Long: `A service has a configuration on exactly one node; the HA manager moves it with the service.
These commands create, list and remove configurations. They start and stop nothing.`})
	group.AddCommand(t.newGuestCreateCommand(), t.newGuestListCommand(), t.newGuestDestroyCommand())
	return group
}

func (t guestCommands) newGuestCreateCommand() *cobra.Command {
	var node, command string
	var memory, cores int
	cmd := &cobra.Command{Use: "create SID --node NODE", Short: "create the configuration of a service",
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sid := args[0]
			if ids.IsNumber(sid) { // there is no such guest yet
				sid = "vm:" + sid
			}
			if err := ids.CheckGuestSID(sid); err != nil {
				return err
			}
			if node == "" || strings.Contains(node, "/") {
				return fmt.Errorf("%w: --node must name the node on which the guest will be", errUsage)
			}
			if strings.ContainsAny(command, " \t\r\n[") {
				return fmt.Errorf(
					"%w: --command is the name of a command of the node's ha.json, not a program", errUsage)
			}
			a, v, err := t.writableView(cmd)
			if err != nil {
				return err
			}
			if err := v.checkNode(node); err != nil {
				return err
			}
			if err := v.checkFree(sid); err != nil {
				return err
			}
			var text strings.Builder
			if command != "" {
				fmt.Fprintf(&text, "command: %s\n", command)
			}
			fmt.Fprintf(&text, "cores: %d\nmemory: %d\n", cores, memory)
			err = a.editFile(cmd.Context(), haproc.GuestPath(sid, node), func(old string) (string, error) {
				if old != "" {
					return "", errGuestExists
				}
				return text.String(), nil
			})
			if errors.Is(err, errGuestExists) {
				return t.explainRefusal(cmd, sid, err)
			}
			return err
		}}
	cmd.Flags().StringVar(&node, "node", "", "the `node` on which it will be at first")
	cmd.Flags().StringVar(&command, "command", "",
		"the `name` of its command in the ha.json of the nodes (default: their default)")
	completeFlag(cmd, "node", t.completeNodes)
	cmd.Flags().IntVar(&memory, "memory", 512, "its size in `MiB`, for schedulers that look at it")
	cmd.Flags().IntVar(&cores, "cores", 1, "its processors, for the same")
	return cmd
}

// checkFree returns an error if a guest of the view has the number that a new one would have. It shows an
// operator which guest that is. The store itself refuses the creation, also when the other guest is created
// between the look and the creation.
func (v *view) checkFree(sid string) error {
	guest, _ := tree.GuestOf(haproc.GuestPath(sid, v.askedNode))
	for _, other := range slices.Sorted(maps.Keys(v.configNodes)) {
		node := v.configNodes[other]
		if other == sid {
			return fmt.Errorf("unable to create %s: it already exists on node '%s'", sid, node)
		}
		if same, _ := tree.GuestOf(haproc.GuestPath(other, node)); same == guest {
			return fmt.Errorf("unable to create %s: %s already exists on node '%s', and guests of both "+
				"kinds share their numbers", sid, other, node)
		}
	}
	return nil
}

// explainRefusal returns the error of a creation that the store refused because the number is taken.
func (t guestCommands) explainRefusal(cmd *cobra.Command, sid string, refusal error) error {
	if _, v, err := t.connectView(cmd); err == nil {
		if taken := v.checkFree(sid); taken != nil {
			return taken
		}
	}
	return refusal
}

func (t guestCommands) newGuestListCommand() *cobra.Command {
	type row struct {
		SID  string `json:"sid"`
		Node string `json:"node"`
		HA   int    `json:"ha"`
	}
	return t.withTableFlags(&cobra.Command{Use: "list", Short: "list the services that have a configuration",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, v, err := t.connectView(cmd)
			if err != nil {
				return err
			}
			list, rows := []row{}, [][]string{}
			for _, sid := range slices.Sorted(maps.Keys(v.configNodes)) {
				r := row{SID: sid, Node: v.configNodes[sid]}
				if v.services[sid] != nil {
					r.HA = 1
				}
				list = append(list, r)
				rows = append(rows, []string{r.SID, r.Node, fmt.Sprint(r.HA)})
			}
			return t.printTable(cmd, list, []string{"sid", "node", "ha"}, rows)
		}})
}

func (t guestCommands) newGuestDestroyCommand() *cobra.Command {
	return &cobra.Command{Use: "destroy SID",
		Short: "remove the configuration of a service that is not under HA", Args: exactArgs(1),
		ValidArgsFunction: inOrder(t.completeGuests),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, v, sid, err := t.writableService(cmd, args[0])
			if err != nil {
				return err
			}
			// What cannot be read could name this service.
			unread := cmp.Or(v.damaged.Of(haproc.ResourcesPath), v.damaged.Of(haproc.ManagerStatusPath))
			switch {
			case unread != nil:
				return fmt.Errorf("unable to remove %s: it may be used in HA resources: %w", sid, unread)
			case v.configNodes[sid] == "":
				return fmt.Errorf("%s does not exist", sid)
			case v.services[sid] != nil || v.managerStatus.ServiceStatus[sid] != nil:
				return fmt.Errorf("unable to remove %s: it is used in HA resources; "+
					"`ha-manager set %s --state stopped`, then `ha-manager remove %s` first", sid, sid, sid)
			}
			_, err = a.callStore(cmd.Context(), store.Request{
				Op: "delete", Path: haproc.GuestPath(sid, v.configNodes[sid]),
			})
			return err
		}}
}

// cutNodeDir returns the node whose directory contains a path, and the rest of the path.
func cutNodeDir(path string) (rest, node string, ok bool) {
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 2 || parts[0] != nodesDir {
		return "", "", false
	}
	if len(parts) == 3 {
		rest = parts[2]
	}
	return rest, parts[1], true
}
