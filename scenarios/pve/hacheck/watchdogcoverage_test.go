package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestWhoWorksIsGuarded: agents and masters need an open connection to the watchdog for what they do.
func TestWhoWorksIsGuarded(t *testing.T) {
	opened := watchdog.ConnectionChange{Client: lrmProcess, Open: true}
	active := haproc.LRMStateChange{State: ha.LRMActive}
	start := haproc.CommandBegun{SID: "vm:100", State: ha.Started}
	for _, c := range []struct {
		name    string
		prepare func(x *made)
		want    linearizability.Validity
	}{
		{"an active agent with a connection", func(x *made) {
			x.at(10, 0, opened)
			x.at(11, 0, active)
		}, valid},
		{"without one", func(x *made) { x.at(11, 0, active) }, invalid},
		{"with that of another machine", func(x *made) {
			x.at(10, 1, opened)
			x.at(11, 0, active)
		}, invalid},
		{"with that of the manager", func(x *made) {
			x.at(10, 0, watchdog.ConnectionChange{Client: crmProcess, Open: true})
			x.at(11, 0, active)
		}, invalid},
		{"with one from before a reset", func(x *made) {
			x.at(10, 0, opened)
			x.at(20, 0, scenarios.Power{})
			x.at(30, 0, scenarios.Power{On: true, Boot: 2})
			x.at(40, 0, active)
		}, invalid},
		{"with a closed one", func(x *made) {
			x.at(10, 0, opened)
			x.at(11, 0, watchdog.ConnectionChange{Client: lrmProcess})
			x.at(12, 0, start)
		}, invalid},
		{"with one that it closed in the same round, to end", func(x *made) {
			x.at(10, 0, opened)
			x.at(11, 0, watchdog.ConnectionChange{Client: lrmProcess})
			x.at(14, 0, active)
		}, valid},
		{"with one that it closed in an earlier round", func(x *made) {
			x.at(10, 0, opened)
			x.at(11, 0, watchdog.ConnectionChange{Client: lrmProcess})
			x.at(12, 0, haproc.LRMStateChange{State: ha.LRMWaitForAgentLock})
			x.at(14, 0, active)
		}, invalid},
		{"a migration", func(x *made) {
			x.at(12, 0, haproc.CommandBegun{SID: "vm:100", State: ha.Migrate, Target: "n2"})
		}, invalid},
		{"a stop and an error need none", func(x *made) {
			x.at(12, 0, haproc.CommandBegun{SID: "vm:100", State: ha.Stopped})
			x.at(13, 0, haproc.CommandBegun{SID: "vm:100", State: ha.RequestStop})
			x.at(14, 0, haproc.CommandBegun{SID: "vm:100", State: ha.Error})
		}, valid},
		{"a master without one", func(x *made) {
			x.at(12, 0, haproc.CRMStateChange{State: ha.CRMMaster})
		}, invalid},
		{"a master that may be disarmed", func(x *made) {
			x.cluster.HA.Commands = []haspec.Command{{On: "n1", Run: "disarm-ha freeze"}}
			x.at(12, 0, haproc.CRMStateChange{State: ha.CRMMaster})
		}, valid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			c.prepare(x)
			x.require(newWatchdogCoverageCheck(x.cluster), c.want, Unguarded)
		})
	}
}
