//go:build linux

package fence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/host"
)

// needs skips a test on a machine without a program of a Debian package.
func needs(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s of the Debian package %s, which is not installed", program, debianPackage)
	}
	return path
}

// callProgram is a fence.CallFunc that runs programs.
func callProgram(c env.Command) env.CommandResult {
	ctx, cancel := context.WithTimeout(context.Background(), c.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Stdin, cmd.WaitDelay = bytes.NewReader(c.Input), time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		return env.CommandResult{Err: errors.Join(err, ctx.Err()), Output: out}
	}
	return env.CommandResult{Code: cmd.ProcessState.ExitCode(), Output: out}
}

// planFor plans the fencing of n3.
func planFor(t *testing.T, text string) []fence.Device {
	t.Helper()
	cfg, err := config.ParseFence(text)
	require.NoError(t, err)
	devices, problems := fence.Plan(cfg, "n3")
	require.Empty(t, problems)
	return devices
}

// verifiedAgents is what `ha-manager fence set` would store.
func verifiedAgents(devices []fence.Device) fence.AgentFingerprints {
	known, _ := fence.AskMetadata(devices, callProgram)
	v := fence.AgentFingerprints{}
	for agent, m := range known {
		v[agent] = m.Fingerprint()
	}
	return v
}

// packageVersion is the version of fence-agents whose agents testdata/agents.txt describes.
const packageVersion = "4.12.1"

// TestAgentsOfThePackage asks the agents of the package fence-agents what they are: which of them can prove
func TestAgentsOfThePackage(t *testing.T) {
	program := needs(t, "fence_ipmilan", "fence-agents")
	if version := strings.TrimSpace(string(callProgram(env.Command{Args: []string{program, "-V"},
		Limit: time.Minute}).Output)); !strings.HasSuffix(version, packageVersion) {
		t.Skipf("needs fence-agents %s, and %q is installed", packageVersion, version)
	}
	want, err := os.ReadFile("testdata/agents.txt")
	require.NoError(t, err)
	names := []string{"fence_apc", "fence_ifmib", "fence_ipmilan", "fence_kdump"}
	if thorough.On() {
		files, err := filepath.Glob(filepath.Join(filepath.Dir(program), "fence_*"))
		require.NoError(t, err)
		names = nil
		for _, file := range files {
			names = append(names, filepath.Base(file))
		}
		require.Len(t, names, bytes.Count(want, []byte("\n")), "the agents of the list")
	}
	for _, name := range names {
		result := "can prove that a node is off"
		m, err := fence.ReadMetadata(callProgram(fence.MetadataCommand(name)))
		if err == nil {
			_, err = m.Vet(&fence.Part{Agent: name})
			require.Equal(t, name, m.Agent)
		}
		if err != nil {
			result = err.Error()
		}
		require.Contains(t, string(want), name+" "+result+"\n")
	}
}

// board is a management board of the simulator of OpenIPMI. Its power is a file, and so is the list of what
// it was told.
type board struct {
	t    *testing.T
	dir  string
	port int
}

// boardControl is the program that the board calls. A file "habit" makes it slow or deaf.
const boardControl = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
shift
verb=$1; shift
if [ "$verb" = get ]; then
	for what in "$@"; do
		case $what in power) echo "power:$(cat power)" ;; *) echo "$what:0" ;; esac
	done
	exit 0
fi
echo "$*" >> told
case $(cat habit 2>/dev/null) in
slow) (sleep 2; echo "$2" > power) > /dev/null 2>&1 & ;;
deaf) ;;
*) echo "$2" > power ;;
esac
`

const boardConfig = `name "n3"
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

// freeUDPPort returns a port of the loopback interface that no program uses.
func freeUDPPort(t *testing.T) int {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.LocalAddr().(*net.UDPAddr).Port
}

func newBoard(t *testing.T) *board {
	t.Helper()
	needs(t, "fence_ipmilan", "fence-agents")
	needs(t, "ipmitool", "ipmitool")
	simulator := needs(t, "ipmi_sim", "openipmi")
	b := &board{t: t, dir: t.TempDir(), port: freeUDPPort(t)}
	b.write("control", boardControl)
	require.NoError(t, os.Chmod(filepath.Join(b.dir, "control"), 0o700))
	b.write("power", "1\n")
	b.write("lan.conf", fmt.Sprintf(boardConfig, b.port, b.dir))
	b.write("sim.emu", boardHardware)
	cmd := exec.Command(simulator, "-c", "lan.conf", "-f", "sim.emu", "-s", filepath.Join(b.dir,
		"state"), "-n")
	cmd.Dir = b.dir
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		return fence.CheckDevice(&b.devices("")[0], "n3", verifiedAgents(b.devices("")), callProgram).OK
	}, time.Minute, 100*time.Millisecond, "the board does not answer")
	return b
}

func (b *board) write(name, text string) {
	require.NoError(b.t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600))
}

// told returns what the board was told to do, and forgets it.
func (b *board) told() string {
	data, _ := os.ReadFile(filepath.Join(b.dir, "told"))
	b.write("told", "")
	return string(data)
}

// devices returns the board as a fence device, with letters, quotes and both spellings.
func (b *board) devices(more string) []fence.Device {
	return planFor(b.t, fmt.Sprintf("device board fence_ipmilan P C=3 l='admin' p=\"hush-hush\" "+
		"power-wait=0 "+
		"login_timeout=2 holdfast_attempts=1 %s\nconnect board node=n3 a=127.0.0.1 u=%d\n", more, b.port))
}

// fenceThrough fences n3 through a host, and returns the proof, if there is one, and what is reported.
func fenceThrough(t *testing.T, devices []fence.Device) (proof *fence.Proof, report string) {
	t.Helper()
	p := &reportingCaller{reports: make(chan string, 1), request: fence.Request{Node: "n3", Version: 7,
		Devices: devices, Verified: verifiedAgents(devices), Wanted: func() (bool, string) {
			return true,
				""
		},
		Absent: func(*env.Task) (string, bool) { return "1.1", true }}}
	h, err := host.New(host.Config{Name: "n1", Dir: t.TempDir(),
		Processes: []host.Process{{Name: "crm", New: func() env.Process { return p }}}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	select {
	case report = <-p.reports:
	case <-time.After(time.Minute):
		require.Fail(t, "no end of the fencing")
	}
	time.Sleep(2 * time.Second) // what follows the result
	cancel()
	require.NoError(t, <-ended)
	return p.proof, report
}

// reportingCaller fences once.
type reportingCaller struct {
	request fence.Request
	reports chan string
	proof   *fence.Proof
	tasks   *env.Tasks
}

func (c *reportingCaller) Start(e env.Env) error {
	c.tasks = env.NewTasks(e, 1)
	var f *fence.Fencer
	f = fence.New(e, c.tasks, fence.Options{Changed: func() {
		if p, ok := f.Proof("n3"); ok {
			c.proof = &p
		}
		c.reports <- f.Report("n3")
	}})
	f.Request(c.request)
	return nil
}

func (c *reportingCaller) Step(ev env.Event) { c.tasks.Step(ev) }

// TestABoardOfOpenIPMI fences with the real agent and a simulated board that is well.
func TestABoardOfOpenIPMI(t *testing.T) {
	thorough.Only(t, "a simulated board and its agent work for some seconds")
	b := newBoard(t)
	proof, report := fenceThrough(t, b.devices(""))
	require.NotNil(t, proof, report)
	require.Equal(t, "power 0\npower 1\n", b.told())
}

// TestHabitsOfABoard fences with the real agent and a simulated board with one habit after the other.
func TestHabitsOfABoard(t *testing.T) {
	thorough.Only(t, "every fencing takes some seconds, and one that cannot reach the board half a minute")
	b := newBoard(t)
	t.Run("slow", func(t *testing.T) {
		b.write("power", "1\n")
		b.write("habit", "slow")
		proof, report := fenceThrough(t, b.devices("action=off"))
		require.NotNil(t, proof, report)
		require.GreaterOrEqual(t, proof.Confirmed-proof.Started, 2*time.Second)
		require.Equal(t, "power 0\n", b.told())
	})
	t.Run("off before", func(t *testing.T) {
		b.write("power", "0\n")
		devices := b.devices("")
		devices[0].BootTime = 3 * time.Second
		proof, report := fenceThrough(t, devices)
		require.NotNil(t, proof, report)
		require.GreaterOrEqual(t, proof.Confirmed-proof.Started, 3*time.Second)
		require.Equal(t, "power 1\n", b.told(), "the agent sends nothing to what is off")
	})
	t.Run("deaf", func(t *testing.T) {
		b.write("power", "1\n")
		b.write("habit", "deaf")
		proof, report := fenceThrough(t, b.devices("power_timeout=2 action=off"))
		require.Nil(t, proof)
		require.Equal(t, "failed: device board: off: agent failed with code 1: Failed: Timed out waiting "+
			"to power OFF", report)
		require.Equal(t, "power 0\n", b.told())
	})
	t.Run("cycling", func(t *testing.T) {
		proof, report := fenceThrough(t, b.devices("m=cycle action=reboot"))
		require.Nil(t, proof)
		require.Equal(t, "failed: device board: proves nothing: fence_ipmilan: method=cycle reports "+
			"success before the "+
			"power is off; write method=onoff", report)
		require.Empty(t, b.told())
	})
	t.Run("out of reach", func(t *testing.T) {
		b.port = freeUDPPort(t)
		proof, report := fenceThrough(t, b.devices(""))
		require.Nil(t, proof)
		require.Regexp(t, "^failed: device board: status: agent failed with code 1: (Connection timed out|"+
			"Failed: Unable to obtain correct plug status or plug is not available)$", report)
	})
}

// TestAPortOfASwitch: a real SNMP daemon and the real agent of switch ports, which answers and is refused.
func TestAPortOfASwitch(t *testing.T) {
	thorough.Only(t, "an SNMP daemon and the agent of its ports work for some seconds")
	needs(t, "fence_ifmib", "fence-agents")
	needs(t, "snmpget", "snmp")
	daemon := needs(t, "snmpd", "snmpd")
	dir, port := t.TempDir(), freeUDPPort(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "snmpd.conf"),
		fmt.Appendf(nil, "rwcommunity hush-hush\nagentAddress udp:127.0.0.1:%d\n", port), 0o600))
	cmd := exec.Command(daemon, "-f", "-Ln", "-C", "-c", "snmpd.conf",
		"--persistentDir="+filepath.Join(dir, "state"))
	cmd.Dir = dir
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	text := fmt.Sprintf("device switch fence_ifmib ip=127.0.0.1 snmp-version=2c c='hush-hush' u=%d\n"+
		"connect switch node=n3 n=lo\n", port)
	input := fmt.Sprintf("ip=127.0.0.1\nsnmp_version=2c\ncommunity=hush-hush\nplug=lo\n"+
		"action=status\nipport=%d\n", port)
	require.Eventually(t, func() bool {
		r := callProgram(env.Command{Args: []string{"fence_ifmib"}, Input: []byte(input),
			Limit: 20 * time.Second})
		return r.Err == nil && r.Code == 0 && bytes.Contains(r.Output, []byte("Status: ON"))
	}, time.Minute, 100*time.Millisecond, "the switch does not answer its agent")
	devices := planFor(t, text)
	proof, report := fenceThrough(t, devices)
	require.Nil(t, proof)
	require.Equal(t, "failed: device switch: proves nothing: fence_ifmib: it cuts the node off from a "+
		"network or its "+
		"disks and leaves it running (automatic=1)", report)
	require.False(t, fence.CheckDevice(&devices[0], "n3", verifiedAgents(devices), callProgram).OK)
}

// TestErrorsOfRealAgents: the line that explains a failure, out of what agents print.
func TestErrorsOfRealAgents(t *testing.T) {
	needs(t, "fence_ipmilan", "fence-agents")
	for text, want := range map[string]string{
		"fence_apc ip=127.0.0.1 l=a": "Failed: You have to enter password, password script or identity file",

		"fence_pve ip=127.0.0.1 l=a p=b": "At least one of pve-node-auto or pve-node must be supplied",

		"fence_apc ip=::1 l=a p=b ssh identity_file=/none": "Failed: Identity file /none does not exist",
	} {
		text = "device d " + text + "\nconnect d node=n3 n=1\n"
		devices := planFor(t, text)
		c := fence.CheckDevice(&devices[0], "n3", verifiedAgents(devices), callProgram)
		require.False(t, c.OK)
		require.Equal(t, "monitor: agent failed with code 1: "+want, c.Reason)
		require.NotContains(t, c.Reason, "\n")
	}
	devices := planFor(t, "device d fence_apc ipx=1\nconnect d node=n3 n=1\n")
	c := fence.CheckDevice(&devices[0], "n3", nil, callProgram)
	require.Equal(t, `argument that the agent does not take: fence_apc has no option "ipx"`, c.Reason)
}
