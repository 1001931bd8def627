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
	*drawing
	maintained map[string]bool // nodes in maintenance, if no command was lost
	removed    map[string]bool // services
	disarmed   bool
	// everMaintained and everDisarmed remember every node and the manager even if a later command takes
	// the first one back, because that command may be lost.
	everMaintained map[string]bool
	everDisarmed   bool
}

func newOperator(d *drawing) *operator {
	return &operator{drawing: d, maintained: map[string]bool{}, everMaintained: map[string]bool{},
		removed: map[string]bool{}}
}

// restoreLater is how long after the end of the faults the last commands come.
const restoreLater = 25 * time.Second

// commandSteps is how finely the time of a command within its slot is drawn.
const commandSteps = 64

// commands draws at most one command for each slot of CommandEvery, and those that restore the cluster.
func (o *operator) commands(duration time.Duration) (out []haspec.Command) {
	every := o.random.CommandEvery
	for begin := time.Duration(0); begin+every <= duration; begin += every {
		at := begin + every/commandSteps*time.Duration(o.draw("command-at", commandSteps))
		on, run := o.node("command-on"), o.command()
		if run != "" {
			out = append(out, haspec.Command{At: at, On: on, Run: run})
		}
	}
	return append(out, o.restoring(duration)...)
}

// restoring returns the commands that end maintenance and arm the manager again. Every node runs them, so
// that one that is up does; arming comes first, because a disarmed manager takes no other command.
func (o *operator) restoring(duration time.Duration) (out []haspec.Command) {
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

// command draws one line; "" is to do nothing, which is also the tamest choice.
func (o *operator) command() string {
	what := o.draw("command", 16)
	sid, node := o.sids[o.draw("command-sid", len(o.sids))], o.node("command-node")
	value := o.draw("command-value", 4)
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
		return o.maintain(node)
	case what == 14:
		return o.arm(value)
	}
	o.removed[sid] = !o.removed[sid]
	if o.removed[sid] {
		return string(haspec.VerbRemove) + " " + sid
	}
	return string(haspec.VerbAdd) + " " + sid
}

// maintain puts a node into maintenance or, if one is in maintenance already, takes that one out.
func (o *operator) maintain(node string) string {
	for _, out := range o.nodes {
		if o.maintained[out] {
			delete(o.maintained, out)
			return string(ha.CommandDisableMaintenance) + " " + out
		}
	}
	o.maintained[node], o.everMaintained[node] = true, true
	return string(ha.CommandEnableMaintenance) + " " + node
}

// arm disarms the manager in one of the two ways, or arms it if it is disarmed.
func (o *operator) arm(value int) string {
	if o.disarmed {
		o.disarmed = false
		return string(ha.CommandArm)
	}
	o.disarmed, o.everDisarmed = true, true
	return string(ha.CommandDisarm) + " " + string([]ha.DisarmMode{ha.DisarmFreeze, ha.DisarmIgnore}[value%2])
}
