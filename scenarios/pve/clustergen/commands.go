package clustergen

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// operator draws what the operator does, from what it did before.
type operator struct {
	*clusterDraw
	inMaintenance   map[string]bool // nodes in maintenance, if no command was lost
	removedServices map[string]bool // services
	isDisarmed      bool
	// everMaintained and everDisarmed remember every node and the manager even if a later command takes
	// the first one back, because that command may be lost.
	everMaintained map[string]bool
	everDisarmed   bool
}

func newOperator(d *clusterDraw) *operator {
	return &operator{clusterDraw: d, inMaintenance: map[string]bool{}, everMaintained: map[string]bool{},
		removedServices: map[string]bool{}}
}

// restoreLater is how long after the end of the faults the last commands come.
const restoreLater = 25 * time.Second

// commandSteps is how finely the time of a command within its slot is drawn.
const commandSteps = 64

// drawCommands draws at most one command for each slot of CommandEvery, and those that restore the cluster.
func (o *operator) drawCommands(duration time.Duration) (out []haspec.Command) {
	every := o.limits.CommandEvery
	for begin := time.Duration(0); begin+every <= duration; begin += every {
		at := begin + every/commandSteps*time.Duration(o.drawBelow("command-at", commandSteps))
		on, run := o.drawNode("command-on"), o.drawCommand()
		if run != "" {
			out = append(out, haspec.Command{At: at, On: on, Run: run})
		}
	}
	return append(out, o.restoringCommands(duration)...)
}

// restoringCommands returns the commands that end maintenance and arm the manager again. Every node runs
// them, so that one that is up does; arming comes first, because a disarmed manager takes no other command.
func (o *operator) restoringCommands(duration time.Duration) (out []haspec.Command) {
	for _, on := range o.nodes {
		if o.everDisarmed {
			out = append(out, haspec.Command{At: duration, On: on, Run: string(ha.CommandArm)})
		}
		for _, node := range o.nodes {
			if o.everMaintained[node] {
				out = append(out, haspec.Command{At: duration + restoreLater, On: on,
					Run: string(ha.CommandDisableMaintenance) + " " + node})
			}
		}
	}
	return out
}

// drawCommand draws one line; "" is to do nothing, which is also the tamest choice.
func (o *operator) drawCommand() string {
	what := o.drawBelow("command", 16)
	sid, node := o.sids[o.drawBelow("command-sid", len(o.sids))], o.drawNode("command-node")
	value := o.drawBelow("command-value", 4)
	switch {
	case what < 4:
		return ""
	case what < 7:
		return strings.Join([]string{string(ha.CommandMigrate), sid, node}, " ")
	case what < 9:
		return strings.Join([]string{string(ha.CommandRelocate), sid, node}, " ")
	case what < 11:
		states := []ha.RequestedState{ha.WantStarted, ha.WantStarted, ha.WantStopped, ha.WantDisabled}
		return string(haspec.VerbSet) + " " + sid + " state " + string(states[value])
	case what == 11:
		return fmt.Sprintf("%s %s %d", string(ha.CommandStop), sid, value*10)
	case what < 14:
		return o.maintenanceCommand(node)
	case what == 14:
		return o.armCommand(value)
	}
	o.removedServices[sid] = !o.removedServices[sid]
	if o.removedServices[sid] {
		return string(haspec.VerbRemove) + " " + sid
	}
	return string(haspec.VerbAdd) + " " + sid
}

// maintenanceCommand puts a node into maintenance or, if one is in maintenance already, takes that one out.
func (o *operator) maintenanceCommand(node string) string {
	for _, out := range o.nodes {
		if o.inMaintenance[out] {
			delete(o.inMaintenance, out)
			return string(ha.CommandDisableMaintenance) + " " + out
		}
	}
	o.inMaintenance[node], o.everMaintained[node] = true, true
	return string(ha.CommandEnableMaintenance) + " " + node
}

// armCommand disarms the manager in one of the two ways, or arms it if it is disarmed.
func (o *operator) armCommand(value int) string {
	if o.isDisarmed {
		o.isDisarmed = false
		return string(ha.CommandArm)
	}
	o.isDisarmed, o.everDisarmed = true, true
	return string(ha.CommandDisarm) + " " + string([]ha.DisarmMode{ha.DisarmFreeze, ha.DisarmIgnore}[value%2])
}
