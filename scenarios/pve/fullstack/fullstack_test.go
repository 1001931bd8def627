package fullstack_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fullstack"
	"github.com/holdfast-sim/holdfast/scenarios/pve/harandom"
	"github.com/holdfast-sim/holdfast/sim"
)

const ownScenarios = "../../../engine/ha/conformance/testdata/scenarios"

// replay replays one folder and fails the test where a tier fails.
func replay(t *testing.T, folder string, seed uint64) fullstack.Result {
	t.Helper()
	result := fullstack.Replay(context.Background(), folder,
		fullstack.Options{Runner: sim.Runner{}, Seed: seed})
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
	return result
}

// What may differ is published: every rule has its row, and no row is left over.
func TestRulesArePublished(t *testing.T) {
	page, err := os.ReadFile("../../../docs/full-stack.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "| rule | what may differ | why |\n|---|---|---|\n")
	require.True(t, found)
	rows := strings.Split(strings.SplitN(table, "\n\n", 2)[0], "\n")
	require.Len(t, rows, len(fullstack.Rules))
	for i, rule := range fullstack.Rules {
		require.Contains(t, rows[i], "| `"+rule.Name+"` |")
	}
}

// own are scenarios of this project that are quick to replay.
var own = []string{"short-isolation", "left-in-fence", "frozen-and-isolated", "maintenance-outlasts-repair",
	"freeze-on-poweroff", "late-partner", "ignored-and-carried"}

func TestOwnScenarios(t *testing.T) {
	for i, name := range own {
		if i%thorough.Count(2, 1) != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) { replay(t, filepath.Join(ownScenarios, name), 1) })
	}
}

// TestPowerSwitchReplacesTheVirtualHardware: where the virtual hardware reports that a node is off, a real
// cluster learns it from a power switch.
func TestPowerSwitchReplacesTheVirtualHardware(t *testing.T) {
	result := replay(t, filepath.Join(ownScenarios, "let-go-and-lost"), 1)
	require.Contains(t, result.Device, "node2")
	result = fullstack.Replay(context.Background(), filepath.Join(ownScenarios, "added-on-departed-node"),
		fullstack.Options{Runner: sim.Runner{}, Seed: 1})
	require.Contains(t, result.Inexpressible, "only the virtual hardware knows")
}

// corpusStep is the distance between the folders of the corpus that are replayed here; holdfast
// conformance ha --full-stack replays all of them.
const corpusStep = 36

// A sample of the suite that other people wrote.
func TestCorpus(t *testing.T) {
	root := os.Getenv("HOLDFAST_CORPORA")
	if root == "" {
		root = "../../../../shared/corpora"
	}
	root = filepath.Join(root, "pve-ha-manager")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("corpus pve-ha-manager not found: set HOLDFAST_CORPORA to the folder that holds it")
	}
	if testing.Short() {
		t.Skip("corpus pve-ha-manager: left out by -short")
	}
	folders, err := conformance.FindScenarios([]string{root})
	require.NoError(t, err)
	for i := 0; i < len(folders); i += corpusStep {
		t.Run(filepath.Base(folders[i]), func(t *testing.T) { replay(t, folders[i], 1) })
	}
}

// TestFolders replays what the environment names, for whoever looks into scenarios and seeds.
func TestFolders(t *testing.T) {
	const name, ofSeed = "HOLDFAST_FULLSTACK", "HOLDFAST_FULLSTACK_SEED"
	if os.Getenv(name) == "" {
		t.Skipf("%s names no scenario folders", name)
	}
	seed, err := strconv.ParseUint(os.Getenv(ofSeed), 10, 64)
	if err != nil {
		seed = 1
	}
	folders, err := conformance.FindScenarios(strings.Fields(os.Getenv(name)))
	require.NoError(t, err)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) { replay(t, folder, seed) })
	}
}

// Seeds of folders about which decisions alone and a whole cluster did not agree: in one a command went to a
// machine that had been shut down; in the others daemons went idle too early, so that an agent did not report
// maintenance (32, 98) and no watchdog reset a node without network (109).
const (
	seedOfShutDownConsole = 28
	seedOfIdleMaintenance = 32
	seedOfIdleAgain       = 98
	seedOfIdleInIsolation = 109
)

// TestRandomFolders: decisions alone and a whole cluster agree about folders that are drawn.
func TestRandomFolders(t *testing.T) {
	thorough.Only(t, "a whole cluster for each folder takes a second of processor time")
	seeds := []uint64{seedOfIdleMaintenance, seedOfShutDownConsole, seedOfIdleInIsolation, seedOfIdleAgain}
	for seed := range uint64(24) {
		seeds = append(seeds, seed+1)
	}
	for _, seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			result := fullstack.ReplayRandom(context.Background(), seed, harandom.Calm,
				fullstack.Options{Runner: sim.Runner{}, Seed: 1})
			if result.Inexpressible != "" {
				t.Skip(result.Inexpressible)
			}
			require.Empty(t, result.Error)
			require.Empty(t, result.T2Differences, result.Log)
			require.Empty(t, result.T1Differences, result.Log)
		})
	}
}
