package reports

import (
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/likelihood"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

// addLikelihood draws the share of futures that fail above everything that may be the reason.
func (t *timeline) addLikelihood(v *view) {
	if r := v.opts.Likelihood; r != nil && len(r.Curve) > 0 {
		t.chart.Groups = append(t.chart.Groups, svg.Group{Title: "futures",
			Rows: []svg.Row{likelihood.Row(r, v.endTime)}})
	}
}

// eventsOfRun are the events that may be the reason of a failure: faults, changes in the lanes, log lines.
func (v pageBuilder) eventsOfRun() (events []likelihood.Event) {
	if v.opts.Likelihood == nil {
		return nil
	}
	add := func(at time.Duration, where, what string) {
		events = append(events, likelihood.Event{At: at, Where: where, What: what})
	}
	for i := range v.run.Applied {
		a := &v.run.Applied[i]
		add(a.Begun[0], "fault", FaultWords(&a.Fault))
		if a.Ended[1] > 0 {
			add(a.Ended[1], "end of fault", FaultWords(&a.Fault))
		}
	}
	for i := range v.subjectTimeline.Lanes {
		lane := &v.subjectTimeline.Lanes[i]
		for _, s := range lane.Spans {
			add(s.From, lane.Machine, lane.Name+": "+s.Text)
		}
		for _, m := range lane.Marks {
			add(m.At, lane.Machine, lane.Name+": "+m.Text)
		}
	}
	for i := range v.run.Logs {
		add(v.run.Logs[i].At, v.run.Logs[i].Machine, v.run.Logs[i].Text)
	}
	return events
}
