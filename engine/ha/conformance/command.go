package conformance

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
	"github.com/holdfast-sim/holdfast/engine/ha/manager"
)

const defaultGuestLock = "backup"

// executeCommand executes one command of a scenario. who is the actor that the log names.
func (w *world) executeCommand(text, who string) error {
	w.logLine("info", w.nowSeconds, who, "execute "+text)
	words := strings.Fields(text)
	if len(words) < 2 {
		return fmt.Errorf("execute %q: %w", text, ErrCommand)
	}
	verb, object, args := words[0], words[1], words[2:]
	switch verb {
	case "service":
		return commandError(text, w.serviceCommand(object, args))
	case "skip-round":
		return commandError(text, w.skipRounds(object, args))
	}
	node := w.nodes[object]
	if node == nil {
		return fmt.Errorf("execute %q: unknown node: %w", text, ErrCommand)
	}
	return commandError(text, w.nodeCommand(verb, node, args))
}

func commandError(text string, err error) error {
	if err != nil {
		return fmt.Errorf("execute %q: %w", text, err)
	}
	return nil
}

func (w *world) skipRounds(daemon string, args []string) error {
	rounds := 1
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of rounds: %w", args[0], ErrCommand)
		}
		rounds = n
	}
	switch daemon {
	case "crm":
		w.skipCRM += rounds
	case "lrm":
		w.skipLRM += rounds
	default:
		return fmt.Errorf("unknown daemon %q: %w", daemon, ErrCommand)
	}
	return nil
}

func (w *world) nodeCommand(verb string, node *machine, args []string) error {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch verb {
	case "power", "network":
		if arg(0) != "on" && arg(0) != "off" {
			return fmt.Errorf("neither on nor off: %w", ErrCommand)
		}
		on := arg(0) == "on"
		if verb == "network" {
			node.hasNetwork = on
		} else {
			w.setPower(node, on)
		}
	case "cfs":
		if arg(1) != "work" && arg(1) != "fail" {
			return fmt.Errorf("neither work nor fail: %w", ErrCommand)
		}
		broken := arg(1) == "fail"
		switch arg(0) {
		case "rw":
			node.storeBroken = broken
		case "update":
			node.refreshBroken = broken
		default:
			return fmt.Errorf("neither rw nor update: %w", ErrCommand)
		}
	case "reboot", "shutdown":
		node.shutdownKind = verb
		if node.lrm != nil {
			node.lrm.RequestShutdown()
		}
	case "restart-lrm":
		if node.lrm != nil {
			node.restartLRM = true
			node.lrm.RequestShutdown()
		}
	case "crm":
		return w.crmCommand(node, arg(0), arg(1))
	case "pve-manager-version":
		if arg(0) != "set" || arg(1) == "" {
			return fmt.Errorf("version is missing: %w", ErrCommand)
		}
		node.version = arg(1)
	default:
		return ErrCommand
	}
	return nil
}

// setPower switches a node and its network on or off, and ends a shutdown that was requested. Only a node
// that was off is booted, and only one that was on loses what runs on it.
func (w *world) setPower(node *machine, on bool) {
	was := node.hasPower
	node.hasPower, node.hasNetwork, node.shutdownKind = on, on, ""
	switch {
	case was == on:
	case on:
		w.startCRM(node)
		w.startLRM(node)
		node.restartLRM, node.storeBroken, node.refreshBroken = false, false, false
	default:
		if node.crm != nil {
			node.crmEnv.Log(ha.LevelInfo, "killed by poweroff")
		}
		if node.lrm != nil {
			node.lrmEnv.Log(ha.LevelInfo, "killed by poweroff")
		}
		node.crm, node.lrm, node.restartLRM = nil, nil, false
		node.runningGuests, node.staleGuests = map[string]bool{}, map[string]bool{}
		w.clearWatchdogs(node)
	}
}

func (w *world) startCRM(node *machine) {
	if node.crm == nil {
		node.crm = manager.NewCRM(node.crmEnv)
	}
}

func (w *world) startLRM(node *machine) {
	if node.lrm == nil {
		node.lrm = lrm.New(node.lrmEnv, w.executor(node.lrmEnv), &w.statusMark)
	}
}

func (w *world) crmCommand(node *machine, name, arg string) error {
	switch ha.CommandVerb(name) {
	case "stop":
		if node.crm != nil {
			node.crm.RequestShutdown()
		}
	case "start":
		w.startCRM(node)
	case ha.CommandEnableMaintenance, ha.CommandDisableMaintenance:
		w.commands = append(w.commands, name+" "+node.name)
	case ha.CommandDisarm:
		w.commands = append(w.commands, name+" "+arg)
	case ha.CommandArm:
		w.commands = append(w.commands, name)
	default:
		return fmt.Errorf("unknown crm command: %w", ErrCommand)
	}
	return nil
}

func (w *world) serviceCommand(sid string, args []string) error {
	if _, _, err := ha.SplitSID(sid); err != nil {
		return fmt.Errorf("%w: %w", ErrCommand, err)
	}
	if len(args) == 0 {
		return fmt.Errorf("nothing to do: %w", ErrCommand)
	}
	if args[0] == "add" {
		return w.addService(sid, args[1:])
	}
	switch verb := args[0]; ha.CommandVerb(verb) {
	case ha.CommandMigrate, ha.CommandRelocate, ha.CommandStop:
		if len(args) != 2 {
			return fmt.Errorf("one argument is needed: %w", ErrCommand)
		}
		// the manager decides whether there is such a service
		w.commands = append(w.commands, verb+" "+sid+" "+args[1])
		return nil
	}
	cd := w.services[sid]
	if cd == nil {
		return fmt.Errorf("no such service: %w", ErrCommand)
	}
	if state, err := config.NormalState(args[0]); err == nil {
		cd.State = state
		return nil
	}
	switch args[0] {
	case "manual-migrate":
		return w.manualMigrate(sid, args[1:])
	case "delete":
		delete(w.services, sid)
	case "lock":
		w.guestLocks[sid] = defaultGuestLock
		if len(args) > 1 {
			w.guestLocks[sid] = args[1]
		}
	case "unlock":
		if len(args) < 2 || args[1] == w.guestLocks[sid] {
			delete(w.guestLocks, sid)
		}
	case "set-static-stats", "set-dynamic-stats":
		return w.setGuestStats(sid, args[1:])
	default:
		return ErrCommand
	}
	return nil
}

func (w *world) addService(sid string, args []string) error {
	if len(args) == 0 || w.nodes[args[0]] == nil {
		return fmt.Errorf("unknown node: %w", ErrCommand)
	}
	if w.services[sid] != nil {
		return fmt.Errorf("service exists already: %w", ErrCommand)
	}
	cd := config.DefaultService(ha.SIDType(sid))
	cd.Node, cd.State = args[0], ha.WantStarted
	if len(args) > 1 {
		state, err := config.NormalState(args[1])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCommand, err)
		}
		cd.State = state
	}
	w.services[sid] = cd
	w.guestStats[sid] = defaultGuestStats()
	node, runs := w.nodes[cd.Node], len(args) > 2 && args[2] == "1"
	w.setRunning(sid, node, runs && node.hasPower)
	if runs && !node.hasPower {
		node.staleGuests[sid] = true // nothing runs on a machine that is off, whatever the command wants
	}
	return nil
}

// manualMigrate moves a guest without HA, which HA allows only for guests that it does not manage.
func (w *world) manualMigrate(sid string, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one node is needed: %w", ErrCommand)
	}
	disarm := w.manager.Disarm
	if w.services[sid].State != ha.WantIgnored && (disarm == nil || disarm.Mode != ha.DisarmIgnore) {
		return fmt.Errorf("service is managed by HA: %w", ErrCommand)
	}
	from := w.services[sid].Node
	if err := w.moveService(sid, from, args[0]); err != nil {
		return err
	}
	if w.nodes[from].runningGuests[sid] {
		w.setRunning(sid, w.nodes[from], false)
		w.nodes[from].staleGuests[sid] = true
	}
	return nil
}

func (w *world) setGuestStats(sid string, args []string) error {
	stats := w.guestStats[sid]
	if stats == nil {
		stats = defaultGuestStats()
		w.guestStats[sid] = stats
	}
	if len(args)%2 != 0 {
		return fmt.Errorf("names and values do not pair up: %w", ErrCommand)
	}
	for i := 0; i < len(args); i += 2 {
		value, err := strconv.ParseFloat(args[i+1], 64)
		if err != nil {
			return fmt.Errorf("%q is not a number: %w", args[i+1], ErrCommand)
		}
		switch args[i] {
		case "maxcpu":
			stats.maxCPU = value
		case "maxmem":
			stats.maxMem = value * mebibyte
		case "cpu":
			stats.cpu = value
		case "mem":
			stats.mem = value * mebibyte
		default:
			return fmt.Errorf("unknown statistic %q: %w", args[i], ErrCommand)
		}
	}
	return nil
}
