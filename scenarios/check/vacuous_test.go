package check_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// answer is how a toy system answers a request: with the values that it holds, at a time of the run.
type answer func(now time.Duration, values map[string]string, r register.Request) register.Response

// serve is the answer of a system that works.
func serve(_ time.Duration, values map[string]string, r register.Request) register.Response {
	if r.F == "write" {
		values[r.Key] = r.Value
		return register.Response{}
	}
	return register.Response{Value: values[r.Key]}
}

// refuse is the answer of a system that never does what it is asked for.
func refuse(time.Duration, map[string]string, register.Request) register.Response {
	return register.Response{Error: "no leader"}
}

// toy is a system whose machines share one map, so that only its answers can be wrong.
type toy struct {
	answer answer
	values map[string]string
	env    env.Env
}

func (p *toy) Start(e env.Env) error { p.env = e; return nil }

func (p *toy) Step(ev env.Event) {
	if call, is := ev.(env.Invoked); is {
		var r register.Request
		if err := json.Unmarshal(call.Input, &r); err != nil {
			panic(err)
		}
		output, err := json.Marshal(p.answer(p.env.Mono(), p.values, r))
		if err != nil {
			panic(err)
		}
		p.env.Complete(call.Op, output)
	}
}

// Times of the toy's run, from its start.
const (
	faultsEnd = 20 * time.Second
	auditAt   = 25 * time.Second
)

// runToy runs the toy for 20 seconds with a link that is slow for a while, and returns the verdicts by
// checker.
func runToy(t *testing.T, a answer, change func(*scenarios.Scenario)) map[string]linearizability.Verdict {
	t.Helper()
	values := map[string]string{}
	subject := scenarios.Define(scenarios.Definition{Kind: "toy", Client: register.Codec{},
		Model: models.Register,
		Processes: scenarios.OnEveryMachine(register.ProcessName, func() env.Process {
			return &toy{answer: a, values: values}
		})})
	s := scenarios.New("toy").Story("A process is paused and killed.").Machines(3).
		Warmup(time.Second).Duration(faultsEnd-time.Second).Quiescence(auditAt-faultsEnd).
		At(time.Second).PauseProcess(register.ProcessName).On("n1").For(time.Second).
		Subject("toy", nil).MustBuild()
	if change != nil {
		change(s)
	}
	quiet := &discard{TB: t}
	run := simtest.One(quiet, s, subject, 1)
	byChecker := map[string]linearizability.Verdict{}
	for _, v := range run.Verdicts {
		byChecker[v.Checker] = v
	}
	return byChecker
}

// discard is a test whose failures the caller expects.
type discard struct{ simtest.TB }

func (*discard) Errorf(string, ...any) {}

func TestAWorkingSystemIsValid(t *testing.T) {
	for name, v := range runToy(t, serve, nil) {
		require.Equal(t, linearizability.Valid, v.Validity, "%s: %s", name, v.Summary)
	}
}

// TestWhatIsForgottenAfterTheLastFaultIsFound: the values are gone when no client asks for them any longer.
func TestWhatIsForgottenAfterTheLastFaultIsFound(t *testing.T) {
	forgetful := func(now time.Duration, values map[string]string, r register.Request) register.Response {
		if now > faultsEnd {
			clear(values)
		}
		return serve(now, values, r)
	}
	verdicts := runToy(t, forgetful, nil)
	require.Equal(t, linearizability.Invalid, verdicts["register"].Validity)
	require.Equal(t, linearizability.Valid, verdicts["recovery"].Validity, "every machine answers")
}

// TestASystemThatServesNothingIsNotValid: refusals are no violation, but nothing was shown.
func TestASystemThatServesNothingIsNotValid(t *testing.T) {
	verdicts := runToy(t, refuse, nil)
	require.Equal(t, linearizability.Unknown, verdicts["progress"].Validity)
	require.Contains(t, verdicts["progress"].Summary, "0 of ")
	require.Contains(t, verdicts["progress"].Summary, "write expect.succeeded: 0%")
	require.Equal(t, linearizability.Invalid, verdicts["recovery"].Validity, "a refusal is no service")
	require.Contains(t, verdicts["recovery"].Summary, "n1 refuses every operation")
}

// TestAScenarioMayExpectNothing: with expect.succeeded: 0% a run without progress is judged by the rest.
func TestAScenarioMayExpectNothing(t *testing.T) {
	verdicts := runToy(t, refuse, func(s *scenarios.Scenario) { s.Expect.Succeeded = new(fault.PPM(0)) })
	require.NotContains(t, verdicts, "progress")
	require.Equal(t, linearizability.Valid, verdicts["expect"].Validity)
}

// TestAKindOfOperationThatIsNeverServed: reads work, writes do not.
func TestAKindOfOperationThatIsNeverServed(t *testing.T) {
	verdicts := runToy(t, func(now time.Duration, values map[string]string,
		r register.Request) register.Response {
		if r.F == "write" {
			return register.Response{Error: "read-only"}
		}
		return serve(now, values, r)
	}, nil)
	require.Equal(t, linearizability.Unknown, verdicts["progress"].Validity)
	require.Contains(t, verdicts["progress"].Summary, "calls of write was served")
}

// TestAPhaseWithoutService: after the pause, writes are never accepted again, although the system must have
// recovered.
func TestAPhaseWithoutService(t *testing.T) {
	verdicts := runToy(t, func(now time.Duration, values map[string]string,
		r register.Request) register.Response {
		if r.F == "write" && now > 3*time.Second {
			return register.Response{Error: "read-only"}
		}
		return serve(now, values, r)
	}, nil)
	require.Equal(t, linearizability.Unknown, verdicts["progress"].Validity)
	require.Contains(t, verdicts["progress"].Summary,
		"from 8s to 20s, when a majority had been able to serve for 5s, none of")
}

// TestHardlyAnyService: one call of many is served.
func TestHardlyAnyService(t *testing.T) {
	served := 0
	verdicts := runToy(t, func(now time.Duration, values map[string]string,
		r register.Request) register.Response {
		if served++; served > 2 && now < faultsEnd {
			return register.Response{Error: "busy"}
		}
		return serve(now, values, r)
	}, nil)
	require.Equal(t, linearizability.Unknown, verdicts["progress"].Validity)
	require.Contains(t, verdicts["progress"].Summary, "so the run shows nothing")
}

// TestFaultsWithoutEffect: loss on a link that is cut, and a kill of what does not run.
func TestFaultsWithoutEffect(t *testing.T) {
	talk := func(s *scenarios.Scenario) {
		s.Faults = []fault.Fault{
			{Kind: fault.Partition, At: time.Second, For: 10 * time.Second, Groups: [][]string{{"n1"}}},
			{Kind: fault.Link, At: 2 * time.Second, For: time.Second, From: []string{"n1"},
				To: []string{"n2"}, Loss: 500_000},
			{Kind: fault.PowerCut, At: 4 * time.Second, For: 3 * time.Second, Machines: []string{"n2"}},
			{Kind: fault.Kill, At: 5 * time.Second, For: time.Second, Machines: []string{"n2"}},
		}
	}
	subject, err := register.Decode(scenarios.New("x").Story("Nothing.").Machines(3).Duration(
		time.Second).Subject(register.Kind, nil).MustBuild())
	require.NoError(t, err)
	s := scenarios.New("inert").Story("Two of four faults have no effect.").Machines(3).Warmup(time.Second).
		Duration(20*time.Second).Quiescence(5*time.Second).Subject(register.Kind, nil).MustBuild()
	talk(s)
	run := simtest.One(t, s, subject, 1)
	var without []bool
	for i := range run.Applied {
		require.NotNil(t, run.Applied[i].Hits)
		without = append(without, run.Applied[i].WithoutEffect())
	}
	require.Equal(t, []bool{false, true, false, true}, without)
	require.Equal(t, linearizability.Valid, check.Effects(run).Validity)

	run.Applied = run.Applied[1:2]
	v := check.Effects(run)
	require.Equal(t, linearizability.Unknown, v.Validity)
	require.Contains(t, v.Summary, "shows nothing about faults")
}
