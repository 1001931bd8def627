package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/fencecheck"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// errFenceTest means that a device would not have fenced the node.
var errFenceTest = errors.New("not every device works")

// newFenceTestCommand asks the devices of a node everything but to switch it off.
func (t fenceCommands) newFenceTestCommand() *cobra.Command {
	return t.withFormatFlag(&cobra.Command{Use: "test NODE", Args: exactArgs(1),
		Short: "ask the fence devices of a node whether they would work",
		Long: `Asks every device that is connected to the node what a fencing asks it first: the metadata
of its agents, whether they are what "fence set" has seen, then "monitor" and "status". Nothing is switched.
A device that reports a node as off that is in the ring is wired to another machine.

The agents are called on this machine. Run the command on each node, because each can become the
master, which fences. It ends with 0 only if every device works.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, v, err := t.connectView(cmd)
			if err != nil {
				return err
			}
			text, _, err := a.readFile(cmd.Context(), haproc.FencePath)
			if err != nil {
				return err
			}
			agents, _, err := a.readFile(cmd.Context(), haproc.FenceAgentsPath)
			if err != nil {
				return err
			}
			state := v.managerStatus.NodeStatus[args[0]]
			checks, err := fencecheck.TestDevices(cmd.Context(), text, agents, args[0], state)
			if err != nil {
				return err
			}
			if err := t.printChecks(cmd, checks); err != nil {
				return err
			}
			for _, c := range checks {
				if !c.OK {
					return errFenceTest
				}
			}
			return nil
		}})
}

func (t fenceCommands) printChecks(cmd *cobra.Command, checks []fence.Check) error {
	return t.printValue(cmd, checks, func(w io.Writer) error {
		for _, c := range checks {
			line := fmt.Sprintf("device %s works, the node is %s", c.Device, c.Power)
			if !c.OK {
				line = fmt.Sprintf("device %s does not work: %s", c.Device, c.Reason)
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		return nil
	})
}
