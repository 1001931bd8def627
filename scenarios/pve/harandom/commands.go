package harandom

import "fmt"

// wildDraw draws the commands of a wild folder.
type wildDraw struct{ *folderDraw }

// drawCommands draws the groups of commands. The first one switches every node on.
func (d wildDraw) drawCommands() [][]string {
	groups := [][]string{d.allOn(false)}
	if d.oneIn("left-off", 4) {
		groups[0] = groups[0][:len(groups[0])-1] // the last node is not switched on at first
	}
	for range 1 + d.below("groups", mostGroups) {
		var group []string
		for range 1 + d.below("commands", mostCommands) {
			group = append(group, d.command())
		}
		groups = append(groups, group)
	}
	if d.below("repair", 3) == 0 {
		groups = append(groups, d.allOn(true))
	}
	return groups
}

// allOn switches the power of all nodes on, and their networks as well.
func (d *folderDraw) allOn(network bool) (group []string) {
	for _, node := range d.nodes {
		group = append(group, "power "+node+" on")
	}
	if network {
		for _, node := range d.nodes {
			group = append(group, "network "+node+" on")
		}
	}
	return group
}

// command draws one command.
func (d wildDraw) command() string {
	kinds := []func() string{d.machineCommand, d.machineCommand, d.daemonCommand, d.serviceCommand,
		d.serviceCommand, d.serviceCommand, d.maintenanceCommand, d.worldCommand}
	if d.about == withDisarming {
		kinds = append(kinds, d.disarmCommand, d.disarmCommand, d.disarmCommand)
	} else if d.about == general {
		kinds = append(kinds, d.disarmCommand)
	}
	return kinds[d.below("command", len(kinds))]()
}

func (d wildDraw) machineCommand() string {
	node := d.node("machine")
	switch d.below("machine-command", 6) {
	case 0, 1:
		return fmt.Sprintf("power %s %s", node, d.pick("power", "on", "off"))
	case 2, 3:
		return fmt.Sprintf("network %s %s", node, d.pick("network", "on", "off"))
	case 4:
		return "reboot " + node
	}
	return "shutdown " + node
}

func (d wildDraw) daemonCommand() string {
	node := d.node("daemon")
	switch d.below("daemon-command", 3) {
	case 0:
		return "restart-lrm " + node
	case 1:
		return "crm " + node + " stop"
	}
	return "crm " + node + " start"
}

func (d wildDraw) maintenanceCommand() string {
	verb := d.pick("maintenance", "enable", "disable")
	return fmt.Sprintf("crm %s %s-node-maintenance", d.node("maintained"), verb)
}

func (d wildDraw) disarmCommand() string {
	node := d.node("disarming")
	if d.below("arm", 3) == 0 {
		return "crm " + node + " arm-ha"
	}
	return fmt.Sprintf("crm %s disarm-ha %s", node, d.pick("disarm-mode", "freeze", "ignore"))
}

func (d wildDraw) worldCommand() string {
	switch d.below("world-command", 4) {
	case 0:
		return fmt.Sprintf("delay %d", d.below("delay", maxDelaySeconds))
	case 1:
		daemon := d.pick("skipped", "crm", "lrm")
		return fmt.Sprintf("skip-round %s %d", daemon, 1+d.below("skipped-rounds", 4))
	case 2:
		return fmt.Sprintf("cfs %s update %s", d.node("cfs-node"), d.pick("cfs", "work", "fail"))
	}
	return fmt.Sprintf("cfs %s rw %s", d.node("cfs-node"), d.pick("cfs", "work", "fail"))
}

func (d wildDraw) serviceCommand() string {
	sid := d.sid("commanded")
	switch d.below("service-command", 7) {
	case 0, 1:
		return fmt.Sprintf("service %s %s", sid, d.pick("wanted", "started", "started", "stopped",
			"disabled", "ignored"))
	case 2, 3:
		return fmt.Sprintf("service %s %s %s", sid, d.pick("move", "migrate", "relocate"), d.node("target"))
	case 4:
		return fmt.Sprintf("service %s stop %s", sid, d.pick("timeout", "0", "60"))
	case 5:
		return fmt.Sprintf("service %s lock %s", sid, d.pick("new-lock", "backup", "migrate", "create"))
	}
	return fmt.Sprintf("service %s unlock", sid)
}
