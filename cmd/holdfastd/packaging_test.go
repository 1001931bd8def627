package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// text reads a file of the module.
func text(t *testing.T, path ...string) string {
	data, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	require.NoError(t, err)
	return string(data)
}

// TestThePortsThatThePageLists are those of the processes of a node, and no others.
func TestThePortsThatThePageLists(t *testing.T) {
	conf, _, err := corosync.Parse("corosync.conf", []byte(goodConf))
	require.NoError(t, err)
	composed, err := node.Compose(node.Options{Cluster: conf, Key: []byte(goodKey), HA: &node.HA{
		Commands: &resource.Commands{Named: map[string][]string{"web": {"/bin/true"}}}}})
	require.NoError(t, err)
	var want []string
	for i, p := range composed { // the host adds the position to the port of the link
		want = append(want, fmt.Sprintf("%d %s", corosyncPort+i, p.Name))
	}
	page := text(t, "docs", "operate.md")
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z]+)` \\|").FindAllStringSubmatch(page,
		-1) {
		got = append(got, row[1]+" "+row[2])
	}
	require.Equal(t, want, got)
	require.Contains(t, page, fmt.Sprintf("ports %d to %d", corosyncPort, corosyncPort+len(composed)-1))

	withoutHA, err := node.Compose(node.Options{Cluster: conf, Key: []byte(goodKey)})
	require.NoError(t, err)
	require.Contains(t, page, fmt.Sprintf("without `ha.json` to %d", corosyncPort+len(withoutHA)-1))
}

// TestTheUnit: the page shows the unit that the package installs, and systemd does not start a node again
// whose configuration is wrong.
func TestTheUnit(t *testing.T) {
	unit := text(t, "packaging", "holdfastd.service")
	require.Contains(t, unit, fmt.Sprintf("\nRestartPreventExitStatus=%d\n", nodemain.ExitUsage))
	require.Contains(t, unit, "\nKillMode=process\n")
	require.Contains(t, text(t, "docs", "operate.md"), "```text\n"+unit+"```\n")
	code, said := check(t, `{"machine": 2}`, goodConf, goodKey, 0o600)
	require.Equal(t, nodemain.ExitUsage, code, said)
}

// TestTheManualPage names every flag and every exit status.
func TestTheManualPage(t *testing.T) {
	page := text(t, "packaging", "man", "holdfastd.8")
	var help bytes.Buffer
	nodemain.Main("holdfastd", longHelp, []string{"--help"}, &help, processes)
	require.Zero(t, runToken([]string{"--help"}, &help, &help))
	flags := regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(help.String(), -1)
	require.Greater(t, len(flags), 5)
	for _, flag := range flags {
		require.Contains(t, page, strings.ReplaceAll(flag, "-", `\-`))
	}
	for _, code := range []int{nodemain.ExitOK, nodemain.ExitReboot, nodemain.ExitUsage,
		nodemain.ExitInternal} {
		require.Contains(t, page, fmt.Sprintf(".TP\n.B %d\n", code))
	}
	require.Contains(t, page, "within ten seconds")
	require.EqualValues(t, 10, watchdog.HardwareTime.Seconds())
}

// TestTheNodesAreNamed: the node tells clients which nodes are configured, in the order of the machines.
func TestTheNodesAreNamed(t *testing.T) {
	conf, _, err := corosync.Parse("corosync.conf", []byte(goodConf))
	require.NoError(t, err)
	file := &host.MachineFile{Machine: 1}
	require.NoError(t, findNode(file, conf))
	require.Equal(t, "n2", file.Name)
	require.Equal(t, []string{"n1", "n2"}, file.Config("/nowhere").Nodes)
}
