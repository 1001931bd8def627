package library_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/library"
)

func get(t *testing.T, name string) *scenarios.Scenario {
	data, err := library.Get(name)
	require.NoError(t, err)
	s, err := scenarios.ParseScenario(library.FileName(name), data)
	require.NoError(t, err)
	return s
}

func TestEveryScenarioIsComplete(t *testing.T) {
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) {
			s := get(t, name)
			require.Equal(t, name, s.Name, "a file is named for its scenario")
			require.Greater(t, len(s.Story), 150, "the story describes what happens and what must hold")
			require.True(t, s.Faults != nil || s.Nemesis != nil, "something goes wrong")
			data, err := library.Get(name)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(data),
				"# yaml-language-server: $schema=../schema/scenario.schema.json\n"))
			if s.Subject.Kind == "pve" {
				require.GreaterOrEqual(t, s.Warmup, 15*time.Second, "rings form in seconds, not at once")
				require.GreaterOrEqual(t, s.Quiescence, 40*time.Second)
			}
		})
	}
}

func TestIssuedScenariosAreThere(t *testing.T) {
	for _, name := range []string{"minority-partition", "majority-minority-swap", "pair-cut", "one-way-cut",
		"flapping-link", "slow-link", "crash-during-commit", "power-loss-all", "disk-stall", "disk-full",
		"process-pause", "clock-drift", "standard"} {
		require.Contains(t, library.Names(), name)
	}
	s := get(t, "standard")
	require.Len(t, s.Machines, 3)
	require.Equal(t, 120*time.Second, s.Duration)
	require.Equal(t, 600, s.Workload.Operations)
	require.Equal(t, 5, s.Workload.Clients)
}

// TestEveryKindOfFaultHasAScenario keeps the library complete.
func TestEveryKindOfFaultHasAScenario(t *testing.T) {
	seen := map[fault.Kind]bool{}
	for _, name := range library.Names() {
		s := get(t, name)
		for _, f := range s.Faults {
			seen[f.Kind] = true
		}
		if s.Nemesis != nil {
			for _, kind := range s.Nemesis.Kinds {
				seen[kind] = true
			}
		}
	}
	for _, kind := range fault.Kinds() {
		require.True(t, seen[kind], "no scenario shows a %s fault", kind)
	}
}

func TestEveryFileIsEmbedded(t *testing.T) {
	paths, err := fs.Glob(os.DirFS("."), "*.yaml")
	require.NoError(t, err)
	require.Len(t, library.Names(), len(paths))
}

func TestUnknownScenario(t *testing.T) {
	_, err := library.Get("pair-cat")
	require.ErrorIs(t, err, library.ErrUnknown)
	require.ErrorContains(t, err, `did you mean "pair-cut"?`)
	_, err = library.Get("../library/pair-cut")
	require.ErrorIs(t, err, library.ErrUnknown)
}

// TestFilesRoundTrip writes every scenario as a canonical file and reads it back.
func TestFilesRoundTrip(t *testing.T) {
	for _, name := range library.Names() {
		s := get(t, name)
		file, err := scenarios.Marshal(s)
		require.NoError(t, err)
		again, err := scenarios.ParseScenario(library.FileName(name), file)
		require.NoError(t, err, name)
		s.Subject, again.Subject = scenarios.SubjectSpec{}, scenarios.SubjectSpec{}
		require.Equal(t, s, again)
	}
}

func TestFilesHoldsWhatGetReturns(t *testing.T) {
	for _, name := range library.Names() {
		want, err := library.Get(name)
		require.NoError(t, err)
		have, err := fs.ReadFile(library.Files(), library.FileName(name))
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
}
