package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// fenceCommands are the commands under "ha-manager fence".
type fenceCommands struct{ *tool }

func (t fenceCommands) newFenceCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "fence", Short: "the devices that switch lost nodes off"})
	group.AddCommand(t.newFenceSetCommand(), t.newFenceConfigCommand(), t.newFenceModeCommand())
	return group
}

// maxFenceBytes bounds the file that is read.
const maxFenceBytes = 512 << 10

// newFenceSetCommand replaces the file after it has checked it as the master will.
func (t fenceCommands) newFenceSetCommand() *cobra.Command {
	return &cobra.Command{Use: "set FILE", Short: "install a file with fence devices (-: standard input)",
		Args: exactArgs(1),
		Long: `Installs a file with the device that switches each node off, in the order of trying:

    device pdu fence_apc ip=10.0.0.9 username=apc password=secret
    connect pdu node=n1 plug=1

Nothing changes when the file makes no sense for a node. The devices are used once the mode is
hardware or both.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readFence(cmd, args[0])
			if err != nil {
				return err
			}
			if err := checkFence(text); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			a, err := t.connectAPI()
			if err != nil {
				return err
			}
			return a.editFile(cmd.Context(), haproc.FencePath, func(string) (string, error) {
				return text,
					nil
			})
		}}
}

func readFence(cmd *cobra.Command, name string) (string, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errUsage, err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFenceBytes+1))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxFenceBytes {
		return "", fmt.Errorf("%w: %s is longer than %d bytes", errUsage, name, maxFenceBytes)
	}
	return string(data), nil
}

// checkFence plans the fencing of every node that the file names.
func checkFence(text string) error {
	cfg, err := config.ParseFence(text)
	if err != nil {
		return err
	}
	nodes := map[string]bool{}
	for _, device := range cfg.Devices {
		for _, part := range device.Parts {
			for node := range part.Nodes {
				nodes[node] = true
			}
		}
	}
	for _, node := range slices.Sorted(maps.Keys(nodes)) {
		if _, problems := fence.Plan(cfg, node); len(problems) > 0 {
			return problems[0]
		}
	}
	return nil
}

func (t fenceCommands) newFenceConfigCommand() *cobra.Command {
	return &cobra.Command{Use: "config", Short: "show the fence devices as they are written",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := t.readFile(cmd.Context(), haproc.FencePath)
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		}}
}

// fencingKey begins the line of datacenter.cfg with the accepted proof of a node's death.
const fencingKey = "fencing:"

func (t fenceCommands) newFenceModeCommand() *cobra.Command {
	var modes []string
	for _, mode := range ha.FencingModes() {
		modes = append(modes, string(mode))
	}
	return &cobra.Command{Use: "mode " + strings.Join(modes, "|"),
		Short: "what proves that a lost node is dead: time, a device, or both", Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(modes, args[0]) {
				return fmt.Errorf("%w: the mode is one of %s, not %q", errUsage, strings.Join(modes, ", "),
					args[0])
			}
			a, err := t.connectAPI()
			if err != nil {
				return err
			}
			return a.editFile(cmd.Context(), haproc.DatacenterPath, func(old string) (string, error) {
				var out strings.Builder
				for line := range strings.Lines(old) {
					if !strings.HasPrefix(strings.TrimSpace(line), fencingKey) {
						out.WriteString(strings.TrimSuffix(line, "\n") + "\n")
					}
				}
				return out.String() + fencingKey + " " + args[0] + "\n", nil
			})
		}}
}

// fencedNodes returns the nodes on which fence devices work.
func (v *view) fencedNodes() (out []statusEntry) {
	for _, node := range slices.Sorted(maps.Keys(v.managerStatus.Fencing)) {
		out = append(out, statusEntry{ID: "fence:" + node, Type: "fence", Node: node,
			Status: fmt.Sprintf("%s (%s)", node, v.managerStatus.Fencing[node])})
	}
	return out
}
