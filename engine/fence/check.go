package fence

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// CallFunc calls a program and waits for its end.
type CallFunc func(env.Command) env.CommandResult

// Check is what a device answers outside of a fencing.
type Check struct {
	// Device is its name.
	Device string `json:"device"`
	// OK is set if the device can prove that the node is off, and every part has answered.
	OK bool `json:"ok"`
	// Reason is why it is not, in one line.
	Reason string `json:"reason,omitempty"`
	// Power is on, off or mixed, as the parts report it; "" if one has not answered.
	Power string `json:"power,omitempty"`
}

// States of power that a check reports.
const (
	PowerOn    = "on"
	PowerOff   = "off"
	PowerMixed = "mixed"
)

// AskMetadata asks the agents of devices for their metadata. An agent that has none is missing in the result,
// and its error is in the second one.
func AskMetadata(devices []Device, call CallFunc) (map[string]*Metadata, map[string]error) {
	known, failed := map[string]*Metadata{}, map[string]error{}
	for i := range devices {
		for _, p := range devices[i].Parts {
			if known[p.Agent] != nil || failed[p.Agent] != nil {
				continue
			}
			m, err := ReadMetadata(call(MetadataCommand(p.Agent)))
			if err != nil {
				failed[p.Agent] = fmt.Errorf("%w: %s: %w", ErrProvesNothing, p.Agent, err)
				continue
			}
			known[p.Agent] = m
		}
	}
	return known, failed
}

// VetDevice fails with [ErrProvesNothing] or [ErrArgument] if the device cannot prove that a node is off.
// known and failed are what [AskMetadata] has returned.
func VetDevice(d *Device, known map[string]*Metadata, failed map[string]error) error {
	for i := range d.Parts {
		p := &d.Parts[i]
		if err := failed[p.Agent]; err != nil {
			return err
		}
		if _, err := known[p.Agent].Vet(p); err != nil {
			return err
		}
	}
	return nil
}

// CheckDevice asks a device, which is connected to a node, everything that it is asked before it is told to
// switch off. It changes nothing.
func CheckDevice(d *Device, node string, verified AgentFingerprints, call CallFunc) Check {
	c := Check{Device: d.Name}
	power, err := checkParts(d, node, verified, call)
	if err != nil {
		c.Reason = oneLine(err.Error())
		return c
	}
	c.OK, c.Power = true, power
	return c
}

func checkParts(d *Device, node string, verified AgentFingerprints, call CallFunc) (power string, err error) {
	known, failed := AskMetadata([]Device{*d}, call)
	if err := VetDevice(d, known, failed); err != nil {
		return "", err
	}
	for i := range d.Parts {
		part := &d.Parts[i]
		m := known[part.Agent]
		if err := verified.check(part.Agent, m); err != nil {
			return "", err
		}
		args, err := m.Vet(part)
		if err != nil {
			return "", err
		}
		p := newPart(part, m, args, node)
		if m.has(opMonitor) {
			// Some agents end a monitor of an outlet that is off as they end a status.
			if r := call(p.command(opMonitor, d.timeout())); r.Err != nil || r.Code != exitCodeOff {
				if _, err := p.interpret(opMonitor, r); err != nil {
					return "", err
				}
			}
		}
		off, err := p.interpret(opStatus, call(p.command(opStatus, d.timeout())))
		if err != nil {
			return "", err
		}
		state := PowerOn
		if off {
			state = PowerOff
		}
		if power != "" && power != state {
			state = PowerMixed
		}
		power = state
	}
	return power, nil
}

// ErrOffline means that a device reports a node as off that is in the ring: it is connected to another
// machine, or what it reports is wrong.
var ErrOffline = errors.New("the device reports off, and the node is in the ring; " +
	"does the outlet belong to it?")
