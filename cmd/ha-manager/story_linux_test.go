package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// Nodes by their numbers, as the story calls them.
const (
	n1 = iota
	n2
	n3
)

// TestAnAdministratorsStory performs an administrator's work on a cluster of real daemons with real
// programs as services, with a short timescale: services and rules, moves, maintenance, disarming, a
// node that loses its power and comes back, a daemon that ends, the loss of quorum.
func TestAnAdministratorsStory(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for most of a minute")
	c := newCluster(t)
	for _, chapter := range []struct {
		title string
		tell  func(*testing.T, *cluster)
	}{{"services begin", servicesBegin}, {"services move", servicesMove}, {"nodes rest", nodesRest},
		{"power is lost", powerIsLost}, {"a daemon dies", aDaemonDies},
		{"a supply dies", aSupplyDies},
		{"a daemon is restarted", aDaemonIsRestarted}, {"a node shuts down", aNodeShutsDown},
		{"quorum is lost", quorumIsLost}} {
		begun := time.Now()
		chapter.tell(t, c)
		t.Logf("%s: %v", chapter.title, time.Since(begun).Round(100*time.Millisecond))
	}
	c.neverTwice("vm:100", "ct:200", "vm:300")
}

func servicesBegin(t *testing.T, c *cluster) {
	require.Equal(t, []string{"n1", "n2", "n3"}, c.health(n1).Nodes)
	require.Equal(t, clusterTimescale, c.health(n1).Timescale)
	c.must("guest", "create", "vm:100", "--node", "n2", "--command", "web")
	c.must("guest", "create", "ct:200", "--node", "n1", "--command", "web")
	c.must("guest", "create", "vm:300", "--node", "n3", "--command", "web")
	c.must("add", "100", "--comment", "the shop")
	c.must("add", "ct:200", "--failback", "0")
	c.must("rules", "add", "node-affinity", "shop-first", "--resources", "vm:100", "--nodes", "n1:2,n2:1")
	c.must("rules", "add", "node-affinity", "db-first", "--resources", "ct:200", "--nodes", "n1:2,n2:1")
	c.must("add", "vm:300", "--max_restart", "2")
	text := c.until(n1, "quorum OK", "fencing armed (CRM watchdog active)",
		"lrm n1 (active, watchdog active, %T)",
		"service ct:200 (n1, started)", "service vm:300 (n3, started)", "service vm:100 (n1, started)")
	require.Regexp(t, `(?m)^master n[123] \(active, %T\)$`, text)
	for i := range c.nodes {
		require.Equal(t, text[:10], c.until(i, "quorum OK")[:10], "every node says so")
	}
	require.Equal(t, "ct:200\n\tfailback 0\n\tstate started\n\n"+
		"vm:100\n\tcomment the shop\n\tstate started\n\nvm:300\n\tmax_restart 2\n\tstate started\n\n",
		c.must("config"))
	require.Len(t, c.runIntervals("ct:200"), 1)

	for _, command := range [][]string{{"groupadd", "first", "--nodes", "n1"}, {"groupconfig"},
		{"set", "vm:100", "--group", "first"}} {
		code, _, errs := c.ask(n1, command...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "ha groups have been migrated to rules", "%v", command)
	}
	var entries []map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.must("status", "--output-format", "json")), &entries))
	require.Equal(t, "service:vm:300", entries[len(entries)-1]["id"])
	require.Equal(t, "started", entries[len(entries)-1]["crm_state"])
}

func servicesMove(t *testing.T, c *cluster) {
	c.must("migrate", "vm:300", "n2")
	c.until(n1, "service vm:300 (n2, started)")
	c.must("crm-command", "relocate", "vm:300", "n3")
	c.until(n1, "service vm:300 (n3, started)")
	require.Len(t, c.runIntervals("vm:300"), 3)
	c.must("set", "vm:300", "--state", "stopped")
	c.until(n1, "service vm:300 (n3, stopped)")
	c.must("set", "vm:300", "--state", "started")
	c.until(n1, "service vm:300 (n3, started)")
	c.must("crm-command", "stop", "vm:300", "0")
	c.until(n1, "service vm:300 (n3, stopped)")
	require.Contains(t, c.must("config"), "vm:300\n\tmax_restart 2\n\tstate stopped\n",
		"the request is remembered")
	c.must("set", "vm:300", "--state", "started")
	c.until(n1, "service vm:300 (n3, started)")
	code, _, errs := c.ask(n1, "migrate", "vm:100", "n7")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such cluster node 'n7': there are n1, n2, n3")
}

func nodesRest(t *testing.T, c *cluster) {
	c.must("crm-command", "node-maintenance", "enable", "n1")
	c.until(n2, "service vm:100 (n2, started)", "service ct:200 (n2, started)",
		"lrm n1 (maintenance mode, watchdog released, %T)")
	c.must("crm-command", "node-maintenance", "disable", "n1")
	text := c.until(n2, "service vm:100 (n1, started)", "lrm n1 (active, watchdog active, %T)")
	require.Contains(t, text, "service ct:200 (n2, started)\n", "it does not fail back")
	c.must("migrate", "ct:200", "n1")
	c.until(n2, "service ct:200 (n1, started)")

	begun := len(c.runIntervals("vm:100"))
	c.must("crm-command", "disarm-ha", "freeze")
	c.until(n2, "fencing disarmed, resource mode: freeze (CRM watchdog released)",
		"lrm n1 (disarm mode, watchdog released, %T)",
		"lrm n2 (disarm mode, watchdog released, %T)", "service vm:100 (n1, freeze)")
	c.must("crm-command", "arm-ha")
	c.until(n2, "fencing armed (CRM watchdog active)", "lrm n1 (active, watchdog active, %T)",
		"service vm:100 (n1, started)")
	require.Len(t, c.runIntervals("vm:100"), begun, "nothing was touched meanwhile")
}

func powerIsLost(t *testing.T, c *cluster) {
	begun := map[string]int{"vm:100": len(c.runIntervals("vm:100")), "ct:200": len(c.runIntervals("ct:200"))}
	c.off(n1)
	c.until(n2, "service vm:100 (n2, started)", "service ct:200 (n2, started)")
	for sid, before := range begun {
		intervals := c.runIntervals(sid)
		require.Len(t, intervals, before+1, "%s starts elsewhere, once", sid)
		require.Equal(t, n2, intervals[before].node)
	}
	c.on(n1)
	c.until(n2, "service vm:100 (n1, started)", "lrm n1 (active, watchdog active, %T)")
	require.Contains(t, c.until(n2), "service ct:200 (n2, started)\n", "it does not fail back")
	c.neverTwice("vm:100", "ct:200")
}

// aDaemonDies, and later freezes: the services of a node outlive its daemon, and end with the reset
// that follows. The node is back before another node takes them.
func aDaemonDies(t *testing.T, c *cluster) {
	for _, how := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
		before := c.health(n3)
		intervals := len(c.runIntervals("vm:300"))
		require.NoError(t, unix.Kill(before.PID, how))
		require.Eventually(t, func() bool { return len(c.runIntervals("vm:300")) == intervals+1 }, waitLimit,
			100*time.Millisecond)
		c.until(n2, "service vm:300 (n3, started)", "lrm n3 (active, watchdog active, %T)")
		require.Equal(t, before.Boot+1, c.health(n3).Boot, "the machine was reset")
		c.neverTwice("vm:300")
	}
}

// childrenOf returns the children of a process.
func childrenOf(t *testing.T, pid int) (pids []int) {
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil // ps fails where there is none
	}
	for line := range strings.Lines(string(out)) {
		child, err := strconv.Atoi(strings.TrimSpace(line))
		require.NoError(t, err)
		pids = append(pids, child)
	}
	return pids
}

// below returns all processes below one.
func below(t *testing.T, pid int) (pids []int) {
	for _, child := range childrenOf(t, pid) {
		pids = append(append(pids, child), below(t, child)...)
	}
	return pids
}

// aSupplyDies: something kills the second process of a supervised machine, which all others of the machine
// depend on. Its services end before the first process does.
func aSupplyDies(t *testing.T, c *cluster) {
	intervals := len(c.runIntervals("vm:300"))
	first := c.nodes[n3].Process.Pid
	supply := childrenOf(t, first)
	require.Len(t, supply, 1)
	all := below(t, first)
	require.Greater(t, len(all), 3, "the supply, the daemon, the keeper of a service and its program")
	require.NoError(t, unix.Kill(supply[0], unix.SIGKILL))
	require.Error(t, c.nodes[n3].Wait())
	c.nodes[n3] = nil
	for _, pid := range all {
		require.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH, "process %d", pid)
	}
	log, err := os.ReadFile(c.path(n3, "log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "the machine's supply ended: signal: killed")
	c.on(n3)
	require.Eventually(t, func() bool { return len(c.runIntervals("vm:300")) > intervals }, waitLimit,
		100*time.Millisecond)
	c.until(n2, "service vm:300 (n3, started)", "lrm n3 (active, watchdog active, %T)")
	c.neverTwice("vm:300")
}

// aDaemonIsRestarted, as for an update: its services continue to run.
func aDaemonIsRestarted(t *testing.T, c *cluster) {
	before, intervals := c.health(n2), len(c.runIntervals("ct:200"))
	require.NoError(t, unix.Kill(before.PID, unix.SIGTERM))
	require.Eventually(t, func() bool { h, err := c.tryHealth(n2); return err == nil && h.PID != before.PID },
		waitLimit, 100*time.Millisecond)
	c.until(n1, "service ct:200 (n2, started)", "lrm n2 (active, watchdog active, %T)")
	require.Equal(t, before.Boot, c.health(n2).Boot, "the node was not reset")
	require.Len(t, c.runIntervals("ct:200"), intervals)
}

// aNodeShutsDown in order: its services are stopped, then others take them.
func aNodeShutsDown(t *testing.T, c *cluster) {
	intervals := len(c.runIntervals("vm:300"))
	require.NoError(t, c.nodes[n3].Process.Signal(unix.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- c.nodes[n3].Wait() }()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(waitLimit):
		t.Fatal("the node does not end")
	}
	c.nodes[n3] = nil
	require.Eventually(t, func() bool { return len(c.runIntervals("vm:300")) == intervals+1 }, waitLimit,
		100*time.Millisecond)
	c.on(n3)
	on := c.runIntervals("vm:300")[intervals].node
	require.NotEqual(t, n3, on)
	c.until(n1, "lrm n3 (idle, watchdog standby, %T)", fmt.Sprintf("service vm:300 (n%d, started)", on+1))
	c.must("migrate", "vm:300", "n3")
	c.until(n1, "service vm:300 (n3, started)")
}

func quorumIsLost(t *testing.T, c *cluster) {
	c.off(n2, n3)
	text := c.until(n1, "quorum No quorum on node 'n1'!")
	require.Contains(t, text, "service vm:100 (n1, ", "what it knew is shown")
	for _, change := range [][]string{{"set", "vm:100", "--comment", "x"}, {"migrate", "vm:100", "n2"},
		{"remove", "vm:100"}} {
		code, _, errs := c.ask(n1, change...)
		require.Equal(t, exitFailed, code, "%v", change)
		require.Contains(t, errs, "cluster not ready - no quorum?", "%v", change)
	}
	require.Contains(t, c.must("config"), "the shop")
	c.on(n2, n3)
	c.until(n1, "quorum OK", "service vm:100 (n1, started)", "service ct:200 (n2, started)",
		"service vm:300 (n3, started)")
}
