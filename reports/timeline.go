package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits of what is drawn. What is left out is counted and mentioned.
const (
	maxDrawnFaults = 200
	maxFaultRows   = 10
	maxLaneRows    = 120
	maxLaneSpans   = 3000
	maxMarks       = 20
)

// SVG is the function [SVG] with options.
func (o Options) SVG(w io.Writer, run *scenarios.Run) error {
	return newDrawnView(o, run).buildTimeline().chart.WriteFile(w)
}

// SVG writes a run's timeline as a picture of its own: what went wrong on purpose, the clients'
// operations, the state of every machine, and latencies, over one time axis.
func SVG(w io.Writer, run *scenarios.Run) error { return Options{}.SVG(w, run) }

// timeline is a chart with remarks on what it leaves out.
type timeline struct {
	chart        svg.Chart
	omittedNotes []string
}

func (v *view) buildTimeline() *timeline {
	t := &timeline{chart: svg.Chart{To: v.endTime,
		Title: words.Clean(scenarioName(v.run)) + ", seed " + strconv.FormatUint(v.run.Seed, 10) +
			": " +
			v.run.Verdict().String()}}
	c := v.countOutcomes()
	t.chart.Description = fmt.Sprintf("%d faults, %d operations of clients (%d ok, %d failed, "+
		"%d unknown) and the state of %d machines over %s seconds.", len(v.run.Applied), c.Total(),
		c.OK, c.Fail,
		c.Info, v.machines(), words.Seconds(v.endTime, 1))
	t.noteEmitted(v)
	t.markPhases(v)
	t.addLikelihood(v)
	t.addFaults(v)
	t.addClients(v)
	t.addLanes(v)
	t.addLatencyPlot(v)
	t.addThroughputPlot(v)
	return t
}

func (t *timeline) noteOmitted(format string, args ...any) {
	t.omittedNotes = append(t.omittedNotes, fmt.Sprintf(format, args...))
}

func (v *view) machines() int {
	if v.run.Scenario == nil {
		return 0
	}
	return len(v.run.Scenario.Machines)
}

// markPhases marks where the warm-up ends and where faults and workload stop.
func (t *timeline) markPhases(v *view) {
	s := v.run.Scenario
	if s == nil || s.Warmup+s.Duration > v.endTime {
		return
	}
	if s.Warmup > 0 {
		t.addMark(svg.Mark{At: s.Warmup, Label: "workload begins", Class: svg.Phase})
	}
	if s.Quiescence > 0 && s.Duration > 0 {
		t.addMark(svg.Mark{At: s.Warmup + s.Duration, Label: "faults end", Class: svg.Phase})
	}
}

func (t *timeline) addMark(m svg.Mark) {
	if len(t.chart.Marks) < maxMarks {
		t.chart.Marks = append(t.chart.Marks, m)
	}
}

// faultEnd is when an applied fault stopped; one that was never healed lasts to the end.
func (v *view) faultEnd(a *scenarios.Applied) time.Duration {
	if a.Ended[1] == 0 {
		return v.endTime
	}
	return a.Ended[1]
}

// addFaults draws every fault, each in the first row that is free, and shades their time.
func (t *timeline) addFaults(v *view) {
	applied := slices.Clone(v.run.Applied)
	if len(applied) == 0 {
		return
	}
	slices.SortStableFunc(applied, func(a, b scenarios.Applied) int {
		return cmp.Compare(a.Begun[0], b.Begun[0])
	})
	var rows []svg.Row
	var free []time.Duration
	left := 0
	for i := range applied {
		a := &applied[i]
		end := v.faultEnd(a)
		row := slices.IndexFunc(free, func(f time.Duration) bool { return f <= a.Begun[0] })
		if row < 0 && len(rows) < maxFaultRows {
			rows, free, row = append(rows, svg.Row{}), append(free, 0), len(rows)
		}
		if row < 0 || i >= maxDrawnFaults {
			left++
			continue
		}
		free[row] = end + v.spillTime(FaultWords(&a.Fault), end-a.Begun[0])
		rows[row].Items = append(rows[row].Items, faultItem(a, end))
		if a.Problem == "" {
			t.shadeFault(a, end)
		}
	}
	if left > 0 {
		t.noteOmitted("%s more faults in %s", words.GroupDigits(left), FaultsFile)
	}
	rows[0].Label = "applied"
	t.chart.Groups = append(t.chart.Groups, svg.Group{Title: "faults", Rows: rows})
}

// spillTime returns how much of the axis after a bar the bar's text takes, when the whole run is on show: 0
// if the text fits inside the bar, else its whole width, because it is then drawn behind the bar.
func (v *view) spillTime(text string, barLength time.Duration) time.Duration {
	perPixel := v.endTime / (svg.DefaultWidth * 7 / 8)
	need := time.Duration(svg.TextWidth(text)) * perPixel
	if need <= barLength {
		return 0
	}
	return need
}

func faultItem(a *scenarios.Applied, end time.Duration) svg.Item {
	text := FaultWords(&a.Fault)
	it := svg.Item{From: a.Begun[0], To: end, Class: svg.Fault, Text: text, Spill: true,
		Tip: text + "\n" + words.Instant(a.Begun[0]) + " to " + words.Instant(end)}
	if a.Problem != "" {
		it.Class, it.Tip = svg.Problem, it.Tip+"\nnot applied: "+words.Clean(a.Problem)
	}
	return it
}

func (t *timeline) shadeFault(a *scenarios.Applied, end time.Duration) {
	t.chart.Windows = append(t.chart.Windows, svg.Window{From: a.Begun[0], To: end})
}

// violationOfOp maps the operations that violations speak of, by index in the history, to the number of
// their first violation, from 1.
func (v *view) violationOfOp() map[int64]int {
	out := map[int64]int{}
	number := 0
	for i := range v.run.Verdicts {
		for j := range v.run.Verdicts[i].Violations {
			number++
			for _, op := range v.run.Verdicts[i].Violations[j].Ops {
				if out[op.Index] == 0 {
					out[op.Index] = number
				}
			}
		}
	}
	return out
}

// addLanes draws the subject's timeline: one group for each property, one row for each machine.
func (t *timeline) addLanes(v *view) {
	var groups []svg.Group
	rows, spans := 0, 0
	for i := range v.subjectTimeline.Lanes {
		lane := &v.subjectTimeline.Lanes[i]
		if rows == maxLaneRows {
			t.noteOmitted("%s more lanes in %s",
				words.GroupDigits(len(v.subjectTimeline.Lanes)-rows), StoryFile)
			break
		}
		rows++
		at := slices.IndexFunc(groups, func(g svg.Group) bool { return g.Title == lane.Name })
		if at < 0 {
			at, groups = len(groups), append(groups, svg.Group{Title: lane.Name})
		}
		row := svg.Row{Label: lane.Machine}
		for _, s := range lane.Spans {
			if spans++; spans > maxLaneSpans {
				continue
			}
			row.Items = append(row.Items, spanItem(lane, s))
		}
		for _, m := range lane.Marks {
			if spans++; spans <= maxLaneSpans {
				row.Items = append(row.Items, markItem(lane, m))
			}
		}
		groups[at].Rows = append(groups[at].Rows, row)
	}
	if spans > maxLaneSpans {
		t.noteOmitted("%s more spans in %s", words.GroupDigits(spans-maxLaneSpans), StoryFile)
	}
	for i := range groups {
		groups[i].Title = words.Shorten(words.Clean(groups[i].Title), maxColumnChars)
	}
	t.chart.Groups = append(t.chart.Groups, groups...)
}

// markItem draws an instant over the spans, in the lower third of the row.
func markItem(lane *scenarios.Lane, m scenarios.Mark) svg.Item {
	return svg.Item{From: m.At, To: m.At, Shape: svg.Bar, Class: svg.Class(m.Class), Low: 1, High: 380,
		Tip: strings.Join([]string{words.Clean(lane.Machine) + ": " + words.Shorten(words.Clean(m.Text),
			2*words.MaxValueChars),
			words.Instant(m.At)}, "\n")}
}

func spanItem(lane *scenarios.Lane, s scenarios.Span) svg.Item {
	text := words.Shorten(words.Clean(s.Text), 2*words.MaxValueChars)
	return svg.Item{From: s.From, To: s.To, Class: svg.Class(s.Class), Text: text, Low: 40, High: 960,
		Tip: strings.Join([]string{words.Clean(lane.Machine) + ": " + words.Clean(lane.Name) + " " + text,
			words.Instant(s.From) + " to " + words.Instant(s.To)}, "\n")}
}
