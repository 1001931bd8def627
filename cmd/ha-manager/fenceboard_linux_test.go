package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// boardControl is what the simulated board of OpenIPMI calls: to switch off, it kills the process whose
// end is
// the node's power cut, and the process that performs it.
const boardControl = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
shift
verb=$1; shift
if [ "$verb" = get ]; then
	for what in "$@"; do
		if [ "$what" = power ] && [ ! -e off ]; then echo power:1; else echo "$what:0"; fi
	done
	exit 0
fi
echo "$*" >> told
if [ "$*" = "power 0" ]; then
	read -r power supply < plug
	kill -KILL "$power"
	kill -CONT "$supply"
	touch off
fi
`

const boardConfig = `name "board"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "%s/control 0x20"
  startnow false
  user 2 true "admin" "hush-hush" admin 10 none md2 md5 straight
`

const boardHardware = "mc_setbmc 0x20\n" +
	"mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"

// newBoard starts a board for a node, and returns its directory and its port.
func (c *cluster) newBoard(simulator string, node int) (dir string, port int) {
	dir = filepath.Join(c.dir, "board")
	require.NoError(c.t, os.MkdirAll(dir, 0o700))
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(c.t, err)
	port = l.LocalAddr().(*net.UDPAddr).Port
	require.NoError(c.t, l.Close())
	supply := children(c.nodes[node].Process.Pid)
	require.Len(c.t, supply, 1)
	for name, text := range map[string]string{"control": boardControl, "sim.emu": boardHardware,
		"lan.conf": fmt.Sprintf(boardConfig, port, dir),
		"plug":     fmt.Sprintln(c.nodes[node].Process.Pid, supply[0])} {
		require.NoError(c.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700))
	}
	cmd := exec.Command(simulator, "-c", "lan.conf", "-f", "sim.emu", "-s", filepath.Join(dir, "state"), "-n")
	cmd.Dir = dir
	require.NoError(c.t, cmd.Start())
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return dir, port
}

// TestRealAgentsFenceARealNode: real daemons, the real agents of Debian, and a node that is frozen with its
// supervisor, so that its service continues to run. Its first device is a switch port, its second a board
// that
// cycles: both prove nothing, and the status reports why, while the service stays where it is. When the same
// board may be switched off and asked, it fences the node, and the service runs elsewhere, at no time twice.
func TestRealAgentsFenceARealNode(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for a minute")
	for _, agent := range []string{"fence_ipmilan", "fence_ifmib", "ipmitool"} {
		if _, err := exec.LookPath(agent); err != nil {
			t.Skipf("needs %s of the Debian packages fence-agents and ipmitool", agent)
		}
	}
	simulator, err := exec.LookPath("ipmi_sim")
	if err != nil {
		t.Skip("needs ipmi_sim of the Debian package openipmi")
	}
	c := newCluster(t)
	c.must("guest", "create", "vm:11", "--node", "n1", "--command", "web")
	c.must("add", "vm:11")
	lost := n3
	if strings.Contains(c.until(n1, "service vm:11 (n1, started)"), "master n3") {
		lost = n2
	}
	name := fmt.Sprint("n", lost+1)
	dir, port := c.newBoard(simulator, lost)
	set := func(text string, flags ...string) (int, string) {
		file := filepath.Join(c.dir, "fence.cfg")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "NODE", name)), 0o600))
		code, _, errs := c.ask(n1, append([]string{"fence", "set", file}, flags...)...)
		return code, errs
	}
	board := fmt.Sprintf("device board fence_ipmilan P C=3 l=admin p=\"hush-hush\" power-wait=0 "+
		"holdfast_attempts=1 METHOD\n"+
		"connect board node=NODE a=127.0.0.1 u=%d\n", port)
	wrong := "device switch fence_ifmib ip=127.0.0.1 community=x\nconnect switch node=NODE plug=swp3\n" +
		strings.ReplaceAll(board, "METHOD", "method=cycle action=reboot")
	code, errs := set(strings.ReplaceAll(board, "METHOD", "method=onoff"))
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, "device board works, the node is on\n", c.must("fence", "test", name))
	code, errs = set(wrong)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "device switch: proves nothing: fence_ifmib: it cuts the node off from a "+
		"network")
	require.Contains(t, errs, "device board: proves nothing: fence_ipmilan: method=cycle reports success "+
		"before")
	code, errs = set(wrong, "--unproven")
	require.Equal(t, exitOK, code, errs)
	c.must("fence", "mode", "both")
	c.must("guest", "create", "vm:12", "--node", name, "--command", "web")
	c.must("add", "vm:12")
	c.until(n1, fmt.Sprintf("service vm:12 (%s, started)", name),
		fmt.Sprintf("lrm %s (active, watchdog active, %%T)", name))

	c.freeze(lost)
	c.untilContains(n1, "fence "+name+" (failed: device switch: proves nothing",
		"device board: proves nothing")
	time.Sleep(3 * 120 * time.Second / 20) // three times the TTL of a lock
	require.Contains(t, withoutTimes(c.must("status")), fmt.Sprintf("service vm:12 (%s, fence)\n", name))
	require.NoFileExists(t, filepath.Join(dir, "told"), "a device that proves nothing is not called")

	code, errs = set(strings.ReplaceAll(board, "METHOD", "method=onoff"))
	require.Equal(t, exitOK, code, errs)
	other := fmt.Sprint("n", n2+n3-lost+1) // where nothing runs yet
	c.untilContains(n1, fmt.Sprintf("service vm:12 (%s, started)", other))
	require.Eventually(t, func() bool { return len(c.runIntervals("vm:12")) == 2 }, waitLimit,
		50*time.Millisecond)
	c.neverTwice("vm:11", "vm:12")
	told, err := os.ReadFile(filepath.Join(dir, "told"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(told), "power 0\n"))
}
