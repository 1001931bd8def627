// Package fencecheck looks at fence devices before they are needed: what a fence.cfg plans, what the agents
// on this machine report about themselves, and whether a node's devices would work.
//
// Package fencecheck never switches anything.
package fencecheck

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
)

// Plan plans the fencing of every node that the file names. checkNode fails for a
// name that is no node. The error names everything that is wrong.
func Plan(text string, checkNode func(name string) error) (devices []fence.Device, err error) {
	cfg, err := config.ParseFence(text)
	if err != nil {
		return nil, err
	}
	nodes := map[string]bool{}
	for _, device := range cfg.Devices {
		for _, part := range device.Parts {
			for node := range part.Nodes {
				nodes[node] = true
			}
		}
	}
	var problems []error
	for _, node := range slices.Sorted(maps.Keys(nodes)) {
		if err := checkNode(node); err != nil {
			problems = append(problems, fmt.Errorf("connect … node=%s: %w", node, err))
		}
		planned, wrong := fence.Plan(cfg, node)
		problems = append(problems, wrong...)
		devices = append(devices, planned...)
	}
	return devices, errors.Join(problems...)
}

// Vet plans the fencing of every node that the file names, and asks the agents on this machine what
// they are. It returns what they have reported. A device that proves nothing is an error unless unproven is
// set; what makes no sense always is. The error names everything that is wrong, each in a line.
func Vet(ctx context.Context, text string, checkNode func(name string) error,
	unproven bool) (fence.AgentFingerprints, error) {
	devices, err := Plan(text, checkNode)
	if err != nil {
		return nil, err
	}
	var problems []error
	call, end := newAgentCalls(ctx)
	defer end()
	known, failed := fence.AskMetadata(devices, call)
	said := map[string]bool{}
	for i := range devices {
		err := fence.VetDevice(&devices[i], known, failed)
		if err == nil || unproven && errors.Is(err, fence.ErrProvesNothing) {
			continue
		}
		if err = fmt.Errorf("device %s: %w", devices[i].Name, err); !said[err.Error()] {
			said[err.Error()] = true
			problems = append(problems, err)
		}
	}
	verified := fence.AgentFingerprints{}
	for agent, m := range known {
		verified[agent] = m.Fingerprint()
	}
	return verified, errors.Join(problems...)
}

// Merge adds what agents have reported to what was known of others, which devices that are installed
// until now may still need.
func Merge(old string, verified fence.AgentFingerprints) (string, error) {
	all, err := fence.DecodeFingerprints(old)
	if err != nil {
		all = fence.AgentFingerprints{} // a file that cannot be read verifies nothing
	}
	maps.Copy(all, verified)
	return all.Encode(), nil
}

// TestDevices asks the devices of a node everything but to switch it off. agents is what the agents had
// reported, state what the master takes the node for.
func TestDevices(ctx context.Context, text, agents, node string,
	state ha.NodeState) ([]fence.Check, error) {
	cfg, err := config.ParseFence(text)
	if err != nil {
		return nil, err
	}
	verified, err := fence.DecodeFingerprints(agents)
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
