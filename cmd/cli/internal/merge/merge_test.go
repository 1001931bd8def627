package merge_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/merge"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// write writes a journal with runs of a shard.
func write(t *rapid.T, path, shard string, runs []campaign.Outcome) {
	j, _, err := journal.Open(path, true, journal.Campaign{Texts: map[string]string{"a": "1", "b": "2"},
		Probes: map[string][]string{"a": {"election", "snapshot"}}, Shard: shard})
	require.NoError(t, err)
	for _, o := range runs {
		require.NoError(t, j.Append(o))
	}
	require.NoError(t, j.Close())
}

// drawRun draws what became of a seed.
func drawRun(t *rapid.T, scenario string, seed uint64) campaign.Outcome {
	verdict := linearizability.Validity(rapid.IntRange(0, 2).Draw(t, "verdict"))
	o := campaign.Outcome{Scenario: scenario, Seed: seed, Verdict: verdict, Steps: seed,
		Checks: []reports.CheckSummary{{Checker: rapid.SampledFrom([]string{"store", "locks"}).Draw(t,
			"checker"),
			Verdict: verdict, Summary: fmt.Sprintf("seed %d", seed)}}}
	if rapid.Bool().Draw(t, "probe") {
		o.Probes = map[string]int{"election": 1}
	}
	o.Strategy = rapid.SampledFrom([]string{"", "swarm"}).Draw(t, "strategy")
	o.Repeated = rapid.Bool().Draw(t, "repeated")
	return o
}

// TestShardsAddUp: however the runs are divided, and in whatever order the journals are named, they give the
// summary of one campaign that made all runs.
func TestShardsAddUp(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 3).Draw(t, "shards")
		parts := make([][]campaign.Outcome, count)
		one := campaign.New()
		one.Expect("a", []string{"election", "snapshot"})
		var all []campaign.Outcome
		for seed := range uint64(rapid.IntRange(1, 40).Draw(t, "runs")) {
			o := drawRun(t, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "scenario"), seed)
			shard := rapid.IntRange(0, count-1).Draw(t, "shard")
			parts[shard] = append(parts[shard], o)
			all = append(all, o)
			one.Add(o)
		}
		var files, missing []string
		for i, runs := range parts {
			path := filepath.Join(dir, fmt.Sprint(i))
			write(t, path, fmt.Sprintf("%d/%d", i+1, count), runs)
			files = append(files, path)
			if len(runs) == 0 {
				missing = append(missing, fmt.Sprintf("%d/%d", i+1, count))
			}
		}
		merged, err := merge.Files(rapid.Permutation(files).Draw(t, "order"))
		require.NoError(t, err)
		require.Equal(t, missing, merged.Missing)
		require.ElementsMatch(t, all, merged.Outcomes)
		require.Equal(t, campaign.AnyInvalid(all), merged.AnyInvalid())
		want, got := &bytes.Buffer{}, &bytes.Buffer{}
		if one.Scenarios[0].Runs > 0 { // a scenario without a run is unknown to the journals
			require.NoError(t, one.JSON(want))
			require.NoError(t, merged.Summary.JSON(got))
			require.Equal(t, want.String(), got.String())
		}
	})
}

// TestRunsThatAreThereTwice names both files.
func TestRunsThatAreThereTwice(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		run := drawRun(t, "a", 7)
		one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
		write(t, one, "1/2", []campaign.Outcome{run})
		write(t, two, "2/2", []campaign.Outcome{run})
		_, err := merge.Files([]string{one, two})
		require.ErrorIs(t, err, merge.ErrApart)
		require.ErrorContains(t, err, fmt.Sprintf("seed 7 of a is in %s and in %s", one, two))
	})
}
