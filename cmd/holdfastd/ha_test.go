package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

// TestHighAvailabilityNeedsAWatchdog: without anything that would end this node's services, others
// could start them while they still run here.
func TestHighAvailabilityNeedsAWatchdog(t *testing.T) {
	for name, c := range map[string]struct{ file, watchdog, want string }{
		"no file":     {"", "", ""},
		"complete":    {`{"command": ["/bin/sleep", "1000"]}`, "watchdog.sock", ""},
		"no watchdog": {`{"command": ["/bin/sleep", "1000"]}`, "", "names no watchdog"},
		"waived":      {`{"command": ["/bin/sleep", "1000"]}`, hostwatchdog.None, ""},
		"by name":     {`{"commands": {"web": ["/bin/sleep", "1000"]}}`, "watchdog.sock", ""},
		"no command":  {`{}`, "watchdog.sock", "has no command"},
		"no program":  {`{"commands": {"web": []}}`, "watchdog.sock", `command "web" has no program`},
		"a field":     {`{"comand": []}`, "watchdog.sock", "comand"},
	} {
		t.Run(name, func(t *testing.T) {
			m := nodemain.Machine{File: &host.MachineFile{Watchdog: c.watchdog}, Dir: t.TempDir()}
			if c.file != "" {
				require.NoError(t, os.WriteFile(filepath.Join(m.Dir, pve.HAFile), []byte(c.file), 0o600))
			}
			ha, err := highAvailability(m)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.file != "", ha != nil)
		})
	}
}
