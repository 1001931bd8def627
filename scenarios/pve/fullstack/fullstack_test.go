package fullstack_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/pve/fullstack"
	"github.com/holdfast-sim/holdfast/sim"
)

const ownScenarios = "../../../engine/ha/conformance/testdata/scenarios"

// replay replays one folder and fails the test where a tier fails.
func replay(t *testing.T, folder string) {
	result := fullstack.Replay(context.Background(), folder, fullstack.Options{Runner: sim.Runner{}, Seed: 1})
	if result.Inexpressible != "" {
		t.Skip(result.Inexpressible)
	}
	if !result.T1 || !result.T2 {
		t.Log(result.Log)
	}
	require.Empty(t, result.Error)
	require.Empty(t, result.T2Differences)
	require.Empty(t, result.T1Differences)
	require.True(t, result.T1 && result.T2)
}

// own are scenarios of this project that are quick to replay.
var own = []string{"short-isolation", "left-in-fence", "frozen-and-isolated", "maintenance-outlasts-repair"}

func TestOwnScenarios(t *testing.T) {
	for _, name := range own {
		t.Run(name, func(t *testing.T) { replay(t, filepath.Join(ownScenarios, name)) })
	}
}

// TestFolder replays what the environment names, for whoever looks into one scenario.
func TestFolder(t *testing.T) {
	const name = "HOLDFAST_FULLSTACK"
	if os.Getenv(name) == "" {
		t.Skipf("%s names no scenario folders", name)
	}
	for _, folder := range strings.Fields(os.Getenv(name)) {
		t.Run(filepath.Base(folder), func(t *testing.T) { replay(t, folder) })
	}
}
