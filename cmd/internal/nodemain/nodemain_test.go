package nodemain

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func machineFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "machine.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFlags(t *testing.T) {
	good := machineFile(t, `{"machine": 0}`)
	nothing := func(Machine) ([]host.Process, error) { return nil, nil }
	for name, c := range map[string]struct {
		args   []string
		code   int
		prints string
	}{
		"check":              {[]string{"--check", good}, ExitOK, ""},
		"check, one dash":    {[]string{"-check", good}, ExitOK, ""},
		"help":               {[]string{"--help"}, ExitOK, "MACHINE-FILE is a JSON file"},
		"help, one dash":     {[]string{"-help"}, ExitOK, "Runs nothing."},
		"no file":            {nil, ExitUsage, "it takes one machine file, not 0 arguments"},
		"two files":          {[]string{good, good}, ExitUsage, "not 2 arguments"},
		"an unknown flag":    {[]string{"--chekc", good}, ExitUsage, "unknown flag: --chekc"},
		"a missing file":     {[]string{"--check", good + "x"}, ExitUsage, "reading the machine file"},
		"nothing supervises": {[]string{"-supervise", good}, ExitUsage, "cannot supervise this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.Equal(t, c.code, Main("thingd", "Runs nothing.", c.args, &out, nothing), &out)
			require.Contains(t, out.String(), c.prints)
		})
	}
}

func TestProcessesSeeTheMachine(t *testing.T) {
	path := machineFile(t,
		`{"machine": 1, "links": [{"addrs": ["127.0.0.1", "127.0.0.2"], "port": 7000}], "timescale": "1/4"}`)
	var seen Machine
	var out bytes.Buffer
	code := Main("thingd", "", []string{"--check", path}, &out, func(m Machine) ([]host.Process, error) {
		seen = m
		return nil, nil
	})
	require.Equal(t, ExitOK, code, &out)
	require.Equal(t, filepath.Dir(path), seen.Dir)
	require.Equal(t, 2, seen.Machines())
	require.Equal(t, env.MachineID(1), seen.File.Machine)
	require.Equal(t, time.Second, seen.Timescale.Of(4*time.Second))
	require.Equal(t, 1, (&Machine{File: &host.MachineFile{}}).Machines(), "without links it is alone")
	require.Equal(t, netip.MustParseAddr("127.0.0.2"), seen.File.Links[0].Addrs[1])

	code = Main("thingd", "", []string{"--check", path}, &out, func(Machine) ([]host.Process, error) {
		return nil, errors.New("corosync.conf:3: no such option")
	})
	require.Equal(t, ExitUsage, code, "the error is one of configuration")
	require.Contains(t, out.String(), "thingd: corosync.conf:3: no such option")
}

func TestTheSupervisorGivesTheBootID(t *testing.T) {
	path := machineFile(t, `{"machine": 0, "boot_id": "file"}`)
	nothing := func(Machine) ([]host.Process, error) { return nil, nil }
	cfg, err := load(path, nothing)
	require.NoError(t, err)
	require.Equal(t, "file", cfg.BootID)
	t.Setenv(bootEnv, "4711/2")
	cfg, err = load(path, nothing)
	require.NoError(t, err)
	require.Equal(t, "4711/2", cfg.BootID)
}

func TestFromSpecs(t *testing.T) {
	half, err := timescale.Parse("1/2")
	require.NoError(t, err)
	made := FromSpecs([]scenarios.ProcessSpec{{Name: "a", Restart: 2 * time.Second}, {Name: "b"}}, half)
	require.Len(t, made, 2)
	require.Equal(t, "a", made[0].Name)
	require.Equal(t, time.Second, made[0].Restart)
	require.Zero(t, made[1].Restart)
}

func TestSuperviseSocket(t *testing.T) {
	for watchdog, want := range map[string]string{
		"":                "names no watchdog",
		hostwatchdog.None: "names no watchdog",
		"/dev/watchdog":   "is the device /dev/watchdog",
	} {
		_, err := superviseSocket(&host.Config{Watchdog: watchdog})
		require.ErrorIs(t, err, errSupervise)
		require.ErrorContains(t, err, want)
	}
	path, err := superviseSocket(&host.Config{Watchdog: "/run/watchdog.sock"})
	require.NoError(t, err)
	require.Equal(t, "/run/watchdog.sock", path)
}

// TestJSONLog: with --log-format json, what the command itself writes is JSON as well, also what makes it
// end.
func TestJSONLog(t *testing.T) {
	defer func() { log.SetOutput(os.Stderr); log.SetPrefix("") }()
	log.SetPrefix("node: ")
	var out bytes.Buffer
	code := Main("node", "Runs nothing.", []string{"--log-format", "json", machineFile(t, `{"machine": 0}`)},
		&out,
		func(Machine) ([]host.Process, error) {
			log.Print("warning: two_node\nin two lines")
			return nil, errors.New("no such cluster")
		})
	require.Equal(t, ExitUsage, code)
	var lines []map[string]any
	for text := range strings.Lines(out.String()) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line), text)
		lines = append(lines, line)
	}
	require.Len(t, lines, 2)
	require.Equal(t, []any{"WARN", "two_node\nin two lines", "node"},
		[]any{lines[0]["level"], lines[0]["msg"], lines[0]["process"]})
	require.Equal(t, "no such cluster", lines[1]["msg"])
}
