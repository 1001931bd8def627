package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// asking is a running cluster whose services clients make requests for.
func asking(t *testing.T) *made {
	x := running(t)
	x.cluster.HA.Operations = &haspec.Operations{Count: 1}
	return x
}

func taken(batch string, lines ...string) haproc.CommandsTaken {
	return haproc.CommandsTaken{Batch: batch, Lines: lines}
}

// TestAnAcknowledgedMoveIsNotLost: a master takes it, and it begins or is refused.
func TestAnAcknowledgedMoveIsNotLost(t *testing.T) {
	const line = "migrate vm:100 n3"
	begins := haproc.CommandBegun{SID: "vm:100", Target: "n3", State: "migrate"}
	for _, c := range []struct {
		name    string
		prepare func(x *made)
		want    linearizability.Validity
	}{
		{"taken and begun", func(x *made) { x.at(310, 1, taken("a", line)); x.at(320, 0, begins) }, valid},
		{"taken and running there", func(x *made) {
			x.at(310, 1, taken("a", line))
			x.at(320, 2, resource.Active{SID: "vm:100", On: true})
		}, valid},
		{"taken and refused", func(x *made) {
			x.at(310, 1, taken("a", line))
			x.at(310, 1, haproc.CommandRefused{Command: ha.Command{Line: line},
				Reason: ha.RefusedAlreadyOnNode})
		}, valid},
		{"taken, and another one refused", func(x *made) {
			x.at(310, 1, taken("a", line))
			x.at(310, 1, haproc.CommandRefused{Command: ha.Command{Line: line + "0"}})
		}, invalid},
		{"taken, and nothing came of it", func(x *made) { x.at(310, 1, taken("a", line)) }, invalid},
		{"begun too late", func(x *made) { x.at(310, 1, taken("a", line)); x.at(490, 0, begins) }, invalid},
		{"nothing came of it, while a fault acted", func(x *made) {
			x.at(310, 1, taken("a", line))
			x.fault(400, 410, done(fault.Pause, "n3", ""))
		}, valid},
		{"never taken", func(x *made) { x.at(320, 0, begins) }, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := asking(t)
			x.requested(300, haspec.RequestMigrate, "vm:100", "n3", 9)
			c.prepare(x)
			x.require(requests{}, c.want, LostRequest)
		})
	}
}

// TestABatchIsCarriedOutOnce: a master that finds it done before reports so.
func TestABatchIsCarriedOutOnce(t *testing.T) {
	x := asking(t)
	x.at(310, 1, taken("a", "migrate vm:100 n3"))
	before := taken("a", "migrate vm:100 n3")
	before.Before = true
	x.at(320, 2, before)
	x.require(requests{}, valid, "")
	x.at(330, 2, taken("a", "migrate vm:100 n3"))
	x.require(requests{}, invalid, RepeatedRequest)
}

// TestAStopIsNotIgnored: a service that was stopped neither runs on nor begins to run.
func TestAStopIsNotIgnored(t *testing.T) {
	on, off := resource.Active{SID: "vm:100", On: true}, resource.Active{SID: "vm:100"}
	for _, c := range []struct {
		name    string
		prepare func(x *made)
		want    linearizability.Validity
	}{
		{"it ended", func(x *made) { x.at(310, 0, off) }, valid},
		{"it runs on", func(*made) {}, invalid},
		{"it begins again", func(x *made) { x.at(310, 0, off); x.at(600, 1, on); x.at(610, 1, off) },
			invalid},
		{"it is started again", func(x *made) {
			x.at(310, 0, off)
			x.requested(590, haspec.RequestStart, "vm:100", "", 10)
			x.at(600, 1, on)
		}, valid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := asking(t)
			x.requested(300, haspec.RequestStop, "vm:100", "", 9)
			c.prepare(x)
			x.require(requests{}, c.want, IgnoredStop)
		})
	}
}
