package hostdriver_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
)

// TestFind looks in the places where a program may be, in their order.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "registerd")
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	t.Setenv(hostdriver.BinDirEnv, dir)
	found, err := hostdriver.Find("registerd")
	require.NoError(t, err)
	require.Equal(t, program, found)
	_, err = hostdriver.Find("nothing")
	require.ErrorIs(t, err, hostdriver.ErrNoProgram)
	require.ErrorContains(t, err, hostdriver.BinDirEnv+"="+dir)

	t.Setenv(hostdriver.BinDirEnv, "")
	self, err := os.Executable()
	require.NoError(t, err)
	found, err = hostdriver.Find(filepath.Base(self))
	require.NoError(t, err, "beside the running program")
	require.Equal(t, self, found)

	t.Setenv("PATH", "") // no go command, no program
	_, err = hostdriver.Find("no-such-program")
	require.ErrorIs(t, err, hostdriver.ErrNoProgram)
	require.ErrorContains(t, err, "go build -o")
}

// TestPoweredMachines: each boot has its own id, and the machine's watchdog is the harness.
func TestPoweredMachines(t *testing.T) {
	m := scenarios.Machine{Name: "n1", Dir: t.TempDir()}
	boot := func(d *hostdriver.Driver, number uint64) map[string]any {
		files, err := d.BootFiles(m, number)
		require.NoError(t, err)
		require.Len(t, files, 1)
		require.Equal(t, hostdriver.MachineFile, files[0].Name)
		var read map[string]any
		require.NoError(t, json.Unmarshal(files[0].Data, &read))
		return read
	}
	plain, powered := &hostdriver.Driver{}, &hostdriver.Driver{Powered: true}
	require.NotContains(t, boot(plain, 1), "boot_id")
	require.Equal(t, "1", boot(plain, 1)["timescale"])
	require.Equal(t, "boot-1", boot(powered, 1)["boot_id"])
	require.Equal(t, "boot-7", boot(powered, 7)["boot_id"])
	socket, on := powered.PowerSwitch()
	require.True(t, on)
	require.Equal(t, socket, boot(powered, 2)["watchdog"])
	_, on = plain.PowerSwitch()
	require.False(t, on)
}
