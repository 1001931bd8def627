package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
)

// TestWhatCannotBeSupervised says why, and what to write.
func TestWhatCannotBeSupervised(t *testing.T) {
	for name, c := range map[string]struct{ machine, want string }{
		"no watchdog": {`{"machine": 0}`, `write "watchdog": "watchdog.sock"`},
		"waived":      {`{"machine": 0, "watchdog": "none"}`, `write "watchdog": "watchdog.sock"`},
		"a device":    {`{"machine": 0, "watchdog": "/dev/watchdog"}`, "run the program without --supervise"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"machine.json": c.machine, "corosync.conf": goodConf,
				"authkey": goodKey} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			var out bytes.Buffer
			code := nodemain.Main("holdfastd", longHelp, []string{"--supervise",
				filepath.Join(dir, "machine.json")}, &out, processes)
			require.Equal(t, nodemain.ExitUsage, code)
			require.Contains(t, out.String(), c.want)
		})
	}
}

// TestAFileOfAnotherKind: the daemon requires its machine file and not the cluster's.
func TestAFileOfAnotherKind(t *testing.T) {
	for _, text := range []string{goodConf, "", "[1, 2]", strings.Repeat("\n", 10)} {
		path := filepath.Join(t.TempDir(), "corosync.conf")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		var out bytes.Buffer
		require.Equal(t, nodemain.ExitUsage, nodemain.Main("holdfastd", longHelp, []string{path}, &out,
			processes))
		require.Contains(t, out.String(),
			`corosync.conf is no machine file: that is a JSON object, at least {"machine": 0}`)
	}
}
