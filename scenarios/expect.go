package scenarios

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Conclude judges a finished run by the subject's checks and by the scenario's expectations.
func Conclude(ctx context.Context, w Watch, r *Run) {
	r.Verdicts = append(r.Verdicts, w.Check(ctx, r)...)
	if r.Scenario.Expect.Succeeded > 0 {
		r.Verdicts = append(r.Verdicts, CheckExpect(r))
	}
}

// CheckExpect judges whether at least the share of operations succeeded that the scenario expects. Calls
// of clients that were stopped at the end of the run are not counted.
func CheckExpect(r *Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "expect", Validity: linearizability.Valid,
		Summary: "the scenario asks for no share of operations"}
	least := r.Scenario.Expect.Succeeded
	if least == 0 {
		return v
	}
	made, succeeded := 0, 0
	for i := range r.Events {
		switch e := &r.Events[i]; {
		case e.Type == history.Invoke:
			made++
		case e.Type == history.OK:
			succeeded++
		case e.Type == history.Info && e.Error == stoppedSuffix:
			made--
		}
	}
	if made == 0 {
		v.Validity = linearizability.Unknown
		v.Summary = fmt.Sprintf("%s of the operations should have succeeded, but none was made", least)
		return v
	}
	share := fault.PPM(int64(succeeded) * int64(fault.Always) / int64(made))
	v.Summary = fmt.Sprintf("%d of %d operations succeeded; the scenario asks for %s", succeeded, made, least)
	if share < least {
		v.Validity = linearizability.Invalid
	}
	return v
}

// stoppedSuffix is how package workload marks a call that was cut off by the end of the run.
const stoppedSuffix = "stopped"
