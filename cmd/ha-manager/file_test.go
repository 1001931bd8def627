package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// TestFilesAreCorrected: a file that a person wrote badly is looked at, corrected and replaced.
func TestFilesAreCorrected(t *testing.T) {
	n := newNode(t)
	const bad, good = "vm: 100\n\tstate started\n\ngarbage\n", "vm: 100\n\tstate started\n"
	n.put(haproc.ResourcesPath, bad)
	n.nodes("n1")
	file := filepath.Join(t.TempDir(), "resources.cfg")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	refused := func(want string, args ...string) {
		code, _, errs := n.run(append([]string{"file"}, args...)...)
		require.Equal(t, 255, code, "%v", args)
		require.Contains(t, errs, want, "%v", args)
		require.Equal(t, bad, n.file(haproc.ResourcesPath))
	}
	require.Equal(t, bad, n.must("file", "show", "ha/resources.cfg"))
	require.Equal(t, "ha/resources.cfg\nnodes/n1/lrm_status\n", n.must("file", "list"))
	digest := n.must("file", "digest", "ha/resources.cfg")
	require.Equal(t, configDigest(bad)+"\n", digest)
	refused("ha is a directory", "show", "ha")
	refused("ha/nothing: no such file or directory", "show", "ha/nothing")

	write(bad)
	refused("ha/resources.cfg is not replaced: line 4: section header expected: garbage", "replace",
		"ha/resources.cfg", file)
	write(good)
	refused("detected modified configuration", "replace", "ha/resources.cfg", file, "--digest",
		configDigest(good))
	refused("this file cannot be replaced: write ha/resources.cfg, ", "replace",
		"nodes/n1/qemu-server/100.conf", file)
	refused("this file cannot be replaced", "replace", "nodes/../lrm_status", file)
	refused("no such file", "replace", "ha/resources.cfg", file+"x")
	n.readOnly = true
	refused("cluster not ready - no quorum?", "replace", "ha/resources.cfg", file)
	n.readOnly = false
	write("ha: shutdown_policy=migrte\n")
	refused(
		`datacenter.cfg is not replaced: line 1: shutdown_policy: "migrte" is none of conditional, freeze, `+
			"failover, migrate", "replace", "datacenter.cfg", file)
	write(good)
	n.must("file", "replace", "ha/resources.cfg", file, "--digest", configDigest(bad))
	require.Equal(t, good, n.file(haproc.ResourcesPath))

	for path, texts := range map[string][2]string{ // accepted, refused
		haproc.RulesPath:           {"", "somewhere: x\n"},
		haproc.GroupsPath:          {"group: first\n\tnodes n1\n", "group: first\n"},
		haproc.FencePath:           {"# nothing\n", "garbage\n"},
		haproc.DatacenterPath:      {"crs: ha=static\n", "max_workers: x\n"},
		haproc.ManagerStatusPath:   {"", "garbage"},
		haproc.LRMStatusPath("n1"): {"", "garbage"},
	} {
		write(texts[1])
		refusedCode, _, _ := n.run("file", "replace", path, file)
		require.Equal(t, 255, refusedCode, path)
		write(texts[0])
		n.must("file", "replace", path, file)
		require.Equal(t, texts[0], n.file(path))
	}
}
