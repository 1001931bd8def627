package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
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
			x.at(50, 2, host.ProgramHeartbeat{Name: "vm:100", Phase: host.ProgramRunning})
		}, invalid},
		{"a program shows life without power", func(x *made) {
			x.at(49, 2, scenarios.Power{Cause: scenarios.CauseFault})
			x.at(50, 2, host.ProgramHeartbeat{Name: "other", Phase: host.ProgramRunning})
		}, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			c.prepare(x)
			x.require(newExclusion(x.cluster), c.want, linearizability.DoubleRun)
		})
	}
}
