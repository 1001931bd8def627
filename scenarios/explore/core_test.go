package explore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// TestCoreIsLeftAtTheEnd: in some runs of each strategy the last faults begin together, leave as many
// machines as the subject must survive with, and act on nothing else.
func TestCoreIsLeftAtTheEnd(t *testing.T) {
	s, subject := story(t, twoFaults)
	from := s.Duration - 50*time.Second
	require.Equal(t, 40*time.Second, s.Quiescence)
	for _, name := range []string{"churn", "swarm"} {
		cores, ways := 0, map[fault.Kind]bool{}
		for seed := range uint64(24) {
			changed, with, err := explore.Apply(name, s, subject, seed)
			require.NoError(t, err)
			var lost []fault.Fault
			begins := false
			for _, f := range changed.Faults {
				begins = begins || f.Kind == fault.PowerOn && f.At == from
				if f.Kind != fault.PowerOn && f.At >= from {
					lost = append(lost, f)
				}
			}
			if !begins {
				continue
			}
			cores++
			for _, f := range changed.Faults {
				if f.Kind != fault.PowerOn && f.At < from {
					require.LessOrEqual(t, f.At+f.For, from, "%s %d: %v", name, seed, f)
				}
			}
			for _, f := range lost {
				require.Equal(t, s.Duration-10*time.Second, f.At+f.For,
					"they come back before the faults end")
				ways[f.Kind] = true
			}
			require.True(t, with.Judge().Survives(changed.DamageAt(changed.Faults, from)))
		}
		require.Greater(t, cores, 1, name)
		require.Less(t, cores, 20, name)
		require.Greater(t, len(ways), 2, name)
	}
}
