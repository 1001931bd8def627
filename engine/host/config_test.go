package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

func TestBadConfigurationIsRefused(t *testing.T) {
	good := func() Config {
		return Config{Name: "n1", Dir: t.TempDir(), Processes: []Process{process("p", nil)}}
	}
	for want, spoil := range map[string]func(*Config){
		"has no name":           func(c *Config) { c.Name = "" },
		"no directory":          func(c *Config) { c.Dir = "" },
		"no process":            func(c *Config) { c.Processes = nil },
		"two processes":         func(c *Config) { c.Processes = append(c.Processes, process("p", nil)) },
		"none for machine 0":    func(c *Config) { c.Links = []Link{{}} },
		"no address with room":  func(c *Config) { c.Links = []Link{{Peers: make([]netip.AddrPort, 1)}} },
		"no name or nothing":    func(c *Config) { c.Processes = []Process{{Name: "p"}} },
		"port offset 100":       func(c *Config) { c.Processes[0].Port = 100 },
		"is there and is no so": func(c *Config) { c.APISocket = filepath.Join(c.Dir, "disk") },
	} {
		c := good()
		spoil(&c)
		_, err := New(c)
		require.ErrorIs(t, err, ErrConfig, want)
		require.ErrorContains(t, err, want)
	}
}

func TestMachineFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "machine.json")
	write := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write(`{"machine": 1, "name": "n2", "links": [{"addrs": ["198.18.0.1", "198.18.0.2"], "port": 5405}],
		"api_socket": "api.sock", "record_file": "/var/log/records", "timescale": "1/5"}`)
	m, err := ReadMachineFile(path)
	require.NoError(t, err)
	c := m.Config(dir)
	require.Equal(t, filepath.Join(dir, "api.sock"), c.APISocket)
	require.Empty(t, c.ControlSocket)
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("198.18.0.1:5405"),
		netip.MustParseAddrPort("198.18.0.2:5405")}, c.Links[0].Peers)
	c.Processes, c.RecordFile = []Process{{Name: "p", New: func() env.Process { return nil }}}, ""
	c.Links, c.Machine = nil, 0
	h, err := New(c)
	require.NoError(t, err)
	require.Equal(t, "1/5", h.Health().Timescale)

	for text, want := range map[string]string{
		"{\n\"machine\": 1,\n\"nmae\": \"n2\"\n}": "machine.json:3:",
		"{\n\"machine\": \"one\"}":                "machine.json:2:",
		"{\n\n]":                                  "machine.json:3:",
		"{}\n\n{}":                                "after the end",
		"{\"links\": [{\"addrs\": [\"nowhere\"]}]}": "nowhere",
	} {
		write(text)
		_, err := ReadMachineFile(path)
		require.ErrorIs(t, err, ErrConfig, text)
		require.ErrorContains(t, err, want, text)
	}
	_, err = ReadMachineFile(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzMachineFile(f *testing.F) {
	f.Add([]byte(`{"machine": 1, "name": "n2", "links": [{"addrs": ["198.18.0.1"], "port": 5405}]}`))
	f.Add([]byte("{\n]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "machine.json")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		if m, err := ReadMachineFile(path); err == nil {
			c := m.Config("/nowhere")
			_ = c.validate() // refuses or accepts, and does not crash
		}
	})
}
