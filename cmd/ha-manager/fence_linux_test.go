package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// fenceAgent is a fence agent whose outlets are files with the ids of two processes: the process whose
// end is the node's power cut, and the process that performs it. The agent reaches no outlet while
// there is a file "broken".
const fenceAgent = `#!/bin/sh
if [ "$*" = "-o metadata" ]; then
	cat "$(dirname "$0")/metadata"
	exit 0
fi
while read -r line; do
	case "$line" in
	plug=*) plug=${line#plug=} ;;
	action=*) action=${line#action=} ;;
	esac
done
cd "$(dirname "$0")" || exit 1
echo "$plug $action" >> calls
if [ -e broken ]; then echo "Failed: unable to reach the device"; exit 1; fi
case $action in
off)
	read -r power supply < "$plug"
	kill -KILL "$power"
	kill -CONT "$supply"
	touch "$plug.off"
	;;
on) rm -f "$plug.off" ;;
status | monitor) [ ! -e "$plug.off" ] || exit 2 ;;
esac
`

// fenceMetadata is what the agent describes itself as; %s is automatic of the action on.
const fenceMetadata = `<?xml version="1.0" ?>
<resource-agent name="fence_files" shortdesc="outlets that are files" >
<parameters>
	<parameter name="plug"><getopt mixed="-n, --plug=[id]" /><content type="string" /></parameter>
</parameters>
<actions>
	<action name="on" automatic="%s"/>
	<action name="off" /><action name="reboot" /><action name="status" /><action name="monitor" />
</actions>
</resource-agent>
`

// TestADeviceIsNeeded: with "both", real daemons, a real agent and a node that is frozen with its
// supervisor, so that no watchdog works there and its service continues to run. No node takes the
// service while the device cannot be reached, however long ago the lock has expired. Then the device
// switches the node off, and the service runs elsewhere, at no time twice.
func TestADeviceIsNeeded(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for half a minute")
	c := newCluster(t)
	agent := filepath.Join(c.dir, "fence", "fence_files")
	require.NoError(t, os.MkdirAll(filepath.Dir(agent), 0o700))
	require.NoError(t, os.WriteFile(agent, []byte(fenceAgent), 0o700))
	metadata := filepath.Join(c.dir, "fence", "metadata")
	require.NoError(t, os.WriteFile(metadata, fmt.Appendf(nil, fenceMetadata, "1"), 0o600))
	broken := filepath.Join(c.dir, "fence", "broken")
	require.NoError(t, os.WriteFile(broken, nil, 0o600))
	devices := filepath.Join(c.dir, "fence", "fence.cfg")
	text := "device pdu " + agent + " action=off holdfast_attempts=1 holdfast_timeout=10\n"
	for i, node := range c.nodes {
		outlet := filepath.Join(c.dir, "fence", fmt.Sprint("plug", i+1))
		supply := children(node.Process.Pid)
		require.Len(t, supply, 1)
		require.NoError(t, os.WriteFile(outlet, fmt.Appendln(nil, node.Process.Pid, supply[0]), 0o600))
		text += fmt.Sprintf("connect pdu node=n%d plug=plug%d\n", i+1, i+1)
	}
	require.NoError(t, os.WriteFile(devices, []byte(text), 0o600))
	code, _, errs := c.ask(n1, "fence", "set", devices)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "device pdu: proves nothing: fence_files: it cuts the node off from a network")
	require.Empty(t, c.must("fence", "config"), "nothing changes")
	require.NoError(t, os.WriteFile(metadata, fmt.Appendf(nil, fenceMetadata, "0"), 0o600))
	c.must("fence", "set", devices)
	code, out, _ := c.ask(n1, "fence", "test", "n1")
	require.Equal(t, exitFailed, code)
	require.Equal(t, "device pdu does not work: monitor: agent failed with code 1: Failed: unable to reach "+
		"the device\n", out)
	require.Equal(t, text, c.must("fence", "config"))
	c.must("fence", "mode", "both")
	long := filepath.Join(c.dir, "fence", "long.cfg")
	require.NoError(t, os.WriteFile(long, bytes.Repeat([]byte("#\n"), maxFenceBytes), 0o600))
	code, _, errs = c.ask(n1, "fence", "set", long)
	require.NotZero(t, code)
	require.Contains(t, errs, "is longer than")
	code, _, errs = c.ask(n1, "fence", "mode", "prayer")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "watchdog, hardware, both")

	// A master first, so that it is not the node that is lost.
	c.must("guest", "create", "vm:101", "--node", "n1", "--command", "web")
	c.must("add", "vm:101")
	status := c.until(n1, "service vm:101 (n1, started)")
	lost := n3
	if strings.Contains(status, "master n3") {
		lost = n2
	}
	name := fmt.Sprint("n", lost+1)
	c.must("guest", "create", "vm:102", "--node", name, "--command", "web")
	c.must("add", "vm:102")
	c.until(n1, fmt.Sprintf("service vm:102 (%s, started)", name),
		fmt.Sprintf("lrm %s (active, watchdog active, %%T)", name))

	c.freeze(lost)
	c.untilContains(n1, "fence "+name+" (failed: ", "unable to reach the device")
	time.Sleep(3 * 120 * time.Second / 20) // three times the TTL of a lock
	require.Contains(t, withoutTimes(c.must("status")), fmt.Sprintf("service vm:102 (%s, fence)\n", name))
	require.Len(t, c.runIntervals("vm:102"), 1)

	require.NoError(t, os.Remove(broken))
	other := fmt.Sprint("n", n2+n3-lost+1) // where nothing runs yet
	c.untilContains(n1, fmt.Sprintf("service vm:102 (%s, started)", other))
	require.Eventually(t, func() bool { return len(c.runIntervals("vm:102")) == 2 }, waitLimit,
		50*time.Millisecond)
	c.neverTwice("vm:101", "vm:102")
	require.Len(t, c.runIntervals("vm:102"), 2)
	calls, err := os.ReadFile(filepath.Join(filepath.Dir(agent), "calls"))
	require.NoError(t, err)
	require.Regexp(t, fmt.Sprintf(`plug%d status\nplug%d off\nplug%d status\n`, lost+1, lost+1, lost+1),
		string(calls))
	require.NotContains(t, string(calls), "plug1 off", "no other node was touched")
}

// freeze stops a node's daemon and its watchdog. The services continue to run.
func (c *cluster) freeze(node int) {
	supply := children(c.nodes[node].Process.Pid)
	for _, p := range append(supply, children(supply[0])...) {
		require.NoError(c.t, unix.Kill(p, unix.SIGSTOP))
	}
}

// children are the child processes of a process, without their own children.
func children(pid int) (out []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		data, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(data)) {
			var child int
			if _, err := fmt.Sscan(word, &child); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// untilContains waits until the status contains all words.
func (c *cluster) untilContains(node int, words ...string) {
	c.t.Helper()
	var text string
	for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, text, _ = c.ask(node, "status")
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return
		}
	}
	c.t.Fatalf("%q were not all in the status within %v; it is:\n%s", words, waitLimit, text)
}
