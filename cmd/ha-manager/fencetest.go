package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
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
			checks, err := testDevices(cmd.Context(), text, agents, args[0], state)
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

// testDevices checks the devices of a node.
func testDevices(ctx context.Context, text, agents, node string,
	state ha.NodeState) ([]fence.Check, error) {
	cfg, err := config.ParseFence(text)
	if err != nil {
		return nil, err
	}
	verified, err := fence.DecodeVerified(agents)
	if err != nil {
		return nil, err
	}
	devices, problems := fence.Plan(cfg, node)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if len(devices) == 0 {
		return nil, fmt.Errorf("no device is connected to node '%s' in %s", node, haproc.FencePath)
	}
	call, end := newAgentCalls(ctx)
	defer end()
	var checks []fence.Check
	for i := range devices {
		c := fence.CheckDevice(&devices[i], node, verified, call)
		if err := checkPasswordFiles(&devices[i]); err != nil {
			c.OK, c.Reason = false, err.Error()
		}
		if c.OK && c.Power == fence.PowerOff && state == ha.NodeOnline {
			c.OK, c.Reason = false, fence.ErrOffline.Error()
		}
		checks = append(checks, c)
	}
	return checks, nil
}

// checkPasswordFiles fails unless the files from which agents read passwords exist, for one user only.
func checkPasswordFiles(d *fence.Device) error {
	for _, p := range d.Parts {
		if p.PasswordFile == "" {
			continue
		}
		f, err := os.Open(p.PasswordFile)
		if err != nil {
			return fmt.Errorf("reading its password: %w", err)
		}
		info, err := f.Stat()
		f.Close()
		if err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			err = fmt.Errorf("%s is readable by other users; make its mode 0600", p.PasswordFile)
		}
		if err != nil {
			return fmt.Errorf("reading its password: %w", err)
		}
	}
	return nil
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

// callPoll separates looks whether a program has ended.
const callPoll = 20 * time.Millisecond

// newAgentCalls returns a function that calls fence agents as a node's daemon does, and a function that ends
// what is still running.
func newAgentCalls(ctx context.Context) (fence.CallFunc, func()) {
	runner, end := programs.NewCalls(os.TempDir(), func() error { return nil })
	return func(c env.Command) env.CommandResult {
		if runner == nil {
			return env.CommandResult{Err: errors.New("programs cannot be called on this machine")}
		}
		id, err := runner.Start(c)
		if err != nil {
			return env.CommandResult{Err: err}
		}
		for {
			if result, over := runner.Result(id); over {
				return result
			}
			if ctx.Err() != nil {
				return env.CommandResult{Err: ctx.Err()}
			}
			time.Sleep(callPoll)
		}
	}, end
}
