package haspec_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestCheckRefuses what makes no sense for a cluster.
func TestCheckRefuses(t *testing.T) {
	machines := []string{"n1", "n2", "n3"}
	placed := map[string]string{"vm:100": "n1"}
	require.NoError(t, (&haspec.Spec{Services: placed}).Check(machines, machines))
	for says, spec := range map[string]haspec.Spec{
		"a time is negative":              {Services: placed, GuestTimes: haspec.GuestTimes{Stop: -1}},
		"up_at: there is no service vm:7": {Services: placed, UpAt: map[string]time.Duration{"vm:7": 1}},
	} {
		require.ErrorContains(t, spec.Check(machines, machines), says)
	}
}
