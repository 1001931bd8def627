package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits of what is drawn. What is left out is counted and mentioned.
const (
	maxDrawnOps    = 1500
	maxDrawnFaults = 200
	maxFaultRows   = 10
	maxClientRows  = 64
	maxLaneRows    = 120
	maxLaneSpans   = 3000
	maxMarks       = 20
)

// SVG is the function [SVG] with options.
func (o Options) SVG(w io.Writer, run *scenarios.Run) error {
	return newView(o, run).buildTimeline().chart.WriteFile(w)
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
	drawn := v.drawnOps()
	if left := len(v.ops) - len(drawn); left > 0 {
		t.noteOmitted("%s operations drawn, and %s more in %s", words.GroupDigits(len(drawn)),
			words.GroupDigits(left), HistoryFile)
	}
	c := v.countOutcomes()
	t.chart.Description = fmt.Sprintf("%d faults, %d operations of clients (%d ok, %d failed, "+
		"%d unknown) and the state of %d machines over %s seconds.", len(v.run.Applied), c.total(),
		c.OK, c.Fail,
		c.Info, v.machines(), words.Seconds(v.endTime, 1))
	t.markPhases(v)
	t.addFaults(v)
	t.addClients(v, drawn)
	t.addLanes(v)
	t.addLatencyPlot(v, drawn)
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
		free[row] = end + v.timeOfText(FaultWords(&a.Fault), end-a.Begun[0])
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

// timeOfText is how much of the axis a text needs after a block of the given length, when the
// whole run is on show; nothing if it fits inside.
func (v *view) timeOfText(text string, inside time.Duration) time.Duration {
	perPixel := v.endTime / (svg.DefaultWidth * 7 / 8)
	need := time.Duration(svg.TextWidth(text)) * perPixel
	if need <= inside {
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

// drawnOps chooses the operations to draw, as indexes in order: those that a verdict names,
// then unknown and failed ones, then successful ones spread evenly.
func (v *view) drawnOps() []int {
	if len(v.ops) <= maxDrawnOps {
		all := make([]int, len(v.ops))
		for i := range all {
			all[i] = i
		}
		return all
	}
	blamed := v.violationOfOp()
	var classes [4][]int
	for i := range v.ops {
		class := 3
		switch op := &v.ops[i]; {
		case blamed[op.Index] != 0:
			class = 0
		case op.Outcome == history.Info:
			class = 1
		case op.Outcome == history.Fail:
			class = 2
		}
		classes[class] = append(classes[class], i)
	}
	var chosen []int
	for _, class := range classes {
		room := maxDrawnOps - len(chosen)
		n := min(room, len(class))
		for k := range n {
			chosen = append(chosen, class[k*len(class)/n])
		}
	}
	slices.Sort(chosen)
	return chosen
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

func opElementID(op *history.Operation) string { return "op-" + words.Decimal(op.Index) }

var opClasses = map[history.Type]svg.Class{history.OK: svg.OK, history.Fail: svg.Fail, history.Info: svg.Info}

func (t *timeline) addClients(v *view, drawn []int) {
	blamed := v.violationOfOp()
	clients := make([]int, len(v.ops))
	for i := range v.ops {
		clients[i] = clientOf(v.run, v.ops[i].Process)
	}
	shown := t.shownClients(v, clients, blamed)
	rows, index := []svg.Row{}, map[int]int{}
	for _, c := range shown {
		index[c] = len(rows)
		rows = append(rows, svg.Row{Label: "client " + words.Decimal(int64(c))})
	}
	marked := map[int]bool{}
	for _, i := range drawn {
		op := &v.ops[i]
		row, shown := index[clients[i]]
		if !shown {
			continue
		}
		number := blamed[op.Index]
		rows[row].Items = append(rows[row].Items, v.opItem(op, clients[i], number))
		if number > 0 && !marked[number] {
			marked[number] = true
			t.addMark(svg.Mark{At: time.Duration(op.Call), Label: "violation " + words.Decimal(int64(number)),
				Class: svg.Alert})
		}
	}
	if len(rows) > 0 {
		t.chart.Groups = append(t.chart.Groups, svg.Group{Title: "clients", Rows: rows})
	}
}

// shownClients are the clients that get a row, in order: all if there are not too many, else those
// that violations speak of and the first others.
func (t *timeline) shownClients(v *view, clients []int, blamed map[int64]int) []int {
	all := slices.Compact(slices.Sorted(slices.Values(clients)))
	if len(all) <= maxClientRows {
		return all
	}
	t.noteOmitted("%d of %d clients are drawn", maxClientRows, len(all))
	var first []int
	for i := range v.ops {
		if blamed[v.ops[i].Index] > 0 && !slices.Contains(first, clients[i]) && len(first) < maxClientRows {
			first = append(first, clients[i])
		}
	}
	for _, c := range all {
		if len(first) == maxClientRows {
			break
		}
		if !slices.Contains(first, c) {
			first = append(first, c)
		}
	}
	slices.Sort(first)
	return first
}

func (v *view) opItem(op *history.Operation, client, violation int) svg.Item {
	tip := CallWords(op) + "\n→ " + OutcomeWords(op) + "\nclient " + words.Decimal(int64(client))
	if op.Node != "" {
		tip += " on " + words.Clean(op.Node)
	}
	tip += ", " + WhenWords(op)
	if op.ID != "" {
		tip += "\nrequest " + words.Shorten(words.Clean(op.ID), words.MaxValueChars)
	}
	it := svg.Item{From: time.Duration(op.Call), To: v.endOfOp(op), Shape: svg.Bar,
		Class: opClasses[op.Outcome],
		Low:   140, High: 860, Tip: tip, ID: opElementID(op)}
	if op.Outcome == history.Fail {
		it.High = 500
	}
	if violation > 0 {
		it.Alert, it.Tip = true, "violation "+words.Decimal(int64(violation))+"\n"+it.Tip
	}
	return it
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
