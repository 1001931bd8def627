package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
)

const goodConf = `totem {
  version: 2
  cluster_name: lab
  secauth: on
}
nodelist {
  node {
    name: n1
    nodeid: 1
    quorum_votes: 1
    ring0_addr: 127.0.0.1
  }
  node {
    name: n2
    nodeid: 2
    quorum_votes: 1
    ring0_addr: 127.0.0.2
  }
}
quorum {
  provider: corosync_votequorum
}
`

// check runs holdfastd --check on a directory with these files and returns what it prints.
func check(t *testing.T, machine, conf, key string, keyMode os.FileMode) (int, string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		if text != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), mode))
		}
	}
	write("machine.json", machine, 0o600)
	write("corosync.conf", conf, 0o600)
	write("authkey", key, keyMode)
	var out bytes.Buffer
	code := nodemain.Main("holdfastd", longHelp, []string{"--check", filepath.Join(dir, "machine.json")},
		&out,
		processes)
	return code, out.String()
}

var goodKey = strings.Repeat("k", 128)

func TestGoodConfigurationIsAccepted(t *testing.T) {
	for _, machine := range []string{
		`{"machine": 1}`,
		`{"machine": 0, "name": "n1", "links": [{"addrs": ["127.0.0.1", "127.0.0.2"], "port": 6000}], "timescale": "1/4"}`,
	} {
		code, said := check(t, machine, goodConf, goodKey, 0o600)
		require.Equal(t, nodemain.ExitOK, code, said)
		require.Empty(t, said)
	}
}

func TestBadConfigurationNamesPlaceAndRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		machine, conf, key string
		want               []string
	}{
		"no configuration": {`{"machine": 0}`, "", goodKey, []string{"corosync.conf"}},
		"line": {`{"machine": 0}`, strings.Replace(goodConf, "nodeid: 2", "nodeid: two", 1), goodKey,
			[]string{"corosync.conf:15", "two"}},
		"machine": {`{"machine": 2}`, goodConf, goodKey, []string{"machine 2", "machines 0 to 1"}},
		"addresses": {`{"machine": 0, "links": [{"addrs": ["127.0.0.1"], "port": 6000}]}`, goodConf, goodKey,
			[]string{"1 addresses", "write one for each"}},
		"no key":    {`{"machine": 0}`, goodConf, "", []string{"authkey", "head -c 128 /dev/urandom"}},
		"short key": {`{"machine": 0}`, goodConf, "short", []string{"5 bytes"}},
		"timescale": {`{"machine": 0, "timescale": "soon"}`, goodConf, goodKey, []string{"soon", "0.2"}},
		"too fast":  {`{"machine": 0, "timescale": "1/500"}`, goodConf, goodKey, []string{"below"}},
		"field":     {"{\n\"machien\": 0}", goodConf, goodKey, []string{"machine.json:2", "machien"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, said := check(t, c.machine, c.conf, c.key, 0o600)
			require.Equal(t, nodemain.ExitUsage, code, said)
			for _, want := range c.want {
				require.Contains(t, said, want)
			}
		})
	}
}

func TestKeyThatOthersMayReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes say nothing there")
	}
	code, said := check(t, `{"machine": 0}`, goodConf, goodKey, 0o644)
	require.Equal(t, nodemain.ExitUsage, code)
	require.Contains(t, said, "chmod 600")
}

func TestUsage(t *testing.T) {
	var out bytes.Buffer
	require.Equal(t, nodemain.ExitUsage, nodemain.Main("holdfastd", longHelp, nil, &out, processes))
	require.Contains(t, out.String(), "Usage:\n  holdfastd MACHINE-FILE")
	require.Equal(t, nodemain.ExitOK, nodemain.Main("holdfastd", longHelp, []string{"-h"}, &out, processes))
}
