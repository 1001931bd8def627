package hacheck

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestWishesCountInTheOrderInWhichTheyCameTrue: a command that could not be given for long comes last.
func TestWishesCountInTheOrderInWhichTheyCameTrue(t *testing.T) {
	stop, start := "set vm:100 state stopped", "set vm:100 state started"
	for stopped, want := range map[int]linearizability.Validity{80: invalid, 300: valid} {
		x := running(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: stop},
			haspec.Command{At: 100 * time.Second, On: "n2", Run: start})
		x.at(75, 0, resource.Active{SID: "vm:100"})
		x.at(stopped, 2, haspec.OperatorDid{What: stop})
		x.at(111, 1, haspec.OperatorDid{What: start})
		x.require(recovery{}, want, LostService)
	}
}

// TestEqualCommandsOnTwoMachinesAreTwoCommands: the report of
// one does not complete the other.
func TestEqualCommandsOnTwoMachinesAreTwoCommands(t *testing.T) {
	stop, start := "set vm:100 state disabled", "set vm:100 state started"
	x := running(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: stop},
		haspec.Command{At: 80 * time.Second, On: "n1", Run: stop},
		haspec.Command{At: 90 * time.Second, On: "n2", Run: start})
	x.at(130, 2, haspec.OperatorDid{What: stop})
	x.at(131, 1, haspec.OperatorDid{What: start})
	x.at(132, 0, haspec.OperatorDid{What: stop})
	x.at(140, 0, resource.Active{SID: "vm:100"})
	x.require(recovery{}, valid, "")
}

// TestAnOrderToStopCountsWhenAMasterTakesIt: what was wanted in between is over then.
func TestAnOrderToStopCountsWhenAMasterTakesIt(t *testing.T) {
	stop, start := "stop vm:100 20", "set vm:100 state started"
	for taken, want := range map[int]linearizability.Validity{80: invalid, 140: valid} {
		x := running(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: stop},
			haspec.Command{At: 170 * time.Second, On: "n3", Run: start})
		x.at(75, 2, haspec.OperatorDid{What: stop})
		x.at(taken, 1, haproc.CommandsTaken{Batch: "made up", Lines: []string{stop}})
		x.at(taken, 0, resource.Active{SID: "vm:100"})
		x.at(190, 2, haspec.OperatorDid{What: start})
		x.require(recovery{}, want, LostService)
	}
}

// TestDisarmingMayComeAfterArming: an operator who can reach no quorum for long disarms after another one has
// armed, and then it is disarmed.
func TestDisarmingMayComeAfterArming(t *testing.T) {
	for disarmed, want := range map[int]linearizability.Validity{80: invalid, 200: valid} {
		x := running(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: "disarm-ha freeze"},
			haspec.Command{At: 100 * time.Second, On: "n2", Run: "arm-ha"})
		x.at(disarmed, 2, haspec.OperatorDid{What: "disarm-ha freeze"})
		x.at(130, 1, haspec.OperatorDid{What: "arm-ha"})
		x.at(210, 0, resource.Active{SID: "vm:100"})
		x.require(recovery{}, want, LostService)
	}
}
