package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/compare"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// against is the first difference between a run and another one, for the page of the first.
type against struct {
	run, other *Saved
	difference *compare.Difference
	// others are the differences in what other actors did, if times do not count.
	others []*compare.Difference
	// omitted is how many lanes and values of lanes are not drawn.
	omitted int
}

// compareRuns finds the first difference of two runs. Runs of one seed are compared with all times; others
// have different times from the start, so what each actor did is compared.
func compareRuns(run, other *Saved) *against {
	a, b := stepsOf(run), stepsOf(other)
	all := compare.Untimed(a, b)
	if run.Summary.Seed == other.Summary.Seed || len(all) == 0 {
		return &against{run: run, other: other, difference: compare.Timed(a, b)}
	}
	return &against{run: run, other: other, difference: all[0], others: all[1:]}
}

// stepsOf is what the folder of a run holds, in the order of time.
func stepsOf(s *Saved) (steps []compare.Step) {
	for i := range s.Run.Applied {
		a := &s.Run.Applied[i]
		add := func(at time.Duration, what string) {
			steps = append(steps, compare.Step{At: at, Actor: "faults",
				Text: what + " of " + FaultWords(&a.Fault)})
		}
		add(a.Begun[0], "begin")
		if a.Ended[1] > 0 {
			add(a.Ended[0], "end")
		}
	}
	for i := range s.Records {
		r := &s.Records[i]
		content := r.Record
		var compact bytes.Buffer
		if json.Compact(&compact, content) == nil {
			content = compact.Bytes()
		}
		steps = append(steps, compare.Step{At: r.At, Actor: machineName(s.Run, r.Machine) + " " + r.Process,
			Text: r.Kind + " " + string(content)})
	}
	for i := range s.Run.Events {
		e := s.Run.Events[i]
		client, at := clientOf(s.Run, e.Process), time.Duration(e.Time)
		e.Index, e.Time, e.Process = 0, 0, client
		text, err := json.Marshal(e)
		if err != nil {
			text = []byte(err.Error()) // a value that was read as JSON is JSON
		}
		steps = append(steps, compare.Step{At: at, Actor: "client " + words.Decimal(int64(client)),
			Text: string(text)})
	}
	compare.Sort(steps)
	return steps
}

// title names a run.
func (s *Saved) title() string { return fmt.Sprintf("%s, seed %d", s.Summary.Scenario, s.Summary.Seed) }

// summary describes the difference in one sentence.
func (a *against) summary() string {
	d := a.difference
	switch {
	case d == nil:
		return "The folders of the two runs hold the same."
	case d.Timed:
		return fmt.Sprintf("The runs are the same up to %s: %s records, client events and faults with all "+
			"their times.", words.Instant(d.At), words.GroupDigits(d.Same))
	}
	return fmt.Sprintf("Apart from times, %s is the first to do something else, at %s, after %s steps that "+
		"are the same.", words.Clean(d.Actor), words.Instant(d.At), words.GroupDigits(d.Same))
}

// pageAgainst is the section that shows two runs side by side.
type pageAgainst struct {
	Summary, Left, Right string
	Rows, Others         []pagePair
	MoreOthers, Omitted  int
	MoreLeft, MoreRight  int
	Chart                template.HTML
}

const (
	// maxStepChars is how much of a step is shown.
	maxStepChars = 500
	// maxOthers is of how many other actors the first difference is shown.
	maxOthers = 40
)

// pagePair are the steps of both runs in one row.
type pagePair struct {
	LeftAt, Left, RightAt, Right string
	Class                        string
}

func (v pageBuilder) pageAgainst() (*pageAgainst, error) {
	a := v.opts.against
	if a == nil {
		return nil, nil
	}
	p := &pageAgainst{Summary: a.summary(), Left: words.Clean(a.run.title()),
		Right: words.Clean(a.other.title())}
	if a.difference == nil {
		return p, nil
	}
	cell := func(s *compare.Step) (at, text string) {
		if s == nil {
			return "", ""
		}
		text = words.Shorten(words.Clean(s.Actor+": "+s.Text), maxStepChars)
		return words.Seconds(s.At, 6) + "\u00a0s", text
	}
	for _, row := range a.difference.Rows {
		pair := pagePair{Class: "differs"}
		if row.Same {
			pair.Class = "same"
		}
		pair.LeftAt, pair.Left = cell(row.A)
		pair.RightAt, pair.Right = cell(row.B)
		p.Rows = append(p.Rows, pair)
	}
	for _, d := range firstOf(a.others, maxOthers) {
		row, pair := d.Rows[slices.IndexFunc(d.Rows, func(r compare.Row) bool { return !r.Same })], pagePair{}
		pair.LeftAt, pair.Left = cell(row.A)
		pair.RightAt, pair.Right = cell(row.B)
		p.Others = append(p.Others, pair)
	}
	p.MoreOthers = max(0, len(a.others)-maxOthers)
	p.MoreLeft, p.MoreRight = a.difference.MoreA, a.difference.MoreB
	var chart bytes.Buffer
	err := a.chart().Write(&chart)
	p.Omitted = a.omitted
	p.Chart = template.HTML(chart.String()) //nolint:gosec // package svg escapes every text
	return p, err
}

// chart draws faults and lanes of both runs, row by row, until shortly after the difference.
func (a *against) chart() *svg.Chart {
	at := a.difference.At
	c := &svg.Chart{Name: "against", To: at + at/8 + time.Second,
		Title: "both runs until their first difference",
		Marks: []svg.Mark{{At: at, Label: "first difference", Class: svg.Alert}}}
	c.Description = a.summary()
	faults := svg.Group{Title: "faults"}
	groups := []svg.Group{}
	for side, s := range []*Saved{a.run, a.other} {
		mark := string(rune('A' + side))
		row := svg.Row{Label: mark}
		for i := range s.Run.Applied {
			v := view{run: s.Run, endTime: runEnd(s.Run)}
			row.Items = append(row.Items, faultItem(&s.Run.Applied[i], v.faultEnd(&s.Run.Applied[i])))
		}
		faults.Rows = append(faults.Rows, row)
		for i := range s.Timeline.Lanes {
			groups = addLaneOf(groups, &s.Timeline.Lanes[i], mark)
			a.omitted += max(0, len(s.Timeline.Lanes[i].Spans)-maxLaneSpans)
		}
	}
	for i := range groups {
		rows := groups[i].Rows
		slices.SortStableFunc(rows, func(a, b svg.Row) int { return strings.Compare(a.Label, b.Label) })
		groups[i].Rows = firstOf(rows, maxLaneRows)
		a.omitted += len(rows) - len(groups[i].Rows)
	}
	c.Groups = append([]svg.Group{faults}, groups...)
	for i := range c.Groups {
		for j := range c.Groups[i].Rows {
			row := &c.Groups[i].Rows[j]
			row.Items = slices.DeleteFunc(row.Items, func(it svg.Item) bool { return it.From > c.To })
		}
	}
	return c
}

// addLaneOf adds the lane of one run to the group of its name.
func addLaneOf(groups []svg.Group, lane *scenarios.Lane, mark string) []svg.Group {
	title := words.Shorten(words.Clean(lane.Name), maxColumnChars)
	at := slices.IndexFunc(groups, func(g svg.Group) bool { return g.Title == title })
	if at < 0 {
		at, groups = len(groups), append(groups, svg.Group{Title: title})
	}
	row := svg.Row{Label: lane.Machine + " " + mark}
	for _, s := range firstOf(lane.Spans, maxLaneSpans) {
		row.Items = append(row.Items, spanItem(lane, s))
	}
	groups[at].Rows = append(groups[at].Rows, row)
	return groups
}
