package hacheck

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestAWatchdogIsArmedForAReason: an agent's where a service is, was or comes, or that a command names.
func TestAWatchdogIsArmedForAReason(t *testing.T) {
	agent := watchdog.ConnectionChange{Client: lrmProcess, Open: true}
	for _, c := range []struct {
		name    string
		prepare func(x *made)
		want    linearizability.Validity
	}{
		{"where the service is", func(x *made) { x.at(50, 0, agent) }, valid},
		{"where nothing ever was", func(x *made) { x.at(50, 2, agent) }, invalid},
		{"where a service comes soon", func(x *made) {
			x.at(50, 2, agent)
			x.at(100, 0, haproc.CommandBegun{SID: "vm:100", Target: "n3"})
		}, valid},
		{"where a service comes much later", func(x *made) {
			x.at(50, 2, agent)
			x.at(120, 0, haproc.CommandBegun{SID: "vm:100", Target: "n3"})
		}, invalid},
		{"where a service may go that cannot start", func(x *made) { // its node is lost before the move
			x.at(40, 0, haproc.CommandDone{SID: "vm:100", UID: "u", State: ha.Started,
				ExitCode: ha.ExitError})
			x.at(50, 2, agent)
		}, valid},
		{"where the operator wants a service", func(x *made) {
			x.cluster.HA.Commands = []haspec.Command{{At: 20 * time.Second, On: "n1",
				Run: "migrate vm:100 n3"}}
			x.at(50, 2, agent)
		}, valid},
		{"where rules may offer services to any node", func(x *made) {
			x.cluster.HA.Rules = "node-affinity: here\n\tresources vm:100\n\tnodes n1\n"
			x.at(50, 2, agent)
		}, valid},
		{"the manager's", func(x *made) {
			x.at(50, 2, watchdog.ConnectionChange{Client: crmProcess,
				Open: true})
		},
			valid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			c.prepare(x)
			x.require(resets{}, c.want, IdleWatchdog)
		})
	}
	x := empty(t, haspec.Spec{})
	x.at(50, 2, watchdog.ConnectionChange{Client: crmProcess, Open: true})
	x.require(resets{}, invalid, IdleWatchdog) // a manager without services and commands
}
