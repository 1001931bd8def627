package conformance

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The plan says when commands are executed; a replay must execute them then.
func TestPlanIsWhatAReplayDoes(t *testing.T) {
	folders := os.DirFS("testdata/scenarios")
	entries, err := fs.ReadDir(folders, ".")
	require.NoError(t, err)
	for _, entry := range entries {
		s, err := Load(folders, entry.Name(), entry.Name())
		require.NoError(t, err)
		run, err := Replay(context.Background(), s)
		require.NoError(t, err)
		var executed []Step
		for _, line := range run.Log {
			command, found := strings.CutPrefix(line.Message, "execute ")
			if found && line.ID == "cmdlist" && !strings.HasPrefix(command, "delay") {
				executed = append(executed, Step{Seconds: line.Seconds, Command: command})
			}
		}
		steps, end, err := s.Plan()
		require.NoError(t, err)
		for i := range steps {
			steps[i].Group = 0
		}
		require.Equal(t, executed, steps, entry.Name())
		require.Equal(t, run.Log[len(run.Log)-1].Seconds, end, entry.Name())
	}
}
