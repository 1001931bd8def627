package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// fenceFiles is a directory with the agent of fence_linux_test.go, the machine n1, and files with devices.
type fenceFiles struct {
	t   *testing.T
	dir string
}

func newFenceFiles(t *testing.T) *fenceFiles {
	f := &fenceFiles{t, t.TempDir()}
	f.write("fence_files", fenceAgent)
	require.NoError(t, os.Chmod(filepath.Join(f.dir, "fence_files"), 0o700))
	f.describeAs("0")
	f.write("plug1", "1 1\n")
	return f
}

func (f *fenceFiles) write(name, text string) string {
	path := filepath.Join(f.dir, name)
	require.NoError(f.t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "AGENT",
		filepath.Join(f.dir, "fence_files"))), 0o600))
	return path
}

// describeAs makes the agent one of power switches, or with automatic=1 one of switch ports.
func (f *fenceFiles) describeAs(automatic string) {
	f.write("metadata", fmt.Sprintf(fenceMetadata, automatic))
}

func TestFenceDevicesAreVerified(t *testing.T) {
	f, n := newFenceFiles(t), newNode(t)
	n.put(haproc.LRMStatusPath("n1"), "{}")
	good := f.write("good.cfg", "device pdu AGENT\nconnect pdu node=n1 'plug=plug1'\n")
	for name, c := range map[string]struct{ text, want string }{
		"typo": {"device pdu AGENT plugg=1\nconnect pdu node=n1\n",
			`device pdu: argument that the agent does not take: fence_files has no option "plugg"`},
		"missing agent": {"device pdu fence_nowhere\nconnect pdu node=n1\n",
			"device pdu: proves nothing: fence_nowhere: no metadata of a fence agent"},
		"other names": {"device pdu AGENT\nconnect pdu node=pve1\n", "connect … node=pve1: "},
		"two faults": {"device pdu fence_x\nconnect pdu node=n1 x='\ndevice pdu fence_y\n",
			"; line 3: device pdu:1 is defined twice"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := n.run("fence", "set", f.write("bad.cfg", c.text))
			require.Equal(t, exitFailed, code)
			require.Contains(t, errs, c.want)
			require.Empty(t, n.must("fence", "config"))
		})
	}
	code, _, errs := n.run("fence", "mode", "both")
	require.Equal(t, exitOK, code)
	require.Contains(t, errs, "no fence agent is verified")

	n.must("fence", "set", good)
	_, _, errs = n.run("fence", "mode", "both")
	require.Empty(t, errs)
	verified, err := fence.DecodeFingerprints(n.file(haproc.FenceAgentsPath))
	require.NoError(t, err)
	require.Equal(t, fence.AgentFingerprints{
		filepath.Join(f.dir, "fence_files"): "actions=off,on,reboot,status " +
			"automatic=0 method=-"},
		verified)

	f.describeAs("1")
	port := f.write("port.cfg", "device switch AGENT\nconnect switch node=n1 plug=swp1\n")
	code, _, errs = n.run("fence", "set", port)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "leaves it running")
	require.Contains(t, n.must("fence", "config"), "device pdu")
	n.must("fence", "set", "--unproven", port)
	require.Contains(t, n.must("fence", "config"), "device switch")
}

func TestFenceDevicesAreTried(t *testing.T) {
	f, n := newFenceFiles(t), newNode(t)
	code, _, errs := n.run("fence", "test", "n1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no device is connected to node 'n1'")
	n.must("fence", "set", f.write("good.cfg", "device pdu AGENT\nconnect pdu node=n1 plug=plug1\n"))
	require.Equal(t, "device pdu works, the node is on\n", n.must("fence", "test", "n1"))

	f.write("plug1.off", "")
	require.Equal(t, "device pdu works, the node is off\n", n.must("fence", "test", "n1"))
	n.put(haproc.ManagerStatusPath, `{"node_status":{"n1":"online"}}`)
	code, out, _ := n.run("fence", "test", "n1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "does the outlet belong to it?")

	f.describeAs("1")
	code, out, _ = n.run("fence", "test", "n1", "--output-format", "json")
	require.Equal(t, exitFailed, code)
	var checks []fence.Check
	require.NoError(t, json.Unmarshal([]byte(out), &checks))
	require.Len(t, checks, 1)
	require.Contains(t, checks[0].Reason, "leaves it running")
	calls, err := os.ReadFile(filepath.Join(f.dir, "calls"))
	require.NoError(t, err)
	require.NotContains(t, string(calls), "plug1 o", "nothing was switched")
}
