package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/fencecheck"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// fenceCommands are the commands under "ha-manager fence".
type fenceCommands struct{ *tool }

func (t fenceCommands) newFenceCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "fence", Short: "the devices that switch lost nodes off"})
	group.AddCommand(t.newFenceSetCommand(), t.newFenceConfigCommand(), t.newFenceModeCommand(),
		t.newFenceTestCommand())
	return group
}

// maxFenceBytes bounds the file that is read.
const maxFenceBytes = 512 << 10

// newFenceSetCommand replaces the file after it has checked it as the master will.
func (t fenceCommands) newFenceSetCommand() *cobra.Command {
	var unproven bool
	cmd := &cobra.Command{Use: "set FILE", Short: "install a file with fence devices (-: standard input)",
		Args: exactArgs(1),
		Long: `Installs a file with the device that switches each node off, in the order of trying:

    device pdu fence_apc ip=10.0.0.9 username=apc holdfast_password_file=/etc/holdfast/pdu
    connect pdu node=n1 plug=1

Every agent is asked on this machine for its metadata, so it must be installed here. Nothing changes when
the file makes no sense for a node, when an agent does not take an argument, or when a device can prove
nothing: agents of switch ports and disks leave the node running, some cannot report whether it is off,
and method=cycle reports success before the power is off. With --unproven such devices are installed as
well; they are never called, and the lock of a lost node has to expire.

Each node that fences asks its agents again. One that reports something else there proves nothing.

    holdfast_timeout=SECONDS      a call of the agent, in real time (40)
    holdfast_attempts=N           attempts with the device (2)
    holdfast_boot_time=SECONDS    from power-on until the node is in the ring (120)
    holdfast_password_file=PATH   on every node; for agents that have password_script

The devices are used once the mode is hardware or both. "ha-manager fence test NODE" tries them.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readFence(cmd, args[0])
			if err != nil {
				return err
			}
			a, v, err := t.writableView(cmd)
			if err != nil {
				return err
			}
			verified, err := fencecheck.Vet(cmd.Context(), text, v.checkNode, unproven)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			// The agents come first: devices whose agents are not verified prove nothing.
			err = a.editFile(cmd.Context(), haproc.FenceAgentsPath, func(old string) (string, error) {
				return fencecheck.Merge(old, verified)
			})
			if err != nil {
				return err
			}
			return a.editFile(cmd.Context(), haproc.FencePath, func(string) (string, error) {
				return text, nil
			})
		}}
	cmd.Flags().BoolVar(&unproven, "unproven", false, "install devices that prove nothing as well")
	return cmd
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
			a, err := t.newAPIClient()
			if err != nil {
				return err
			}
			agents, _, err := a.readFile(cmd.Context(), haproc.FenceAgentsPath)
			if err != nil {
				return err
			}
			if agents == "" && args[0] != string(ha.FencingWatchdog) {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: no fence agent is verified, so no device proves "+
					"anything; run \"ha-manager fence set\". With %s, services of a lost node wait for a "+
					"device.\n", ha.FencingBoth)
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
