//go:build unix

package simtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// workerCase is the environment variable that chooses what TestWorkerCase does; without it the test is small.
const workerCase = "KEEPER_WORKER_CASE"

// startsFile names a file that gets a line from each process that runs TestWorkerCase.
const startsFile = "KEEPER_STARTS"

// TestWorkerCase is run by the tests below, in processes of their own.
func TestWorkerCase(t *testing.T) {
	if name := os.Getenv(startsFile); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		fmt.Fprintln(f, os.Getpid())
		require.NoError(t, f.Close())
		t.Cleanup(func() { require.FileExists(t, name) })
	}
	s := *roughSeas()
	switch os.Getenv(workerCase) {
	case "two calls":
		simtest.Run(t, &s, subject(false), simtest.Seeds(3))
		simtest.Run(t, &s, subject(true), simtest.Seeds(3))
	case "dies":
		simtest.Run(t, &s, dying{subject(false)}, simtest.Seeds(4))
	case "another scenario":
		s.Story = strconv.Itoa(os.Getpid())
		simtest.Run(t, &s, subject(false), simtest.Seeds(3))
	case "one process":
		simtest.Run(t, &s, subject(false), simtest.Seeds(4), simtest.OneProcess())
	case "another folder":
		t.Chdir(t.TempDir())
		simtest.Run(t, &s, subject(false), simtest.Seeds(4))
	case "outer test":
		simtest.Run(t, &s, subject(false), simtest.Seeds(2), simtest.KeepWith(
			func(string, *scenarios.Run) error { return nil }))
		t.Run("inner", func(t *testing.T) { simtest.Run(t, &s, subject(false), simtest.Seeds(3)) })
	default:
		simtest.Run(t, &s, subject(os.Getenv(workerCase) == "hasty"))
	}
}

// dying is a subject that ends its program at a seed.
type dying struct{ scenarios.Subject }

func (d dying) Builder() scenarios.Builder { return dyingBuilder{d.Subject.Builder()} }

type dyingBuilder struct{ scenarios.Builder }

func (d dyingBuilder) Processes(m env.MachineID) []scenarios.ProcessSpec {
	specs := d.Builder.Processes(m)
	if m == 0 && dyingRuns.Add(1) == 2 {
		fmt.Println("the subject says goodbye")
		os.Exit(7)
	}
	return specs
}

// dyingRuns counts the runs of this process.
var dyingRuns atomic.Int64

// times are what differs between two outputs of go test.
var times = regexp.MustCompile(`\(\d+\.\d+s\)`)

func workersRun(t *testing.T, name, of string, args ...string) (output string, passed bool) {
	t.Helper()
	out, passed := runTest(t, name, []string{workerCase + "=" + of}, args...)
	return times.ReplaceAllString(out, ""), passed
}

// TestWorkersChangeNoOutput: with any number of workers go test prints what it prints without them, and keeps
// the same runs.
func TestWorkersChangeNoOutput(t *testing.T) {
	cases := []struct {
		of   string
		args []string
	}{
		{"", []string{"-sim.seeds=1-9"}},
		{"hasty", []string{"-sim.seeds=1-9", "-sim.twice"}},
		{"hasty", []string{"-sim.seeds=18446744073709551612-18446744073709551615"}},
		{"hasty", []string{"-sim.seeds=1-9", "-test.failfast"}},
		{"hasty", []string{"-sim.seeds=1-5", "-sim.keep=unused"}},
		{"hasty", []string{"-sim.seeds=1-4", "-test.count=2"}},
		{"", []string{"-sim.seed=4"}},
		{"", []string{"-sim.seeds=1-3", "-sim.draws=xyz"}},
		{"two calls", nil},
		{"outer test", nil},
		{"another folder", nil},
	}
	// each runs this package's tests two or three times
	for i := 0; i < len(cases); i += thorough.Count(4, 1) {
		c := cases[i]
		alone, passedAlone := workersRun(t, "TestWorkerCase", c.of, append(c.args, "-sim.workers=1")...)
		for _, workers := range []string{"2", "5"}[:thorough.Count(1, 2)] {
			starts := filepath.Join(t.TempDir(), "starts")
			t.Setenv(startsFile, "")
			out, passed := runTest(t, "TestWorkerCase", []string{workerCase + "=" + c.of,
				startsFile + "=" + starts}, append(c.args, "-sim.workers="+workers)...)
			require.Equal(t, alone, times.ReplaceAllString(out, ""), "%+v", c)
			require.Equal(t, passedAlone, passed, "%+v", c)
			lines, err := os.ReadFile(starts)
			require.NoError(t, err)
			more := strings.Count(string(lines), "\n") > 1+strings.Count(strings.Join(c.args, " "), "count")
			require.Equal(t, !strings.Contains(strings.Join(c.args, " "), "-sim.seed="), more,
				"%+v: workers ran", c)
		}
	}
}

// TestASubjectThatEndsItsProgram: the seed fails with a command that shows it, what the worker printed is
// there, and the other seeds run.
func TestASubjectThatEndsItsProgram(t *testing.T) {
	out, passed := workersRun(t, "TestWorkerCase", "dies", "-sim.workers=2")
	require.False(t, passed)
	require.Contains(t, out, "the subject says goodbye")
	require.Regexp(t,
		`the worker process that ran this seed died; what it printed is above\n +worker process: exit `+
			`status 7\n +To reproduce: go test \S+ -run '\^TestWorkerCase\$' -sim\.seed=\d -sim\.workers=1`,
		out)
	require.Regexp(t, `[1-3] seeds? valid`, out)
}

// TestWorkersThatDoSomethingElse: seeds run in this process, and a line names the reason.
func TestWorkersThatDoSomethingElse(t *testing.T) {
	out, passed := workersRun(t, "TestWorkerCase", "another scenario", "-sim.workers=2")
	require.True(t, passed, out)
	require.Contains(t, out, "seeds run in this process: a worker process did not come to the same call of "+
		"simtest.Run")
	require.Contains(t, out, "3 seeds valid: ")
}

func TestWhereNoWorkersAreStarted(t *testing.T) {
	for of, args := range map[string][]string{"one process": {"-sim.workers=3"}, "": {"-sim.seeds=1-3"}} {
		starts := filepath.Join(t.TempDir(), "starts")
		out, passed := runTest(t, "TestWorkerCase", []string{workerCase + "=" + of,
			startsFile + "=" + starts}, args...)
		require.True(t, passed, out)
		lines, err := os.ReadFile(starts)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(lines), "\n"), "%s: three seeds take no second", of)
	}
	for _, wrong := range []string{"0", "-1", "x", "1025"} {
		out, passed := workersRun(t, "TestWorkerCase", "", "-sim.workers="+wrong)
		require.False(t, passed)
		require.Contains(t, out, fmt.Sprintf("-sim.workers %q: write a number of processes from 1 to 1024",
			wrong))
	}
}

// TestWorkersEndWithTheirParent: a test that is killed leaves no process behind.
func TestWorkersEndWithTheirParent(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	starts := filepath.Join(t.TempDir(), "starts")
	cmd := exec.Command(program, "-test.run=^TestWorkerCase$", "-sim.seeds=1-1000000", "-sim.workers=2")
	cmd.Env = append(os.Environ(), startsFile+"="+starts)
	require.NoError(t, cmd.Start())
	pids := func() []string {
		lines, _ := os.ReadFile(starts)
		return strings.Fields(string(lines))
	}
	require.Eventually(t, func() bool { return len(pids()) == 3 }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for _, text := range pids() {
		pid, err := strconv.Atoi(text)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return !running(pid) }, 30*time.Second, 10*time.Millisecond)
	}
}

// running reports whether there is such a process that has not ended.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(status), ") Z ")
}
