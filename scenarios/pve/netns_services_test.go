package pve_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// takeover is longer than the HA manager may need: when the machine that is lost was its master,
// both of its locks have to run out one after the other.
const takeover = haspec.DefaultRecoverWithin + 50*time.Second

// haStory loses a machine to a power cut and, when that is over, another to a pause: its watchdog
// resets it, and then it has no power to boot with.
func haStory(t *testing.T) (*scenarios.Scenario, scenarios.Subject) {
	t.Helper()
	s := scenarios.New("ha-on-real-nodes").Story("A machine loses its power, later another one freezes.").
		Machines(3).Warmup(60*time.Second).Duration(720*time.Second).Quiescence(60*time.Second).
		At(40*time.Second).PowerCut("n1").For(takeover).
		At(390*time.Second).PauseMachine("n2").For(18*time.Second).
		At(409*time.Second).PowerCut("n2").For(takeover).
		Subject(pve.Kind, pve.Spec{HA: &haspec.Spec{
			Services: map[string]string{"vm:100": "n1", "vm:101": "n2"}}}).MustBuild()
	subject, err := pve.Decode(s)
	require.NoError(t, err)
	return s, subject
}

// TestHighAvailabilityOnRealNodes: the services of a dead machine start elsewhere, once, and those
// of a paused one only after its watchdog has ended them.
func TestHighAvailabilityOnRealNodes(t *testing.T) {
	chaostest.Need(t)
	s, subject := haStory(t)
	run := chaostest.Run(t, s, subject, chaostest.Timescale(timescale.Ratio{Num: 1, Den: 8}))

	var offs, ons []scenarios.Stamped
	begun := map[string][]scenarios.Stamped{}
	for _, r := range run.Records {
		switch rec := r.Record.(type) {
		case scenarios.Power:
			if rec.On {
				ons = append(ons, r)
			} else {
				offs = append(offs, r)
			}
		case programs.Heartbeat:
			if rec.Phase == programs.Starting {
				begun[rec.Name] = append(begun[rec.Name], r)
			}
			if len(offs) > 0 && offs[0].Machine == r.Machine && len(ons) == 0 {
				t.Errorf("%s shows life on a machine without power at %v", rec.Name, r.At)
			}
		}
	}
	require.Len(t, offs, 2)
	require.Equal(t, scenarios.CauseFault, offs[0].Record.(scenarios.Power).Cause)
	require.Equal(t, scenarios.CauseWatchdog, offs[1].Record.(scenarios.Power).Cause)
	require.Equal(t, env.MachineID(1), offs[1].Machine)
	require.Less(t, offs[1].At, run.Applied[1].Ended[0], "the watchdog acts while the machine stands still")
	for i, off := range offs {
		var moved []scenarios.Stamped
		for _, list := range begun {
			before := -1
			for n, b := range list {
				if b.At < off.At {
					before = n
				}
			}
			if before < 0 || list[before].Machine != off.Machine {
				continue // it lived elsewhere
			}
			require.Greater(t, len(list), before+1, "it did not start again")
			moved = append(moved, list[before+1])
		}
		require.NotEmpty(t, moved, "nothing ran on the machine that was lost")
		for _, m := range moved {
			require.NotEqual(t, off.Machine, m.Machine)
			require.Greater(t, m.At, off.At)
		}
		require.Less(t, run.Applied[i].Begun[0], moved[0].At)
	}
	require.Len(t, begun["vm:101"], 2, "started at first, and once elsewhere")
}
