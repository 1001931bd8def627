package pve_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// TestEngineOnRealNodes runs the daemon on namespace nodes through a partition and a kill, with
// short timers. The library's scenarios take most of a minute each there.
func TestEngineOnRealNodes(t *testing.T) {
	chaostest.Need(t)
	s := scenarios.New("engine-on-real-nodes").Story(
		"A minority is cut off, later a machine's programs die.").
		Machines(3).Warmup(4*time.Second).Duration(14*time.Second).Quiescence(6*time.Second).
		At(2*time.Second).Isolate("n1").For(4*time.Second).
		At(9*time.Second).KillMachine("n2").For(2*time.Second).
		Workload(workload.Spec{Clients: 4, Operations: 200, Timeout: 2 * time.Second}).
		Subject(pve.Kind, pve.Spec{Token: 600 * time.Millisecond,
			TokenCoefficient: 50 * time.Millisecond}).MustBuild()
	subject, err := pve.Decode(s)
	require.NoError(t, err)
	run := chaostest.Run(t, s, subject)
	sizes := map[int]bool{}
	for _, r := range run.Records {
		if v, ok := r.Record.(node.QuorumView); ok {
			sizes[len(v.Members)] = true
		}
	}
	require.True(t, sizes[1] && sizes[2] && sizes[3], "memberships of sizes %v were seen", sizes)
}
