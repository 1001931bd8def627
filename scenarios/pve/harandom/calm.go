package harandom

import "fmt"

// calmSeconds is the time for a command to take effect: a node that is lost is given up after 60 s, its lock
// expires after 120 s, and services start and move in rounds of up to 20 s.
const calmSeconds = 400

// calm is what earlier commands of a calm folder have left.
type calm struct {
	away       string // the node that is off
	maintained string // the node in maintenance
	disarmed   bool
}

// calmDraw draws the commands of a calm folder.
type calmDraw struct{ *folderDraw }

// drawCommands draws one command at a time, and ends with everything repaired.
func (d calmDraw) drawCommands() [][]string {
	groups, state := [][]string{d.allOn(false)}, &calm{}
	wait := fmt.Sprintf("delay %d", calmSeconds)
	for range 1 + d.below("groups", mostGroups) {
		groups = append(groups, []string{d.calmCommand(state), wait})
	}
	for _, command := range state.repairs(d.nodes[0]) {
		groups = append(groups, []string{command, wait})
	}
	return groups
}

// repairs returns the commands that end what earlier ones have left.
func (s *calm) repairs(node string) (commands []string) {
	if s.away != "" {
		commands = append(commands, "power "+s.away+" on")
	}
	if s.disarmed {
		commands = append(commands, "crm "+node+" arm-ha")
	}
	if s.maintained != "" {
		commands = append(commands, "crm "+s.maintained+" disable-node-maintenance")
	}
	return commands
}

// calmCommand draws a command that has one effect, whatever earlier ones have left.
func (d calmDraw) calmCommand(s *calm) string {
	switch kind := d.below("calm-command", 6); {
	case kind == 0 && s.away == "" && s.maintained == "" && !s.disarmed:
		return d.calmLoss(s)
	case kind == 0 && s.away != "":
		node := s.away
		s.away = ""
		return "power " + node + " on"
	case kind == 1 && s.away == "" && !s.disarmed:
		return d.calmMaintenance(s)
	case kind == 2 && d.about == withDisarming && s.away == "" && s.maintained == "":
		if s.disarmed = !s.disarmed; s.disarmed {
			return fmt.Sprintf("crm %s disarm-ha %s", d.nodes[0], d.pick("disarm-mode", "freeze", "ignore"))
		}
		return "crm " + d.nodes[0] + " arm-ha"
	case kind == 3 && !s.disarmed:
		return fmt.Sprintf("service %s %s %s", d.sid("commanded"), d.pick("move", "migrate", "relocate"),
			d.node("target"))
	}
	return fmt.Sprintf("service %s %s", d.sid("commanded"), d.pick("wanted", "started", "started", "stopped",
		"disabled"))
}

// calmLoss takes a node away: by its power, by its network, which ends with its watchdog, or in order.
func (d calmDraw) calmLoss(s *calm) string {
	node := d.node("machine")
	switch d.below("loss", 4) {
	case 0:
		s.away = node
		return "power " + node + " off"
	case 1:
		s.away = node
		return "network " + node + " off"
	case 2:
		s.away = node
		return "shutdown " + node
	}
	return "reboot " + node
}

func (d calmDraw) calmMaintenance(s *calm) string {
	if s.maintained != "" {
		node := s.maintained
		s.maintained = ""
		return "crm " + node + " disable-node-maintenance"
	}
	s.maintained = d.node("maintained")
	return "crm " + s.maintained + " enable-node-maintenance"
}
