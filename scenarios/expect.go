package scenarios

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// CheckExpect judges whether at least the share of operations succeeded that the scenario expects. Calls
// of clients that were stopped at the end of the run, watches that clients gave up and reads after quiescence
// are not counted.
func CheckExpect(r *Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "expect", Validity: linearizability.Valid,
		Summary: "the scenario asks for no share of operations"}
	if r.Scenario.Expect.Succeeded == nil {
		return v
	}
	least := *r.Scenario.Expect.Succeeded
	made, succeeded := 0, 0
	for i := range r.Events {
		switch e := &r.Events[i]; {
		case e.Process >= workload.FirstAuditor:
		case e.Type == history.Invoke:
			made++
		case e.Type == history.OK:
			succeeded++
		case e.Type == history.Info && e.Error == workload.Stopped,
			workload.GaveUpWatch(e.F, e.Type, e.Error):
			made--
		}
	}
	if made == 0 && least > 0 {
		v.Validity = linearizability.Unknown
		v.Summary = fmt.Sprintf("%s of the operations should have succeeded, but none was made", least)
		return v
	}
	share := fault.PPM(int64(succeeded) * int64(fault.Always) / int64(max(made, 1)))
	v.Summary = fmt.Sprintf("%d of %d operations succeeded; the scenario asks for %s", succeeded, made, least)
	if share < least {
		v.Validity = linearizability.Invalid
	}
	return v
}

// ProbesChecker is the name of the verdict of [CheckProbes].
const ProbesChecker = "probes"

// CheckProbes judges whether a run reached the rare paths that its scenario expects. It is for a run that is
// made alone: of several runs with different seeds, one must reach each path.
func CheckProbes(r *Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: ProbesChecker, Validity: linearizability.Valid}
	var missed []string
	for _, id := range r.Scenario.Expect.Probes {
		if r.Probes[id] == 0 {
			missed = append(missed, id)
		}
	}
	expected := len(r.Scenario.Expect.Probes)
	v.Summary = fmt.Sprintf("the run reached %d of %d expected paths", expected-len(missed), expected)
	if len(missed) > 0 {
		v.Validity = linearizability.Unknown
		v.Summary += ", not " + strings.Join(missed, ", ") + "; run more seeds, or change the scenario"
	}
	return v
}
