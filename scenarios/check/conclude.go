package check

import (
	"context"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Conclude judges a finished run: by the subject's checks, by what the scenario expects, and by whether the
// run shows anything at all ([Progress], [Effects]). A [scenarios.Runner] calls it once.
func Conclude(ctx context.Context, w scenarios.Watch, r *scenarios.Run, o scenarios.RunOptions) {
	r.Verdicts = append(r.Verdicts, w.Check(ctx, r)...)
	expect := &r.Scenario.Expect
	if expect.Succeeded != nil {
		r.Verdicts = append(r.Verdicts, scenarios.CheckExpect(r))
	}
	if o.Alone && len(expect.Probes) > 0 {
		r.Verdicts = append(r.Verdicts, scenarios.CheckProbes(r))
	}
	if expect.Succeeded == nil || *expect.Succeeded > 0 {
		r.Verdicts = append(r.Verdicts, Progress(r))
	}
	if v := Effects(r); !expect.NoEffect && v.Validity != linearizability.Valid {
		r.Verdicts = append(r.Verdicts, v)
	}
}

// Effects judges whether any injected fault affected anything. Faults that could not be injected make their
// own verdict.
func Effects(r *scenarios.Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "effects", Validity: linearizability.Valid,
		Summary: "some faults affected packets, processes or disks"}
	for i := range r.Applied {
		if !r.Applied[i].WithoutEffect() {
			return v
		}
	}
	if len(r.Applied) == 0 && len(r.Untriggered) > 0 {
		v.Validity = linearizability.Unknown
		v.Summary = "no fault was injected, because their triggers have not come; the run shows nothing " +
			"about faults"
		return v
	}
	if len(r.Applied) == 0 {
		v.Summary = "no fault was injected"
		return v
	}
	v.Validity = linearizability.Unknown
	v.Summary = "no fault affected any packet, process or disk, so the run shows nothing about faults"
	return v
}
