package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

var texts = journal.Campaign{Texts: map[string]string{"storm": "digest of its text"}}

func run(seed uint64) campaign.Outcome {
	return campaign.Outcome{Scenario: "storm", Seed: seed, Verdict: linearizability.Valid}
}

// TestResume: what was appended is there again, without a line that was cut off.
func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs", "campaign.jsonl")
	j, completed, err := journal.Open(path, false, texts)
	require.NoError(t, err)
	require.Empty(t, completed)
	require.NoError(t, j.Append(run(1)))
	require.NoError(t, j.Append(run(2)))
	require.NoError(t, j.Close())

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data[:len(data)-10], 0o600))
	j, completed, err = journal.Open(path, false, texts)
	require.NoError(t, err)
	require.Len(t, completed, 1)
	require.EqualValues(t, 1, completed[0].Seed)
	require.NoError(t, j.Append(run(3)))
	require.NoError(t, j.Close())

	j, completed, err = journal.Open(path, false, texts)
	require.NoError(t, err)
	require.Len(t, completed, 2)
	require.NoError(t, j.Close())
}

// TestTwoCampaigns: the second one is told what to do, and nothing changes.
func TestTwoCampaigns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "campaign.jsonl")
	first, _, err := journal.Open(path, false, texts)
	require.NoError(t, err)
	_, _, err = journal.Open(path, true, texts)
	require.ErrorIs(t, err, journal.ErrUnusable)
	require.ErrorContains(t, err, "another campaign is using "+path)
	require.NoError(t, first.Append(run(1)))
	require.NoError(t, first.Close())
	second, completed, err := journal.Open(path, false, texts)
	require.NoError(t, err)
	require.Len(t, completed, 1)
	require.NoError(t, second.Close())
}

// TestFilesThatAreNoJournal are refused and stay as they are.
func TestFilesThatAreNoJournal(t *testing.T) {
	for name, text := range map[string]string{
		"text":               "hello\n",
		"another build":      `{"schema":"holdfast.journal/1","program":"x","text":"digest of its text","scenario":"storm"}` + "\n",
		"not a line of JSON": `{"schema":"holdfast.journal/1"` + "\n",
	} {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, _, err := journal.Open(path, false, texts)
		require.ErrorIs(t, err, journal.ErrUnusable, name)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(data), name)
	}
}
