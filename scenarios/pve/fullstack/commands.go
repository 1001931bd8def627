package fullstack

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
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
		return fmt.Errorf("%w: its daemons are not told to leave out rounds", ErrNotExpressible)
	}
	if !t.known(object) {
		return fmt.Errorf("unknown node: %w", conformance.ErrCommand)
	}
	return t.nodeCommand(at, verb, object, args)
}

func (t *translator) known(name string) bool {
	for _, n := range t.names {
		if n == name {
			return true
		}
	}
	return false
}

func (t *translator) nodeCommand(at time.Duration, verb, name string, args []string) error {
	arg := strings.Join(args, " ")
	switch verb + " " + arg {
	case "power on":
		t.powerOn(at, name)
	case "power off":
		if _, off := t.off[name]; !off {
			t.connect(at, name)
			t.off[name] = at
		}
	case "network on":
		t.connect(at, name)
	case "network off":
		if _, cut := t.cut[name]; !cut {
			t.cut[name] = at
		}
	default:
		return t.daemonCommand(at, verb, name, args)
	}
	return nil
}

func (t *translator) daemonCommand(at time.Duration, verb, name string, args []string) error {
	switch verb {
	case "cfs":
		return fmt.Errorf("%w: locks and files come from one store here, so a node that cannot read files "+
			"cannot renew its lock either and is fenced, whereas the scenario goes on renewing", ErrNotExpressible)
	case "crm":
		if len(args) > 0 {
			return t.crmCommand(at, name, args)
		}
	}
	return fmt.Errorf("%w: not translated yet", ErrNotExpressible)
}

func (t *translator) crmCommand(at time.Duration, name string, args []string) error {
	switch args[0] {
	case config.CommandEnableMaintenance, config.CommandDisableMaintenance:
		t.order(at, args[0]+" "+name)
	case config.CommandDisarm:
		if len(args) != 2 {
			return conformance.ErrCommand
		}
		t.order(at, args[0]+" "+args[1])
	case config.CommandArm:
		t.order(at, args[0])
	default:
		return fmt.Errorf("%w: not translated yet", ErrNotExpressible)
	}
	return nil
}

// order lets the operator do something at the console of a machine that is up.
func (t *translator) order(at time.Duration, run string) {
	t.orderOn(at, t.console(), run)
}

func (t *translator) orderOn(at time.Duration, on, run string) {
	t.ha.Commands = append(t.ha.Commands, pve.HACommand{At: at, On: on, Run: run})
}

// console is a machine at which an operator can work: one with power and network.
func (t *translator) console() string {
	for _, name := range t.names {
		_, off := t.off[name]
		_, cut := t.cut[name]
		if !off && !cut {
			return name
		}
	}
	return t.names[0]
}

func (t *translator) serviceCommand(at time.Duration, sid string, args []string) error {
	if len(args) == 0 {
		return conformance.ErrCommand
	}
	switch verb := args[0]; verb {
	case "started", "stopped", "disabled", "ignored", "enabled":
		t.order(at, "set "+sid+" state "+verb)
	case config.CommandMigrate, config.CommandRelocate, config.CommandStop:
		if len(args) != 2 {
			return conformance.ErrCommand
		}
		t.order(at, verb+" "+sid+" "+args[1])
	case "delete":
		t.order(at, "remove "+sid)
	default:
		return fmt.Errorf("%w: not translated yet", ErrNotExpressible)
	}
	return nil
}
