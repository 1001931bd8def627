package fence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Arguments in fence.cfg that are not for the agent.
const (
	keyAction   = "action"
	keyActionO  = "o" // the same, as a letter
	keyTimeout  = "holdfast_timeout"
	keyAttempts = "holdfast_attempts"
	keyBootTime = "holdfast_boot_time"
	// keyPasswordFile names a file whose content is the agent's password.
	keyPasswordFile = "holdfast_password_file"
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
		if i == 0 || action == Off { // a part that stays off keeps the node off
			d.Action = action
		}
		d.Parts = append(d.Parts, p)
	}
	return d, len(d.Parts) > 0, nil
}

// addArgument takes one argument of a part: one of this package's, or one for the agent. A later argument
// replaces an earlier one.
func (d *Device) addArgument(p *Part, action *Action, a config.FenceArg) (err error) {
	switch strings.ReplaceAll(a.Key, "-", "_") {
	case keyAction, keyActionO:
		*action, err = parseAction(a.Value)
	case keyTimeout:
		d.Timeout, err = parseSeconds(a, time.Second, MaxTimeout)
	case keyBootTime:
		d.BootTime, err = parseSeconds(a, MinBootTime, MaxBootTime)
	case keyAttempts:
		if d.Attempts, err = strconv.Atoi(a.Value); err != nil || d.Attempts < 1 || d.Attempts > MaxAttempts {
			return fmt.Errorf("%s=%s: write a number from 1 to %d", a.Key, a.Value, MaxAttempts)
		}
	case keyPasswordFile:
		if !secretPath.MatchString(a.Value) {
			return fmt.Errorf("%s=%s: write an absolute path of letters, digits and /_.+-", a.Key, a.Value)
		}
		p.PasswordFile = a.Value
	default:
		p.Args = slices.DeleteFunc(p.Args, func(b Arg) bool { return b.Key == a.Key })
		p.Args = append(p.Args, Arg(a))
	}
	return err
}

// parseAction reads an action. A reboot is a reset: the agent's own reboot is never called, because some
// boards perform it without ever being seen off.
func parseAction(value string) (Action, error) {
	switch value {
	case "off":
		return Off, nil
	case "reboot", "reset":
		return Reset, nil
	}
	return "", fmt.Errorf("action %q: write off or reboot, or leave it out", value)
}

func parseSeconds(a config.FenceArg, least, most time.Duration) (time.Duration, error) {
	n, err := strconv.Atoi(a.Value)
	if err != nil || n < int(least/time.Second) || n > int(most/time.Second) {
		return 0, fmt.Errorf("%s=%s: write seconds from %d to %d", a.Key, a.Value, int(least/time.Second),
			int(most/time.Second))
	}
	return time.Duration(n) * time.Second, nil
}
