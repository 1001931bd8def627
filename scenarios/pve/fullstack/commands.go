package fullstack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// command translates one command of a scenario.
func (t *translator) command(at time.Duration, text string) error {
	words := strings.Fields(text)
	if len(words) < 2 {
		return conformance.ErrCommand
	}
	verb, object, args := words[0], words[1], words[2:]
	switch verb {
	case "service":
		return t.serviceCommand(at, object, args)
	case "skip-round":
		return t.skipRounds(at, object, args)
	}
	if !t.isKnownNode(object) {
		return fmt.Errorf("unknown node: %w", conformance.ErrCommand)
	}
	return t.nodeCommand(at, verb, object, args)
}

// skipRounds pauses all daemons of a kind for as long as the rounds take that they must skip.
func (t *translator) skipRounds(at time.Duration, daemonName string, args []string) error {
	rounds := 1
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of rounds: %w", args[0], conformance.ErrCommand)
		}
		rounds = n
	}
	process := map[string]string{"crm": haproc.CRMProcess, "lrm": haproc.LRMProcess}[daemonName]
	if process == "" {
		return fmt.Errorf("unknown daemon: %w", conformance.ErrCommand)
	}
	var machines []string
	for _, name := range t.names {
		if _, off := t.powerOffSince[name]; !off {
			machines = append(machines, name)
		}
	}
	if rounds == 0 || len(machines) == 0 {
		return nil
	}
	t.faults = append(t.faults, fault.Fault{Kind: fault.Pause, Process: process, Machines: machines,
		At: at, For: time.Duration(rounds) * conformance.RoundOf(len(t.names))})
	return nil
}

// isKnownNode reports whether a node is one of the scenario's.
func (t *translator) isKnownNode(name string) bool { return slices.Contains(t.names, name) }

// nodeCommand translates a command about a node's power or network, or about its daemons.
func (t *translator) nodeCommand(at time.Duration, verb, name string, args []string) error {
	arg := strings.Join(args, " ")
	switch verb + " " + arg {
	case "power on":
		t.powerOn(at, name)
	case "power off":
		if _, off := t.powerOffSince[name]; !off {
			t.connect(at, name)
			t.powerOffSince[name] = at
		}
	case "network on":
		t.connect(at, name)
	case "network off":
		if _, cut := t.networkCutSince[name]; !cut {
			t.networkCutSince[name] = at
			t.perhapsOff[name] = true
		}
	default:
		return t.daemonCommand(at, verb, name, args)
	}
	return nil
}

// daemonCommand translates a command about the daemons of a node.
func (t *translator) daemonCommand(at time.Duration, verb, name string, args []string) error {
	switch {
	case verb == "cfs":
		return fmt.Errorf("%w: locks and files come from one store here, so a node that cannot read files "+
			"cannot renew its lock either and is fenced, whereas the scenario continues to renew it",
			ErrNotExpressible)
	case verb == "shutdown" || verb == "reboot":
		t.addOperatorCommand(at, name, verb)
		t.perhapsOff[name] = true
	case verb == "restart-lrm":
		t.addOperatorCommand(at, name, verb)
	case verb == "pve-manager-version" && len(args) == 2 && args[0] == "set":
		t.addOperatorCommand(at, name, "version "+args[1])
	case verb == "crm" && len(args) > 0:
		return t.crmCommand(at, name, args)
	default:
		return conformance.ErrCommand
	}
	return nil
}

// crmCommand translates a command to the CRM of a node.
func (t *translator) crmCommand(at time.Duration, name string, args []string) error {
	switch ha.CommandVerb(args[0]) {
	case ha.CommandEnableMaintenance, ha.CommandDisableMaintenance:
		t.addMasterCommand(at, args[0]+" "+name)
	case ha.CommandDisarm:
		if len(args) != 2 {
			return conformance.ErrCommand
		}
		t.addMasterCommand(at, args[0]+" "+args[1])
	case ha.CommandArm:
		t.addMasterCommand(at, args[0])
	case "stop", "start":
		t.addOperatorCommand(at, name, args[0]+"-crm")
	default:
		return conformance.ErrCommand
	}
	return nil
}

// addMasterCommand has the operator run a command at the console of a machine that is up.
func (t *translator) addMasterCommand(at time.Duration, run string) {
	t.addOperatorCommand(at, t.consoleMachine(), run)
}

// addOperatorCommand has the operator run a command on a machine.
func (t *translator) addOperatorCommand(at time.Duration, on, run string) {
	t.haSpec.Commands = append(t.haSpec.Commands, haspec.Command{At: at, On: on, Run: run})
}

// consoleMachine is a machine at which an operator can work: one with power and network, and, if there is
// such a machine, one that cannot have gone off by itself. A command at a machine that is off is lost.
func (t *translator) consoleMachine() string {
	best := ""
	for _, name := range t.names {
		_, off := t.powerOffSince[name]
		_, cut := t.networkCutSince[name]
		switch {
		case off || cut:
		case !t.perhapsOff[name]:
			return name
		case best == "":
			best = name
		}
	}
	if best == "" {
		return t.names[0]
	}
	return best
}

// serviceCommand translates a command about a service.
func (t *translator) serviceCommand(at time.Duration, sid string, args []string) error {
	if len(args) == 0 {
		return conformance.ErrCommand
	}
	switch verb := args[0]; ha.CommandVerb(verb) {
	case "started", "stopped", "disabled", "ignored", "enabled":
		t.addMasterCommand(at, "set "+sid+" state "+verb)
	case ha.CommandMigrate, ha.CommandRelocate, ha.CommandStop:
		if len(args) != 2 {
			return conformance.ErrCommand
		}
		t.addMasterCommand(at, verb+" "+sid+" "+args[1])
	case "delete":
		t.addMasterCommand(at, "remove "+sid)
	case "add":
		return t.addService(at, sid, args[1:])
	case "manual-migrate":
		if len(args) != 2 {
			return conformance.ErrCommand
		}
		for _, name := range t.names { // the node that has the guest moves it
			t.addOperatorCommand(at, name, "move "+sid+" "+args[1])
		}
	case "lock":
		t.addMasterCommand(at, "lock "+sid+" "+strings.Join(append(args[1:], defaultLock)[:1], ""))
	case "unlock":
		t.addMasterCommand(at, "unlock "+sid)
	case "set-static-stats", "set-dynamic-stats":
		return t.setStats(at, sid, args[1:])
	default:
		return conformance.ErrCommand
	}
	return nil
}

// defaultLock is the name of a guest's lock that has none.
const defaultLock = "backup"

// addService translates the command that creates a service.
func (t *translator) addService(at time.Duration, sid string, args []string) error {
	if len(args) == 0 || !t.isKnownNode(args[0]) {
		return fmt.Errorf("unknown node: %w", conformance.ErrCommand)
	}
	state := "started"
	if len(args) > 1 {
		state = args[1]
	}
	t.guestSizes[sid] = t.source.GuestSize(sid)
	t.describeGuest(sid)
	t.addLoad(0, sid)
	if len(args) > 2 && args[2] == "1" {
		// It runs before the HA manager learns of it.
		t.addOperatorCommand(at-commandGap/2, args[0], "start "+sid)
	}
	t.addMasterCommand(at, "create "+sid+" "+args[0]+" "+state)
	return nil
}

// setStats changes what a guest may use, or what it uses.
func (t *translator) setStats(at time.Duration, sid string, args []string) error {
	if len(args)%2 != 0 {
		return fmt.Errorf("names and values do not pair up: %w", conformance.ErrCommand)
	}
	size, resized := t.guestSizes[sid], false
	for i := 0; i < len(args); i += 2 {
		value, err := strconv.ParseFloat(args[i+1], 64)
		if err != nil {
			return fmt.Errorf("%q is not a number: %w", args[i+1], conformance.ErrCommand)
		}
		switch args[i] {
		case "maxcpu":
			size.CPUs, resized = value, true
		case "maxmem":
			size.MemBytes, resized = value*mebibyte, true
		case "cpu":
			size.UsedCPUs = value
		case "mem":
			size.UsedMemBytes = value * mebibyte
		default:
			return fmt.Errorf("unknown statistic %q: %w", args[i], conformance.ErrCommand)
		}
	}
	t.guestSizes[sid] = size
	t.addLoad(at, sid)
	if resized {
		t.addMasterCommand(at, fmt.Sprintf("resize %s %.0f %.0f", sid, size.CPUs, size.MemBytes/mebibyte))
	}
	return nil
}
