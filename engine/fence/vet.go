package fence

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrProvesNothing means that a device cannot prove that a node is off, so it is never called.
var ErrProvesNothing = errors.New("proves nothing")

// notPower holds agents of the fence-agents project whose metadata looks like that of a power switch, and why
// their word proves nothing. Everything else is decided by what an agent reports about itself.
var notPower = map[string]string{
	"fence_crosslink": "it infers that a node is off from a link that does not answer",
	"fence_dummy":     "it keeps the state in a file and switches nothing",
	"fence_evacuate":  "it moves instances away from a node and switches nothing",
	"fence_sbd":       "it leaves a request on a disk and cannot see that the node has obeyed",
	"fence_skalar":    "it reports a machine as off whose host it cannot reach",
}

// vagueOff holds agents of the fence-agents project that report as off what is suspended, what is still
// shutting down, or what they cannot find. Such a machine may continue where it stopped, so only an off that
// follows an order to switch off counts.
var vagueOff = map[string]bool{"fence_amt": true, "fence_kubevirt": true, "fence_rhevm": true,
	"fence_vbox": true, "fence_virsh": true, "fence_vmware": true, "fence_vmware_rest": true,
	"fence_vmware_soap": true, "fence_vmware_vcloud": true}

// heuristicsPrefix begins the names of agents that only decide whether others may be called.
const heuristicsPrefix = "fence_heuristics_"

// Names of parameters that decide what an agent can prove.
const (
	keyMethod         = "method"
	methodOnOff       = "onoff"
	keyMissingAsOff   = "missing_as_off"
	keyNetworkFencing = "network_fencing"
	passwordScript    = "password_script"
)

// printOnly are switches with which an agent prints something and ends with success.
var printOnly = []string{"help", "version", "usage"}

// Vet returns the translated arguments of a part if its agent is able to prove with them that a node is off:
// it switches power, it can be asked for the state afterwards, and it does not report success before that
// state is reached. Otherwise it fails with ErrProvesNothing and the reason, or with ErrArgument.
//
// The rules follow the agents' metadata. Agents of the common library that cut a node off from a network or
// its disks have an action "on" with automatic="1" and no action "reboot"; those that cannot ask for the
// state have no action "status"; and of the method "cycle" the agents themselves warn that they "might
// report success before the node is powered off".
func (m *Metadata) Vet(p *Part) ([]Arg, error) {
	flaw := func(reason string) error {
		return fmt.Errorf("%w: %s: %s", ErrProvesNothing, path.Base(p.Agent), reason)
	}
	if reason := m.agentFlaw(p.Agent); reason != "" {
		return nil, flaw(reason)
	}
	args, err := m.Translate(p)
	if err != nil {
		return nil, err
	}
	if reason := m.argumentFlaw(args); reason != "" {
		return nil, flaw(reason)
	}
	return args, nil
}

// agentFlaw returns why an agent proves nothing, whatever its arguments are; "" if it may prove something.
func (m *Metadata) agentFlaw(agent string) string {
	for _, name := range []string{path.Base(agent), m.Agent} {
		switch {
		case notPower[name] != "":
			return notPower[name]
		case strings.HasPrefix(name, heuristicsPrefix):
			return "it only decides whether other agents are called"
		}
	}
	if m.AutomaticOn {
		return "it cuts the node off from a network or its disks and leaves it running (automatic=1)"
	}
	for _, op := range []operation{opOff, opOn, opStatus, opReboot} {
		if !m.has(op) {
			return fmt.Sprintf("it has no action %q, which agents of power switches have", op)
		}
	}
	return ""
}

// argumentFlaw returns why an agent proves nothing with these arguments; "" if it may prove something.
func (m *Metadata) argumentFlaw(args []Arg) string {
	for _, name := range printOnly {
		if _, given := m.argument(args, name); given {
			return fmt.Sprintf("with %s it does nothing and reports success", name)
		}
	}
	if _, given := m.argument(args, keyNetworkFencing); given {
		return "with network_fencing it cuts the node off from its network"
	}
	if method := m.method(args); method != "" && !strings.EqualFold(method, methodOnOff) {
		return fmt.Sprintf("method=%s reports success before the power is off; write method=onoff", method)
	}
	return ""
}

// method returns the method that the agent uses; "" for an agent that has only one.
func (m *Metadata) method(args []Arg) string {
	p := m.parameter(keyMethod)
	if p == nil {
		return ""
	}
	if value, given := m.argument(args, keyMethod); given {
		return value
	}
	if p.Default == "" {
		return "unknown"
	}
	return p.Default
}

// argument returns the value of a translated argument.
func (m *Metadata) argument(args []Arg, name string) (value string, given bool) {
	p := m.parameter(name)
	for _, a := range args {
		if p != nil && a.Key == p.Name {
			return a.Value, true
		}
	}
	return "", false
}

// isVague reports whether the agent reports off for other states as well: for a suspended machine, or for an
// outlet that does not exist.
func (m *Metadata) isVague(agent string, args []Arg) bool {
	if vagueOff[path.Base(agent)] || vagueOff[m.Agent] {
		return true
	}
	_, given := m.argument(args, keyMissingAsOff)
	p := m.parameter(keyMissingAsOff)
	return given || p != nil && isTrue(p.Default)
}

// Fingerprint is what decides whether an agent can prove anything, in one line. `ha-manager fence set`
// stores it, and the node that fences compares it with what the agent reports there.
func (m *Metadata) Fingerprint() string {
	var actions []string
	for _, op := range []operation{opOff, opOn, opReboot, opStatus} {
		if m.has(op) {
			actions = append(actions, string(op))
		}
	}
	automatic, method := "0", "-"
	if m.AutomaticOn {
		automatic = "1"
	}
	if p := m.parameter(keyMethod); p != nil {
		method = p.Default
	}
	return fmt.Sprintf("actions=%s automatic=%s method=%s", strings.Join(actions, ","), automatic, method)
}
