package smaller

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/replayfile"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// needy is a system that fails whenever one draw is replaced, and if unlucky always.
type needy struct{ unlucky bool }

func (n needy) fails(overrides []draw.Override) bool {
	for _, o := range overrides {
		if o.Label == "needed" {
			return true
		}
	}
	return n.unlucky && len(overrides) == 0
}

func (n needy) Run(_ context.Context, s *scenarios.Scenario, _ scenarios.Subject,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	run := &scenarios.Run{Scenario: s, Seed: o.Seed}
	if n.fails(o.Overrides) {
		run.Verdicts = []linearizability.Verdict{{Checker: "needy", Validity: linearizability.Invalid}}
	}
	return run, nil
}

func (n needy) Try(_ context.Context, a shrink.Attempt) (shrink.Result, error) {
	return shrink.Result{Failed: n.fails(a.Overrides), Seed: a.Seeds[0]}, nil
}

// TestReplacedDrawsAreKeptIfTheyAreNeeded: in a replay file beside the scenario, which can be read, and
// which an earlier search does not leave behind.
func TestReplacedDrawsAreKeptIfTheyAreNeeded(t *testing.T) {
	s := scenarios.New("needy").Story("It fails with one draw.").Machines(3).Duration(10*time.Second).
		Subject(register.Kind, nil).MustBuild()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	folder := t.TempDir()
	search := func(n needy) string {
		var out bytes.Buffer
		c := &Search{Scenario: s, Subject: subject, Word: "needy", Seed: 7, Seeds: 1, Limit: time.Minute,
			Overrides: []draw.Override{{Stream: "a", Label: "needless"},
				{Stream: "a", Label: "needed", Value: 3}},
			Out: filepath.Join(folder, "small.yaml"), Parallel: 1, Backend: "sim", Runner: n, Trier: n,
			Stdout: &out, Progress: func(string) {}, Clear: func() {},
			Command: func(args ...string) string { return strings.Join(args, " ") }}
		require.NoError(t, c.Run(context.Background()))
		return out.String()
	}
	replay := filepath.Join(folder, "small.replay.json")
	require.Contains(t, search(needy{}), "to reproduce:\n  replay "+replay+"\n")
	from, r, err := replayfile.Read(replay)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "small.yaml"), from.File)
	options, err := replayfile.Options(r)
	require.NoError(t, err)
	require.Equal(t, []draw.Override{{Stream: "a", Label: "needed", Value: 3}}, options.Overrides)
	require.EqualValues(t, 7, options.Seed)

	require.Contains(t, search(needy{unlucky: true}), "to reproduce:\n  run "+from.File+" --seed 7\n")
	require.NoFileExists(t, replay)
}
