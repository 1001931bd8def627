package pagefile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/pagefile"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// TestUpdatesAreFarBetween: the page is written with the first run, and not with the next one right after it;
// at the end it has all runs.
func TestUpdatesAreFarBetween(t *testing.T) {
	f := pagefile.File{Path: filepath.Join(t.TempDir(), "runs", "campaign.html"), Summary: campaign.New()}
	read := func() string {
		page, err := os.ReadFile(f.Path)
		require.NoError(t, err)
		return string(page)
	}
	for _, seed := range []uint64{1, 2} {
		f.Summary.Add(campaign.Outcome{Scenario: "storm", Seed: seed, Verdict: linearizability.Valid})
		require.NoError(t, f.Update())
		require.Contains(t, read(), "0 of 1 run failed")
		require.Contains(t, read(), "still running")
	}
	require.NoError(t, f.Finish())
	require.Contains(t, read(), "0 of 2 runs failed")
	require.NotContains(t, read(), "still running")
	left, err := filepath.Glob(f.Path + "*")
	require.NoError(t, err)
	require.Equal(t, []string{f.Path}, left)

	f.Path = filepath.Join(f.Path, "below-a-file.html")
	require.ErrorContains(t, f.Finish(), "folder of the campaign's page")
}
