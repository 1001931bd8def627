package chaos_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// driven is the register with a driver of the test's choice.
type driven struct {
	scenarios.Subject
	driver scenarios.Driver
}

func (d driven) Driver() scenarios.Driver { return d.driver }

const registerd = "github.com/holdfast-sim/holdfast/cmd/registerd"

func subject(t testing.TB, s *scenarios.Scenario) scenarios.Subject {
	t.Helper()
	chaostest.Need(t)
	inner, err := register.Decode(s)
	require.NoError(t, err)
	return driven{Subject: inner, driver: &hostdriver.Driver{Path: program(t)}}
}

// programs is where the tests' program is built, once.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

func program(t testing.TB) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "holdfast-chaos-"); programs.err == nil {
			programs.err = chaostest.BuildTo(filepath.Join(programs.dir, "registerd"), registerd)
		}
	})
	require.NoError(t, programs.err)
	return filepath.Join(programs.dir, "registerd")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// brief begins a scenario of some seconds.
func brief(name string) *scenarios.ScenarioBuilder {
	return scenarios.New(name).Story("A story of some seconds.").Machines(3).
		Warmup(500*time.Millisecond).Duration(3*time.Second).Quiescence(time.Second).
		Workload(workload.Spec{Clients: 3, Operations: 150, Timeout: time.Second}).Subject(register.Kind, nil)
}

// okBetween counts the operations that succeeded in a span of the run, by machine.
func okBetween(run *scenarios.Run, from, to time.Duration) map[string]int {
	counts := map[string]int{}
	for _, e := range run.Events {
		if at := time.Duration(e.Time); e.Type == history.OK && at >= from && at < to {
			counts[e.Node]++
		}
	}
	return counts
}

func TestHealthyRun(t *testing.T) {
	s := brief("healthy").MustBuild()
	run := chaostest.Run(t, s, subject(t, s))
	require.Equal(t, chaos.Backend, run.Backend)
	require.Len(t, run.Finals, 3*s.Workload.Keys, "every machine reads every key")
	require.NotEmpty(t, run.Records)
	require.NotEmpty(t, run.Logs)
	ok := okBetween(run, 0, run.Duration)
	require.Greater(t, ok["n1"]+ok["n2"]+ok["n3"], 100)
	for _, r := range run.Records {
		require.True(t, r.At > 0 && r.At < run.Duration, "a record at %v", r.At)
	}
}

func TestFaultsOfEveryShape(t *testing.T) {
	one, two := []string{"n1"}, []string{"n2"}
	for name, s := range map[string]*scenarios.Scenario{
		"partition": brief("partition").At(700 * time.Millisecond).Isolate("n1").For(
			1500 * time.Millisecond).MustBuild(),
		"pair-cut": brief("pair-cut").At(700*time.Millisecond).Cut(one,
			two).For(1500 * time.Millisecond).MustBuild(),
		"one-way": brief("one-way").At(700*time.Millisecond).CutOneWay(one, []string{"all"}).For(
			1500 * time.Millisecond).MustBuild(),
		"flap": brief("flap").At(700*time.Millisecond).Flap(one, two, 200*time.Millisecond,
			200*time.Millisecond).For(1500 * time.Millisecond).MustBuild(),
		"kill": brief("kill").At(700 * time.Millisecond).KillMachine("n1").For(
			1500 * time.Millisecond).MustBuild(),
		"pause": brief("pause").At(700 * time.Millisecond).PauseMachine("n1").For(
			1500 * time.Millisecond).MustBuild(),
		"pause one process": brief("pause-one").At(700 * time.Millisecond).PauseProcess(
			register.ProcessName).On("n1").
			For(1500 * time.Millisecond).MustBuild(),
		"kill one process": brief("kill-one").At(700 * time.Millisecond).KillProcess(
			register.ProcessName).On("n1").
			For(1500 * time.Millisecond).MustBuild(),
	} {
		t.Run(name, func(t *testing.T) {
			run := chaostest.Run(t, s, subject(t, s))
			require.Len(t, run.Applied, 1)
			a := run.Applied[0]
			require.Empty(t, a.Problem)
			require.LessOrEqual(t, a.Begun[0], a.Begun[1])
			lasted := a.Ended[0] - a.Begun[0]
			require.InDelta(t, 1500*time.Millisecond, lasted, float64(time.Second))
			quiet := okBetween(run, a.Begun[1]+200*time.Millisecond, a.Ended[0])
			after := okBetween(run, a.Ended[1]+200*time.Millisecond, run.Duration)
			switch name {
			case "partition", "kill", "pause", "pause one process", "kill one process", "one-way":
				require.Zero(t, quiet["n1"], "n1 served during the fault: %v", quiet)
				require.NotZero(t, quiet["n2"]+quiet["n3"], "the others did not serve")
			}
			require.NotZero(t, after["n2"]+after["n3"])
			for _, v := range run.Verdicts {
				t.Log(v.Checker, v.Validity, v.Summary, v.Details)
			}
		})
	}
}

func TestTogether(t *testing.T) {
	b := brief("together").Fault(
		fault.Fault{Kind: fault.Link, From: []string{"all"}, To: []string{"all"}, Loss: 20_000,
			Duplicate: 20_000, Reorder: 50_000, Latency: 2 * time.Millisecond, Jitter: time.Millisecond},
		fault.Fault{Kind: fault.Pause, At: time.Second, For: 1500 * time.Millisecond,
			Machines: []string{"n2"}},
		fault.Fault{Kind: fault.Kill, At: 1500 * time.Millisecond, For: 500 * time.Millisecond,
			Machines: []string{"n2"}},
		fault.Fault{Kind: fault.ClockStep, At: time.Second, For: time.Second, Machines: []string{"n1"},
			Step: time.Hour},
		fault.Fault{Kind: fault.ClockDrift, At: time.Second, For: time.Second, Machines: []string{"n3"},
			DriftPPM: 50_000},
		fault.Fault{Kind: fault.Kill, At: 2600 * time.Millisecond, Machines: []string{"all"}},
	)
	s := b.MustBuild()
	run := chaostest.Run(t, s, subject(t, s))
	require.Len(t, run.Applied, 6)
	for _, a := range run.Applied {
		require.Empty(t, a.Problem, string(a.Fault.Kind))
		require.NotZero(t, a.Ended[1], string(a.Fault.Kind))
	}
}

func TestUnsupportedFaultsMakeTheRunUnknownBeforeItBegins(t *testing.T) {
	s := brief("not-here").At(700 * time.Millisecond).DiskFull("n1").For(time.Second).
		At(2 * time.Second).PowerCut("n2").For(time.Second).MustBuild()
	inner, err := register.Decode(s)
	require.NoError(t, err)
	began := time.Now()
	run, err := chaos.Runner{}.Run(t.Context(), s, driven{inner, &hostdriver.Driver{Path: "/nonexistent"}},
		scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, linearizability.Unknown, run.Verdict())
	require.Len(t, run.Applied, 2)
	for _, a := range run.Applied {
		require.Contains(t, a.Problem, "run it in the simulator")
	}
}

func TestProgramThatNeverServesIsUnknown(t *testing.T) {
	s := brief("never").MustBuild()
	good := subject(t, s).(driven)
	good.driver.(*hostdriver.Driver).Args = []string{"-check"} // ends at once, without an error
	s.Expect.Verdict = "unknown"
	run := chaostest.Run(t, s, good)
	require.Empty(t, run.Events)
	require.Contains(t, run.Verdicts[0].Summary, "ended by itself (exit status 0)")
}
