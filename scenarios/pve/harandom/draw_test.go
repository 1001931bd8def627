package harandom_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/scenarios/pve/harandom"
)

var kinds = []harandom.Kind{harandom.Calm, harandom.Wild}

func TestOneSeedGivesOneFolder(t *testing.T) {
	for _, kind := range kinds {
		require.Equal(t, harandom.Draw(7, kind), harandom.Draw(7, kind))
		require.NotEqual(t, harandom.Draw(7, kind).Files, harandom.Draw(8, kind).Files)
	}
}

// TestEveryFolderCanBeReplayed: with both settings every folder is read and replayed to its end. With strict
// decisions no service runs twice, and a log that differs has a documented reason.
func TestEveryFolderCanBeReplayed(t *testing.T) {
	count := uint64(thorough.Count(10, 200))
	for seed := range count {
		for _, kind := range kinds {
			folder := harandom.Draw(seed, kind)
			c, err := conformance.Load(folder.FS(), ".", folder.Name)
			require.NoError(t, err, folder.Files)
			upstream, err := conformance.Replay(context.Background(), c)
			require.NoError(t, err, folder.Files)
			folder.Files["log.expect"] = upstream.Text()
			result := conformance.JudgeFolder(context.Background(), folder.FS(), ".", folder.Name)
			require.Empty(t, result.Error, fmt.Sprint(seed, kind, folder.Files))
			require.True(t, result.T0)
			if result.Strict != nil {
				require.NotEmpty(t, result.Strict.Differences, "seed %d, kind %d", seed, kind)
			}
		}
	}
}

// TestFoldersContainMuch: the draws reach what they are for.
func TestFoldersContainMuch(t *testing.T) {
	found := map[string]bool{}
	for seed := range uint64(60) {
		folder := harandom.Draw(seed, harandom.Wild)
		for name := range folder.Files {
			found[name] = true
		}
		c, err := conformance.Load(folder.FS(), ".", folder.Name)
		require.NoError(t, err)
		run, err := conformance.Replay(context.Background(), c.WithDecisions(ha.DecisionsStrict))
		require.NoError(t, err)
		for _, id := range run.Differences {
			found[string(id)] = true
		}
	}
	for _, name := range []string{"groups", "rules_config", "datacenter.cfg", "service_config",
		string(ha.DiffDisarmedNode), string(ha.DiffDeclinedMoves), string(ha.DiffNeverSeen),
		string(ha.DiffRuleMessages)} {
		require.True(t, found[name], name)
	}
}

func TestWriteReplacesNothing(t *testing.T) {
	dir, folder := t.TempDir(), harandom.Draw(1, harandom.Calm)
	require.NoError(t, folder.Write(dir))
	folders, err := conformance.FindScenarios([]string{dir})
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.ErrorIs(t, folder.Write(dir), harandom.ErrExists)
}
