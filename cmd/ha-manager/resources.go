package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
)

// properties are the options of a resource, in the order of its file.
var properties = []string{"state", "group", "max_restart", "max_relocate", "failback", "comment"}

// errNoResource names what is not configured.
var errNoResource = errors.New("no such resource")

// sidOf completes a bare number to a virtual machine's sid.
func sidOf(word string) (string, error) {
	if _, err := strconv.Atoi(word); err == nil {
		word = "vm:" + word
	}
	if _, _, err := ha.SplitSID(word); err != nil {
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	return word, nil
}

func parseResources(text string) (map[string]*ha.ServiceConfig, error) {
	services, problems, err := config.ParseResources(text)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%s: %s; correct the file first", daemon.ResourcesPath, problems[0])
	}
	return services, err
}

func (t *tool) config() *cobra.Command {
	return &cobra.Command{Use: "config", Short: "list the configured resources", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := t.connect()
			if err != nil {
				return err
			}
			text, _, err := a.read(cmd.Context(), daemon.ResourcesPath)
			if err != nil {
				return err
			}
			return printSections(cmd, text, func(s config.Section) string { return s.Kind + ":" + s.ID })
		}}
}

// printSections prints each section as a title and its properties below.
func printSections(cmd *cobra.Command, text string, title func(config.Section) string) error {
	sections, _, err := config.ParseSections(text)
	if err != nil {
		return err
	}
	for i, s := range sections {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		fmt.Fprintln(cmd.OutOrStdout(), title(s))
		for _, kv := range s.Keys {
			fmt.Fprintf(cmd.OutOrStdout(), "\t%s %s\n", kv.Key, kv.Value)
		}
	}
	return nil
}

// withProperties gives a command the options of a resource.
func withProperties(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("state", "started", "the requested state: started, stopped, disabled or ignored")
	cmd.Flags().String("group", "", "the HA group (use rules instead)")
	cmd.Flags().Int("max_restart", ha.DefaultMaxRestart, "how often a failed start is repeated on the same node")
	cmd.Flags().Int("max_relocate", ha.DefaultMaxRelocate, "how many other nodes are tried after that")
	cmd.Flags().Bool("failback", true, "go back to a better node when it returns")
	cmd.Flags().String("comment", "", "any text")
	return cmd
}

func apply(cmd *cobra.Command, service *ha.ServiceConfig) error {
	for _, name := range properties {
		flag := cmd.Flags().Lookup(name)
		if !flag.Changed {
			continue
		}
		value := flag.Value.String()
		if name == "failback" {
			value = map[string]string{"true": "1", "false": "0"}[value]
		}
		if err := config.SetServiceProperty(service, name, value); err != nil {
			return fmt.Errorf("%w: --%s: %w", errUsage, name, err)
		}
	}
	return nil
}

// changeResource edits one entry of the resources file.
func (t *tool) changeResource(cmd *cobra.Command, word string,
	change func(a *api, sid string, services map[string]*ha.ServiceConfig) error) error {
	sid, err := sidOf(word)
	if err != nil {
		return err
	}
	a, err := t.connect()
	if err != nil {
		return err
	}
	return a.edit(cmd.Context(), daemon.ResourcesPath, func(old string) (string, error) {
		services, err := parseResources(old)
		if err != nil {
			return "", err
		}
		if err := change(a, sid, services); err != nil {
			return "", err
		}
		return config.FormatResources(services), nil
	})
}

func (t *tool) add() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "add SID", Short: "look after a resource", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeResource(cmd, args[0], func(a *api, sid string, services map[string]*ha.ServiceConfig) error {
				if services[sid] != nil {
					return fmt.Errorf("resource ID '%s' already defined", sid)
				}
				if home, err := homeOf(cmd, a, sid); err != nil || home == "" {
					return errors.Join(err, fmt.Errorf("resource '%s' does not exist: no node has a configuration of it", sid))
				}
				service := config.DefaultService(ha.SIDType(sid))
				service.State = ha.WantStarted
				services[sid] = service
				return apply(cmd, service)
			})
		}}
	return withProperties(cmd)
}

// homeOf is the node that has a resource's configuration, "" when none has.
func homeOf(cmd *cobra.Command, a *api, sid string) (string, error) {
	present, err := a.list(cmd.Context(), "nodes")
	if err != nil {
		return "", err
	}
	for _, path := range slices.Sorted(maps.Keys(present)) {
		if parts := strings.Split(path, "/"); len(parts) > 1 && daemon.GuestPath(sid, parts[1]) == path {
			return parts[1], nil
		}
	}
	return "", nil
}

func (t *tool) set() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "set SID", Short: "change a resource's options", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeResource(cmd, args[0], func(_ *api, sid string, services map[string]*ha.ServiceConfig) error {
				if services[sid] == nil {
					return fmt.Errorf("%w: '%s'", errNoResource, sid)
				}
				return apply(cmd, services[sid])
			})
		}}
	return withProperties(cmd)
}

func (t *tool) remove() *cobra.Command {
	return &cobra.Command{Use: "remove SID", Short: "stop looking after a resource; it is not stopped", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.changeResource(cmd, args[0], func(_ *api, sid string, services map[string]*ha.ServiceConfig) error {
				if services[sid] == nil {
					return fmt.Errorf("%w: '%s'", errNoResource, sid)
				}
				delete(services, sid)
				return nil
			})
		}}
}

// send puts a line into the master's commands.
func (t *tool) send(cmd *cobra.Command, line string) error {
	if _, err := config.ParseCommand(line); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	a, err := t.connect()
	if err != nil {
		return err
	}
	return a.edit(cmd.Context(), daemon.CommandsPath, func(old string) (string, error) {
		if old != "" && !strings.HasSuffix(old, "\n") {
			old += "\n"
		}
		return old + line + "\n", nil
	})
}

// move is migrate or relocate.
func (t *tool) move(how string) *cobra.Command {
	short := "move a running resource to another node"
	if how == "relocate" {
		short = "stop a resource and start it on another node"
	}
	return &cobra.Command{Use: how + " SID NODE", Short: short, Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := sidOf(args[0])
			if err != nil {
				return err
			}
			a, err := t.connect()
			if err != nil {
				return err
			}
			text, _, err := a.read(cmd.Context(), daemon.ResourcesPath)
			if err != nil {
				return err
			}
			services, err := parseResources(text)
			if err != nil {
				return err
			}
			if services[sid] == nil {
				return fmt.Errorf("%w: '%s'", errNoResource, sid)
			}
			return t.send(cmd, fmt.Sprintf("%s %s %s", how, sid, args[1]))
		}}
}

func (t *tool) crmCommand() *cobra.Command {
	group := &cobra.Command{Use: "crm-command", Short: "tell the master what to do"}
	stop := &cobra.Command{Use: "stop SID TIMEOUT", Short: "stop a resource within so many seconds (0: at once)", Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := sidOf(args[0])
			if err != nil {
				return err
			}
			return t.send(cmd, fmt.Sprintf("stop %s %s", sid, args[1]))
		}}
	maintenance := &cobra.Command{Use: "node-maintenance", Short: "move services away from a node, and back"}
	for _, how := range []string{"enable", "disable"} {
		maintenance.AddCommand(&cobra.Command{Use: how + " NODE", Args: exactly(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return t.send(cmd, how+"-node-maintenance "+args[0])
			}})
	}
	disarm := &cobra.Command{Use: "disarm-ha freeze|ignore", Short: "switch HA off on purpose", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.send(cmd, "disarm-ha "+args[0]) }}
	arm := &cobra.Command{Use: "arm-ha", Short: "switch HA on again", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return t.send(cmd, "arm-ha") }}
	group.AddCommand(t.move("migrate"), t.move("relocate"), stop, maintenance, disarm, arm)
	return group
}
