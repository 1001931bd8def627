package linearizability

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Functions of a history of services, in the member f. Key names the service, Node the machine.
const (
	// FStart starts a service on a machine.
	FStart = "start"
	// FStop stops it in good order.
	FStop = "stop"
	// FKill ends one service on a machine for certain, once it has returned ok.
	FKill = "kill"
	// FPowerOff, like FFence, ends everything on a machine for certain, once it has returned ok.
	FPowerOff = "power_off"
)

var runnerFunctions = []models.Function{{Name: FStart}, {Name: FStop}, {Name: FKill}, {Name: FFence},
	{Name: FPowerOff}}

// CheckSingleRunner judges that no service runs on two machines at one time.
//
// A service surely runs from the return of its start until the call of its stop, or until its end is
// confirmed: by a kill, a fence or a power cut that has returned. A fence that was only requested ends
// nothing, because the machine may live on. It possibly runs from the call of its start, also where the
// outcome of that is not known or a failure, since a start that failed half way may leave something
// running. Where only possible runs overlap, the verdict counts a warning and stays valid.
//
// A history without a start, or with operations of other functions, is not valid but unknown.
func CheckSingleRunner(ops []history.Operation) Verdict {
	sorted := append([]history.Operation(nil), ops...)
	sortByCall(sorted)
	spans := runs(sorted)
	found := overlaps(DoubleRun, spans, func(a, b *Span) string {
		return fmt.Sprintf("%s ran on %s from %s (%s) until %s, and on %s from %s (%s)", a.Key, a.Holder,
			seconds(a.Sure.From), opName(&a.Op), a.until(), b.Holder, seconds(b.Sure.From), opName(&b.Op))
	})
	v := Verdict{Checker: SingleRunnerModel, Validity: Valid, Violations: found.violations,
		Summary: fmt.Sprintf("%d runs, no service in two places at one time", len(spans))}
	if found.warnings > 0 {
		v.Details = append(v.Details, fmt.Sprintf(
			"%d pairs of runs may have overlapped, which the history cannot tell",
			found.warnings))
	}
	others := intervalForeign(ops, runnerFunctions)
	return others.settle(v, len(ops), len(spans))
}

// runs turns starts and their ends into spans. ops are sorted by call.
func runs(ops []history.Operation) []Span {
	var spans []Span
	for i := range ops {
		op := &ops[i]
		if op.F != FStart {
			continue
		}
		s := Span{Key: op.Key, Holder: holderOf(op), Op: *op, Possible: Interval{op.Call, forever}}
		if op.Outcome == history.OK {
			s.Sure = Interval{op.Return, forever}
		}
		spans = append(spans, s)
	}
	ends := make([]*history.Operation, 0, len(ops))
	for i := range ops {
		switch ops[i].F {
		case FStop, FKill, FFence, FPowerOff:
			ends = append(ends, &ops[i])
		}
	}
	sort.SliceStable(ends, func(i, j int) bool { return ends[i].Return < ends[j].Return })
	byHolder := make(map[string][]*Span)
	for k := range spans {
		byHolder[spans[k].Holder] = append(byHolder[spans[k].Holder], &spans[k])
	}
	for _, end := range ends {
		for _, s := range byHolder[holderOf(end)] {
			s.endRun(end)
		}
	}
	return spans
}

// endRun applies one end on the machine to a run there.
func (s *Span) endRun(end *history.Operation) {
	if (end.Key != "" && end.Key != s.Key) || end.Return < s.Op.Call {
		return
	}
	confirmed := end.Outcome == history.OK
	switch {
	case end.F == FStop:
		s.end(end.Call, end.Return, confirmed && end.Call >= s.Op.Return, opName(end))
	case confirmed:
		s.end(end.Return, end.Return, end.Call >= s.Op.Return, opName(end))
	}
}
