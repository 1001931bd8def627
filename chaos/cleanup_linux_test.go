package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/chaos/lease"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
)

// inventory is what runs could leave on this machine. What belongs to other programs that live is
// left out.
type inventory struct{ Namespaces, Mounts, Cgroups, Interfaces, Programs, Files []string }

func takeInventory(t *testing.T, root, program string) inventory {
	t.Helper()
	mine := func(dir string) []string {
		found, err := filepath.Glob(filepath.Join(dir, lease.Prefix+"*"))
		require.NoError(t, err)
		found = slices.DeleteFunc(found, func(path string) bool { return ofAnother(filepath.Base(path)) })
		if len(found) == 0 {
			return nil // whether something of another run was there or not
		}
		return found
	}
	all := inventory{Namespaces: mine(lease.NamespaceDir),
		Programs: append(running(t, program), sentinels(t)...)}
	if dir := lease.CgroupRoot(); dir != "" {
		all.Cgroups = mine(dir)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		at := strings.Fields(line)[4]
		if strings.HasPrefix(at, root) || strings.Contains(at, lease.Prefix) &&
			!ofAnother(filepath.Base(at)) {
			all.Mounts = append(all.Mounts, at)
		}
	}
	all.Interfaces, err = filepath.Glob("/sys/class/net/*/tun_flags") // of this namespace
	require.NoError(t, err)
	all.Files, err = filepath.Glob(filepath.Join(root, "*"))
	require.NoError(t, err)
	return all
}

// ofAnother reports whether a namespace or control group belongs to a living program that is not
// this one.
func ofAnother(name string) bool {
	text, _, _ := strings.Cut(strings.TrimPrefix(name, lease.Prefix), ".")
	pid, err := strconv.Atoi(text)
	return err == nil && pid != os.Getpid() && syscall.Kill(pid, 0) == nil
}

// running lists the processes that execute a program.
func running(t *testing.T, program string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if at, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe")); err == nil && at == program {
			out = append(out, e.Name())
		}
	}
	return out
}

// sentinels lists the sentinels that this process has posted.
func sentinels(t *testing.T) (out []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, line := range lines {
		data, err := os.ReadFile(line)
		pid := filepath.Base(filepath.Dir(line))
		if err == nil && strings.Contains(string(data), "\x00holdfast-sentinel\x00") &&
			parent(pid) == os.Getpid() {
			out = append(out, "sentinel "+pid)
		}
	}
	return out
}

// parent is a process's parent, 0 when it is gone.
func parent(pid string) int {
	data, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

// below lists the processes that work somewhere below a directory.
func below(t *testing.T, dir string) (out []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir+"/") {
			out = append(out, link)
		}
	}
	return out
}

// probeStateDir gives the runs of a test a place of their own.
func probeStateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("HOLDFAST_STATE_DIR", dir)
	return dir
}

func TestThreeRunsLeaveNothingBehind(t *testing.T) {
	s := brief("tidy").At(500*time.Millisecond).KillMachine("n1").For(300*time.Millisecond).
		At(time.Second).PauseMachine("n2").For(300*time.Millisecond).
		At(time.Second).Cut([]string{"n1"}, []string{"n3"}).For(300 * time.Millisecond).
		Duration(1500 * time.Millisecond).Quiescence(500 * time.Millisecond).MustBuild()
	subject := subject(t, s)
	root := probeStateDir(t)
	before := takeInventory(t, root, program(t))
	for range 3 {
		chaostest.Run(t, s, subject)
		require.Equal(t, before, takeInventory(t, root, program(t)))
	}
}

func TestCancelledRunIsUnknownAndLeavesNothing(t *testing.T) {
	s := brief("cancelled").At(200 * time.Millisecond).PauseMachine("n1").For(2 * time.Second).
		At(2 * time.Second).Isolate("n1").For(500 * time.Millisecond).MustBuild()
	subject := subject(t, s)
	root := probeStateDir(t)
	before := takeInventory(t, root, program(t))
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	run, err := chaos.Runner{}.Run(ctx, s, subject, scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(run.Verdicts[0]), "stopped early")
	require.NotZero(t, run.Applied[0].Ended[1], "a fault that began must end")
	require.Contains(t, run.Applied[1].Problem, "stopped before it was due")
	require.NotEqual(t, "valid", run.Verdict().String())
	require.Equal(t, before, takeInventory(t, root, program(t)))
}

// victimEnv makes the test binary a harness that the test kills; its value is the program.
const victimEnv = "HOLDFAST_CHAOS_VICTIM"

func TestVictim(t *testing.T) {
	path := os.Getenv(victimEnv)
	if path == "" {
		t.Skip("is the harness that TestKilledHarnessLeavesNothing kills; it is not for itself")
	}
	s := brief("victim").Fault(fault.Fault{Kind: fault.Pause, At: 100 * time.Millisecond,
		Machines: []string{"n2"}}).
		Duration(30 * time.Second).MustBuild()
	// Like the services of a node, something that outlives the program that has started it.
	wrapper := filepath.Join(t.TempDir(), "wrapper")
	script := fmt.Sprintf("#!/bin/sh\nsetsid sleep 3600 &\nexec %s \"$@\"\n", path)
	require.NoError(t, os.WriteFile(wrapper, []byte(script), 0o700))
	inner := subject(t, s).(driven)
	inner.driver.(*hostdriver.Driver).Path = wrapper
	chaostest.Run(t, s, inner)
}

func TestKilledHarnessLeavesNothing(t *testing.T) {
	chaostest.Need(t)
	root := probeStateDir(t)
	path := program(t)
	before := takeInventory(t, root, path)
	victim := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	victim.Env = append(os.Environ(), victimEnv+"="+path)
	victim.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, victim.Start())
	require.Eventually(t, func() bool { return len(running(t, path)) == 3 }, 30*time.Second,
		10*time.Millisecond)
	time.Sleep(time.Second) // into the fault: one program is frozen
	_, err := chaos.CleanUp()
	require.NoError(t, err)
	require.Len(t, running(t, path), 3, "a living harness keeps what it has")

	require.Len(t, below(t, root), 6, "three programs and what each has started")

	require.NoError(t, victim.Process.Kill())
	require.Error(t, victim.Wait())
	require.Eventually(t, func() bool { return len(below(t, root)) == 0 }, 10*time.Second,
		10*time.Millisecond,
		"programs must die with the harness, and all that they have started")
	require.NotEqual(t, before, takeInventory(t, root, path), "nothing was left: the test tests nothing")
	ids, err := chaos.CleanUp()
	require.NoError(t, err)
	require.NotEmpty(t, ids)
	require.Equal(t, before, takeInventory(t, root, path))
}

// suicidal is a driver whose program dies where another one would change its clock.
type suicidal struct {
	*hostdriver.Driver
	t *testing.T
}

func (d suicidal) SetClock(_ context.Context, m scenarios.Machine, _ time.Duration, _ int64) error {
	for _, pid := range running(d.t, d.Path) {
		if at, err := os.Readlink(filepath.Join("/proc", pid, "cwd")); err == nil && at == m.Dir {
			number, _ := strconv.Atoi(pid)
			return syscall.Kill(number, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("no program runs in %s", m.Dir)
}

func TestProgramThatDiesIsAFinding(t *testing.T) {
	s := brief("dies").At(700*time.Millisecond).ClockStep(time.Hour, "n1").For(time.Second).MustBuild()
	s.Expect.Verdict = "invalid"
	good := subject(t, s).(driven)
	good.driver = suicidal{good.driver.(*hostdriver.Driver), t}
	run := chaostest.Run(t, s, good)
	require.Contains(t, run.Verdicts[0].Summary, "the program of n1 ended by itself (signal: killed)")
}
