package conformance

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected logs of our own scenarios")

const ownScenarios = "testdata/scenarios"

// TestOwnScenarios replays the scenarios of this project. Their expected logs were read and approved;
// -rewrite replaces them, and the commit must give the reason.
func TestOwnScenarios(t *testing.T) {
	folders, err := FindScenarios([]string{ownScenarios})
	require.NoError(t, err)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if *rewrite {
				scenario, err := Load(os.DirFS(folder), ".", filepath.Base(folder))
				require.NoError(t, err)
				run, err := Replay(context.Background(), scenario)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(folder, "log.expect"),
					[]byte(run.Text()), 0o644))
			}
			result := JudgeFolder(context.Background(), os.DirFS(folder), ".", filepath.Base(folder))
			require.Empty(t, result.Error)
			require.Empty(t, result.Diff)
			require.Empty(t, result.T1Differences)
			require.Empty(t, result.T2Differences)
			require.Empty(t, result.DoubleRuns)
			require.True(t, result.T0 && result.T1 && result.T2)
		})
	}
}
