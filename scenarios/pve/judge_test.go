package pve

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// TestJoinIntervalIsConfigured: the checks take the interval of the joins from the subject's configuration.
func TestJoinIntervalIsConfigured(t *testing.T) {
	interval := func(spec Spec) time.Duration {
		s := scenarios.New("joins").Story("Nothing happens.").Machines(3).Duration(time.Minute).
			Subject(Kind, spec).MustBuild()
		subject, err := Decode(s)
		require.NoError(t, err)
		return subject.(*Subject).ringTimers().Join
	}
	require.Equal(t, 50*time.Millisecond, interval(Spec{}), "Corosync's default")
	text := corosyncConfText(&Spec{}, []string{"n1", "n2", "n3"})
	file := filepath.Join(t.TempDir(), "corosync.conf")
	require.NoError(t, os.WriteFile(file, []byte("totem {\n  join: 100\n}\n"+string(text)), 0o600))
	require.Equal(t, 100*time.Millisecond, interval(Spec{CorosyncConf: file}))
}

// TestRingDelay: a cluster with a long token goes on later without a silent node.
func TestRingDelay(t *testing.T) {
	delay := func(spec Spec, machines int) time.Duration {
		s := scenarios.New("joins").Story("Nothing happens.").Machines(machines).Duration(time.Minute).
			Subject(Kind, spec).MustBuild()
		subject, err := Decode(s)
		require.NoError(t, err)
		return ringDelay(subject.(*Subject).ringTimers())
	}
	require.Zero(t, delay(Spec{}, 3))
	require.Equal(t, 28312500*time.Microsecond, delay(Spec{Token: 30 * time.Second}, 3))
}
