package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

func TestAServiceRunsOnOneMachine(t *testing.T) {
	on, off := resource.Active{SID: "vm:100", On: true}, resource.Active{SID: "vm:100"}
	for _, c := range []struct {
		name    string
		prepare func(x *made)
		want    linearizability.Validity
	}{
		{"it moves", func(x *made) { x.at(50, 0, off); x.at(50, 2, on) }, valid},
		{"it runs twice", func(x *made) { x.at(50, 2, on); x.at(51, 0, off) }, invalid},
		{"its machine lost its power", func(x *made) { x.at(49, 0, scenarios.Power{}); x.at(50, 2, on) },
			valid},
		{"the host of the guests ended", func(x *made) {
			x.at(49, 0, resource.HostStarted{})
			x.at(50, 2, on)
		}, valid},
		{"a fault killed that host", func(x *made) {
			x.fault(49, 60, done(fault.Kill, "n1", resource.HostProcess))
			x.at(50, 2, on)
		}, valid},
		{"a fault killed something else", func(x *made) {
			x.fault(49, 60, done(fault.Kill, "n1", lrmProcess))
			x.at(50, 2, on)
		}, invalid},
		{"a program shows life elsewhere", func(x *made) {
			x.at(50, 2, programs.Heartbeat{Name: "vm:100", Phase: programs.Running})
		}, invalid},
		{"a program shows life without power", func(x *made) {
			x.at(49, 2, scenarios.Power{Cause: scenarios.CauseFault})
			x.at(50, 2, programs.Heartbeat{Name: "other", Phase: programs.Running})
		}, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			c.prepare(x)
			x.require(newExclusionCheck(x.cluster), c.want, linearizability.DoubleRun)
		})
	}
}

// TestHeartbeatsCountAsStarts: the check believes what programs show, whatever the HA manager reports.
func TestHeartbeatsCountAsStarts(t *testing.T) {
	life := func(phase programs.Phase) programs.Heartbeat {
		return programs.Heartbeat{Name: "vm:100", Phase: phase}
	}
	starting, running := life(programs.Starting), life(programs.Running)
	off, on := scenarios.Power{Cause: scenarios.CauseWatchdog}, scenarios.Power{On: true, Boot: 2}
	for name, c := range map[string]struct {
		records []record
		want    linearizability.Validity
	}{
		"one machine after the other": {[]record{{1, 0, starting}, {2, 0, running}, {3, 0, off},
			{4, 1, starting},
			{5, 1, running}}, valid},
		"nothing has ended the first": {[]record{{1, 0, starting}, {4, 1, starting}}, invalid},
		"the first was not dead": {[]record{{1, 0, starting}, {3, 0, off}, {4, 1, starting}, {5, 0, running}},
			invalid},
		"life without power, and no other machine": {[]record{{1, 0, starting}, {3, 0, off}, {5, 0, running}},
			invalid},
		"after the power came back": {[]record{{1, 0, starting}, {3, 0, off}, {4, 0, on}, {5, 0, starting}},
			valid},
	} {
		t.Run(name, func(t *testing.T) {
			x := empty(t, haspec.Spec{Services: placed})
			for _, r := range c.records {
				x.at(r.second, r.machine, r.what)
			}
			x.require(newExclusionCheck(x.cluster), c.want, linearizability.DoubleRun)
		})
	}
}
