package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// completions returns what a shell would offer for the last word.
func completions(t *testing.T, address string, words ...string) []string {
	var out, errs bytes.Buffer
	args := append([]string{"__complete", "--api", address}, words...)
	require.Zero(t, run(context.Background(), args, &out, &errs), errs.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Equal(t, ":", lines[len(lines)-1][:1], "the last line is for the shell")
	var offered []string
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		offered = append(offered, word)
	}
	return offered
}

func TestCompletion(t *testing.T) {
	n := newNode(t)
	n.nodes("n1", "n2")
	n.services("vm:100", "ct:101")
	n.put(haproc.GuestPath("vm:102", "n1"), "")
	n.must("rules", "add", "node-affinity", "home", "--resources", "vm:100", "--nodes", "n1")
	n.must("rules", "add", "resource-affinity", "pair", "--resources", "vm:100,ct:101",
		"--affinity", "negative")
	n.put(haproc.GroupsPath, "group: first\n\tnodes n1\n")
	for line, want := range map[string][]string{
		"set ":                                  {"ct:101", "vm:100"},
		"remove vm":                             {"vm:100"},
		"add ":                                  {"vm:102"},
		"migrate ":                              {"ct:101", "vm:100"},
		"migrate vm:100 ":                       {"n1", "n2"},
		"crm-command relocate vm:100 n2 ":       nil,
		"crm-command stop ":                     {"ct:101", "vm:100"},
		"crm-command node-maintenance enable n": {"n1", "n2"},
		"crm-command disarm-ha ":                {"freeze", "ignore"},
		"rules remove ":                         {"home", "pair"},
		"rules add ":                            {"node-affinity", "resource-affinity"},
		"rules add node-affinity ":              nil,
		"rules set node-affinity ":              {"home"},
		"rules set node-affinity home ":         nil,
		"rules add node-affinity x --nodes ":    {"n1", "n2"},
		"rules add node-affinity x --nodes n1,": {"n1,n2"},
		"rules add node-affinity x --resources vm:100,": {"vm:100,ct:101"},
		"rules list --output-format ":                   {"text", "json", "json-pretty", "yaml"},
		"rules config --resource v":                     {"vm:100"},
		"groupset ":                                     {"first"},
		"guest destroy ":                                {"ct:101", "vm:100", "vm:102"},
		"guest create vm:104 --node ":                   {"n1", "n2"},
		"set vm:100 --state ":                           {"started", "stopped", "disabled", "ignored"},
		"file show ha/": {"ha/groups.cfg", "ha/resources.cfg",
			"ha/rules.cfg"},
		"file replace ": editable,
	} {
		require.Equal(t, want, completions(t, n.url, strings.Split(line, " ")...), "%q", line)
	}
	_, help, _ := n.run("--help")
	require.Contains(t, help, "\n  completion ")
}

// TestCompletionIsSilent when there is no node, or one that does not answer.
func TestCompletionIsSilent(t *testing.T) {
	require.Empty(t, completions(t, filepath.Join(t.TempDir(), "nothing"), "set", ""))
	require.Empty(t, completions(t, "", "set", ""))

	socket := filepath.Join(shortDir(t), "s")
	listener, err := net.Listen("unix", socket) // accepts, and never answers
	require.NoError(t, err)
	defer listener.Close()
	begun := time.Now()
	require.Empty(t, completions(t, socket, "set", ""))
	require.Less(t, time.Since(begun), 10*completionTimeout)
}

// shortDir is a folder with a short path, because paths of sockets must be short.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "hf")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
