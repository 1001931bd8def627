package check_test

import (
	"context"
	"fmt"
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

// checked is the register with a judge of its own, made of shared checks and one that only this test has.
type checked struct{ *register.Subject }

func (c checked) Judge() scenarios.Judge { return judge{c.Subject.Judge()} }

type judge struct{ scenarios.Judge }

func (judge) Watch(s *scenarios.Scenario) scenarios.Watch {
	model, err := models.Register(nil)
	if err != nil {
		panic(err)
	}
	return check.NewWatch(check.OfRun, check.History(model), check.Recovery(), &stores{})
}

// stores checks that a machine stores values only while it has power and its process is not stopped, by the
// faults of the run.
type stores struct{ seen []scenarios.Stamped }

func (*stores) Name() string { return "stores" }

func (c *stores) Observe(r scenarios.Stamped) {
	if _, is := r.Record.(register.Stored); is {
		c.seen = append(c.seen, r)
	}
}

func (c *stores) Judge(_ context.Context, r *scenarios.Run) linearizability.Verdict {
	faults := check.Faults{Machines: r.Scenario.Machines, Applied: r.Applied, End: r.Duration}
	var violations []linearizability.Violation
	for _, s := range c.seen {
		if faults.Stopped(s.Machine, register.ProcessName, s.At) {
			violations = append(violations, linearizability.Violation{Kind: "stored-while-stopped",
				Explain: fmt.Sprintf("machine %d stored a value at %v", s.Machine, s.At)})
		}
	}
	return check.Verdict(c.Name(), violations, fmt.Sprintf("%d values were stored", len(c.seen)))
}

// TestAnotherSubjectUsesTheChecks runs the register with them.
func TestAnotherSubjectUsesTheChecks(t *testing.T) {
	s := scenarios.New("checked-register").Story(
		"A replica is paused, and another one loses its power.").Machines(3).
		Duration(8*time.Second).Quiescence(4*time.Second).
		At(time.Second).PauseProcess(register.ProcessName).On("n1").For(2*time.Second).
		At(5*time.Second).PowerCut("n2").For(time.Second).
		Subject(register.Kind, nil).MustBuild()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	run := simtest.One(t, s, checked{subject.(*register.Subject)}, 1)
	var names []string
	for _, v := range run.Verdicts {
		require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
		names = append(names, v.Checker)
	}
	require.Equal(t, []string{"register", "recovery", "stores"}, names[:3])
	require.NotEqual(t, "0 values were stored", run.Verdicts[2].Summary)
	planted := &stores{seen: []scenarios.Stamped{{At: run.Applied[0].Begun[1] + 1,
		Machine: env.MachineID(0)}}}
	require.Equal(t, fault.Pause, run.Applied[0].Fault.Kind)
	require.Equal(t, linearizability.Invalid, planted.Judge(t.Context(), run).Validity)
}
