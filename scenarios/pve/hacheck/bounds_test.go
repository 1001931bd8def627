package hacheck

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestBoundsOfTheScenario: how often services moved, and how long they were down, as the scenario allows.
func TestBoundsOfTheScenario(t *testing.T) {
	on, off := resource.Active{SID: "vm:100", On: true}, resource.Active{SID: "vm:100"}
	x := running(t)
	x.at(50, 0, off)
	x.at(70, 2, on)
	x.at(80, 2, on)
	for most, want := range map[int]linearizability.Validity{0: invalid, 1: valid} {
		x.cluster.HA.Moves = &haspec.Moves{AtMost: most}
		x.require(newMoveCountCheck(x.cluster), want, WrongMoves)
	}
	x.cluster.HA.Moves = &haspec.Moves{AtLeast: 2, AtMost: 3}
	x.require(newMoveCountCheck(x.cluster), invalid, WrongMoves)
	for most, want := range map[time.Duration]linearizability.Validity{seconds(19): invalid,
		seconds(20): valid} {
		x.cluster.HA.DownAtMost = map[string]time.Duration{"vm:100": most}
		x.require(totalDowntime{}, want, TooLongDown)
		require.Contains(t, x.verdict(totalDowntime{}).Summary, "vm:100 was down for 20s")
	}
}
