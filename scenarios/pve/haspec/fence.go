package haspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fenceagents"
)

// DeviceFault is something that is wrong with a fence device.
type DeviceFault struct {
	// Device is its name in the fence file, Nodes the nodes whose outlets are concerned; the default
	// is all.
	Device string   `yaml:"device" json:"device"`
	Nodes  []string `yaml:"nodes,omitempty,flow" json:"nodes,omitempty"`
	// From are the machines whose calls are concerned; the default is all.
	From []string `yaml:"from,omitempty,flow" json:"from,omitempty"`
	Kind string   `yaml:"kind" json:"kind"`
	// At is after the warm-up; For is how long it lasts, the default is to the end.
	At  time.Duration `yaml:"at,omitempty" json:"at,omitempty"`
	For time.Duration `yaml:"for,omitempty" json:"for,omitempty"`
	// Latency is what slow and late add.
	Latency time.Duration `yaml:"latency,omitempty" json:"latency,omitempty"`
}

// Kinds of faults of a fence device. None of them makes a device report an outlet as off that it was told to
// switch off, and that is on: no manager could survive that.
const (
	// DeviceUnreachable makes agents end with a failure after a while.
	DeviceUnreachable = "unreachable"
	// DeviceSlow makes everything happen Latency later.
	DeviceSlow = "slow"
	// DeviceLate reports an outlet as switched off Latency before it is.
	DeviceLate = "late"
	// DeviceIgnores reports an outlet as switched off and never switches it.
	DeviceIgnores = "ignores"
	// DeviceMute does the work, but the agent hears nothing and never ends.
	DeviceMute = "mute"
	// DeviceStale reports every outlet as off, whatever it is, so that agents send nothing to switch it off.
	// One that becomes so in the middle of a fencing is a device that lies.
	DeviceStale = "stale"
	// DeviceMisconfigured makes agents end with the error for an argument that is missing.
	DeviceMisconfigured = "misconfigured"
	// DeviceOtherAgent is an agent on the calling machine that describes itself differently: as one of a
	// switch port.
	DeviceOtherAgent = "other-agent"
)

var deviceFaults = []string{DeviceUnreachable, DeviceSlow, DeviceLate, DeviceIgnores, DeviceMute, DeviceStale,
	DeviceMisconfigured, DeviceOtherAgent}

// fenceAgentsText is what `ha-manager fence set` stores with the fence devices.
func (s *Spec) fenceAgentsText() string {
	cfg, err := config.ParseFence(s.Fence)
	if err != nil || s.Fence == "" {
		return ""
	}
	return fenceagents.Verified(cfg).Encode()
}

// checkFence refuses fence devices and faults of them that make no sense.
func (s *Spec) checkFence(machines, nodes []string) error {
	cfg, err := config.ParseFence(s.Fence)
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	var known []string
	for _, device := range cfg.Devices {
		known = append(known, device.Name)
		for _, part := range device.Parts {
			for _, node := range slices.Sorted(maps.Keys(part.Nodes)) {
				if !slices.Contains(nodes, node) {
					return fmt.Errorf("fence: %s is connected to node %q; the nodes are %v",
						device.Name, node, nodes)
				}
			}
		}
	}
	for _, node := range nodes {
		if _, problems := fence.Plan(cfg, node); len(problems) > 0 {
			return fmt.Errorf("fence: %w", problems[0])
		}
	}
	for _, board := range s.FenceBoards {
		if !slices.Contains(known, board) {
			return fmt.Errorf("fence_boards: there is no device %q; the devices are %v", board, known)
		}
	}
	for i := range s.FenceFaults {
		if err := s.FenceFaults[i].check(known, machines, nodes); err != nil {
			return fmt.Errorf("fence_faults: %w", err)
		}
	}
	return nil
}

func (f *DeviceFault) check(devices, machines, nodes []string) error {
	switch {
	case !slices.Contains(devices, f.Device):
		return fmt.Errorf("there is no device %q; the devices are %v", f.Device, devices)
	case !slices.Contains(deviceFaults, f.Kind):
		return fmt.Errorf("kind %q; write one of %s", f.Kind, strings.Join(deviceFaults, ", "))
	case (f.Kind == DeviceSlow || f.Kind == DeviceLate) != (f.Latency > 0):
		return fmt.Errorf("%s of %s: write latency with slow and late, and with no other kind",
			f.Kind, f.Device)
	case f.At < 0 || f.For < 0:
		return fmt.Errorf("%s of %s: times cannot be negative", f.Kind, f.Device)
	}
	for _, m := range f.From {
		if !slices.Contains(machines, m) {
			return fmt.Errorf("from %q; the machines are %v", m, machines)
		}
	}
	for _, n := range f.Nodes {
		if !slices.Contains(nodes, n) {
			return fmt.Errorf("nodes: there is no node %q; the nodes are %v", n, nodes)
		}
	}
	return nil
}
