package fence

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Arguments in fence.cfg that are not for the agent.
const (
	keyAction   = "action"
	keyActionO  = "o" // the same, as a letter
	keyTimeout  = "holdfast_timeout"
	keyAttempts = "holdfast_attempts"
)

// Plan turns fence.cfg into the devices that fence one node, in the order of the file. It leaves out
// devices that are not connected to the node with all of their parts, and devices with invalid
// arguments; it reports the latter.
func Plan(cfg *config.FenceConfig, node string) (devices []Device, problems []error) {
	for _, device := range cfg.Devices {
		d, connected, err := planDevice(device, node)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("fence device %s for node %s: %w", device.Name, node, err))
		case connected && len(devices) == MaxDevices:
			problems = append(problems, fmt.Errorf("fence device %s for node %s: more than %d devices",
				device.Name, node, MaxDevices))
		case connected:
			devices = append(devices, d)
		}
	}
	return devices, problems
}

func planDevice(device *config.FenceDevice, node string) (d Device, connected bool, err error) {
	d.Name = device.Name
	if len(device.Parts) > MaxParts {
		return d, false, fmt.Errorf("%d parts, at most %d", len(device.Parts), MaxParts)
	}
	for i, part := range device.Parts {
		own, connected := part.Nodes[node]
		if !connected {
			return d, false, nil
		}
		p := Part{Agent: part.Agent}
		action := Reset
		for _, list := range [][]config.FenceArg{part.Args, own} {
			for _, a := range list {
				if err := d.addArgument(&p, &action, a); err != nil {
					return d, true, err
				}
			}
		}
		if i > 0 && action != d.Action {
			return d, true, fmt.Errorf("its parts have different actions, %s and %s", d.Action, action)
		}
		d.Action = action
		d.Parts = append(d.Parts, p)
	}
	if d.Action == Reboot && len(d.Parts) > 1 {
		return d, true, fmt.Errorf("action=reboot with %d parts: "+
			"they would not be off at the same time; leave the action out", len(d.Parts))
	}
	return d, len(d.Parts) > 0, nil
}

// addArgument takes one argument of a part: one of this package's, or one for the agent. A later argument
// replaces an earlier one.
func (d *Device) addArgument(p *Part, action *Action, a config.FenceArg) error {
	switch a.Key {
	case keyAction, keyActionO:
		switch a.Value {
		case "off":
			*action = Off
		case "reboot":
			*action = Reboot
		case "reset":
			*action = Reset
		default:
			return fmt.Errorf("action %q: write off or reboot, or leave it out", a.Value)
		}
	case keyTimeout:
		n, err := strconv.Atoi(a.Value)
		if err != nil || n < 1 || time.Duration(n)*time.Second > MaxTimeout {
			return fmt.Errorf("%s=%s: write seconds from 1 to %d", a.Key, a.Value,
				int(MaxTimeout/time.Second))
		}
		d.Timeout = time.Duration(n) * time.Second
	case keyAttempts:
		n, err := strconv.Atoi(a.Value)
		if err != nil || n < 1 || n > MaxAttempts {
			return fmt.Errorf("%s=%s: write a number from 1 to %d", a.Key, a.Value, MaxAttempts)
		}
		d.Attempts = n
	default:
		for i := range p.Args {
			if p.Args[i].Key == a.Key {
				p.Args[i].Value = a.Value
				return nil
			}
		}
		p.Args = append(p.Args, Arg{Key: a.Key, Value: a.Value})
	}
	return nil
}
