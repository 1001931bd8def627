package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/cmd/cli"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
)

// TestLibraryIsOurs reads every story with the subjects of this program and checks it against the
// schema that this program prints.
func TestLibraryIsOurs(t *testing.T) {
	kinds := scenarios.Kinds{}
	for _, k := range config().Kinds {
		kinds[k.Name] = k.Decode
	}
	s := fullSchema(t)
	resolved, err := s.Resolve(nil)
	require.NoError(t, err)
	for _, name := range library.Names() {
		data, err := library.Get(name)
		require.NoError(t, err)
		_, _, err = scenarios.Parse(library.FileName(name), data, kinds)
		require.NoError(t, err)
		var value any
		require.NoError(t, yaml.Unmarshal(data, &value))
		text, err := json.Marshal(value)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &value))
		require.NoError(t, resolved.Validate(value), name)
	}
}

func TestPartsAreDescribed(t *testing.T) {
	subject := fullSchema(t).Properties["subject"]
	require.Len(t, subject.AllOf, len(config().Kinds), "every subject describes its part")
	for _, part := range subject.AllOf {
		for name, property := range part.Then.Properties {
			require.True(t, name == "kind" || property.Description != "", name)
		}
	}
}

func fullSchema(t *testing.T) *jsonschema.Schema {
	c := config()
	var out bytes.Buffer
	c.Stdout = &out
	require.Equal(t, cli.ExitValid, cli.Run([]string{"scenario", "schema"}, c))
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(out.Bytes(), &s))
	return &s
}

// TestTopologyWithWhatIsNotCarriedOut: the verdict of a cluster without what its configuration asks for is
// not plainly valid, and --strict-topology refuses such a configuration.
func TestTopologyWithWhatIsNotCarriedOut(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "corosync.conf")
	require.NoError(t, os.WriteFile(conf, []byte(`totem {
  version: 2
  cluster_name: two
  config_version: 1
}
nodelist {
  node {
    name: east
    nodeid: 1
    ring0_addr: 192.0.2.1
  }
  node {
    name: west
    nodeid: 2
    ring0_addr: 192.0.2.2
  }
}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
`), 0o600))
	run := func(args ...string) (code int, out, errs string) {
		c := config()
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		code = cli.Run(append([]string{"run", "slow-link", "--runs", filepath.Join(dir, "runs")}, args...), c)
		return code, stdout.String(), stderr.String()
	}
	code, out, _ := run("--topology", conf)
	require.Equal(t, cli.ExitValid, code, out)
	require.Contains(t, out, "VALID, BUT WITHOUT quorum.two_node, quorum.wait_for_all  slow-link")
	require.Contains(t, out, "quorum.two_node (corosync.conf:20) is not carried out: both nodes are needed")
	_, out, _ = run("--topology", conf, "--json")
	require.Contains(t, out, `"not_carried_out":[{"setting":"quorum.two_node","file":"corosync.conf",`)
	_, out, _ = run("--topology", conf, "--seeds", "1-2")
	require.Contains(t, out, "these verdicts are about a cluster without what its configuration asks for:")
	code, _, errs := run("--topology", conf, "--strict-topology")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "--strict-topology: scenario slow-link: quorum.two_node (corosync.conf:20)")

	code, out, errs = run("--etc", dir)
	require.Equal(t, cli.ExitValid, code, out)
	require.Contains(t, errs, dir+": took corosync.conf: nodes east, west\n")
	require.Contains(t, out, " --etc "+dir)
	code, _, errs = run("--etc", dir, "--topology", conf)
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "--etc and --topology exclude each other")
}
