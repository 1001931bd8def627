package campaign

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

// courseHeight is that of each plot of the course in pixels.
const courseHeight = 62

// leastLevel is the height of the smallest bar, so that one failure among thousands of runs is seen.
const leastLevel = svg.Full / 20

// addCourse draws what happened in each step of processor time.
func (b pageBuilder) addCourse(p *page) error {
	c := &b.course
	if len(c.steps) == 0 {
		return nil
	}
	end := time.Duration(len(c.steps)) * c.length
	chart := svg.Chart{Name: "course", Title: "The campaign over processor time", To: end,
		Description: "runs, failed runs and kinds of behaviour that were new, in each step of processor time",
		Groups: []svg.Group{{Title: "in each " + words.Duration(c.length), Rows: []svg.Row{
			b.plot("runs", svg.Bar, svg.OK, func(s step) int { return s.runs }),
			b.plot("failed", svg.Block, svg.Fault, func(s step) int { return s.failed }),
			b.plot("new behaviour", svg.Bar, svg.Info, func(s step) int { return s.behaviours })}}}}
	var out bytes.Buffer
	if err := chart.Write(&out); err != nil {
		return fmt.Errorf("drawing the course of the campaign: %w", err)
	}
	p.Chart = template.HTML(out.String()) //nolint:gosec // package svg escapes every text
	for i, s := range c.steps {
		from := time.Duration(i) * c.length
		p.Steps = append(p.Steps, pageStep{words.Duration(from), words.Duration(from + c.length),
			words.GroupDigits(s.runs), words.GroupDigits(s.failed), words.GroupDigits(s.behaviours)})
	}
	return nil
}

// plot draws one number of each step.
func (b pageBuilder) plot(label string, shape svg.Shape, class svg.Class, value func(step) int) svg.Row {
	c := &b.course
	most := 1
	for _, s := range c.steps {
		most = max(most, value(s))
	}
	row := svg.Row{Label: label, Height: courseHeight, Ticks: []svg.Tick{{Level: 0, Label: "0"},
		{Level: svg.Full, Label: words.GroupDigits(most)}}}
	for i, s := range c.steps {
		v := value(s)
		if v == 0 {
			continue
		}
		from := time.Duration(i) * c.length
		row.Items = append(row.Items, svg.Item{From: from, To: from + c.length, Shape: shape, Class: class,
			High: max(int(int64(v)*svg.Full/int64(most)), leastLevel),
			Tip: fmt.Sprintf("%s: %s\n%s to %s", label, words.GroupDigits(v), words.Duration(from),
				words.Duration(from+c.length))})
	}
	return row
}

// assured are the sentences about what the campaign made sure of.
func (b pageBuilder) assured() (out []string) {
	if b.AfterCanary > 0 {
		out = append(out, fmt.Sprintf("Before %s of the %s the campaign ran a register that forgets writes "+
			"and found it invalid: a violation would have been found.", words.GroupDigits(b.AfterCanary),
			countedRuns(b.Runs)))
	} else {
		out = append(out, "No run was preceded by one of a register that forgets writes: nothing shows that "+
			"a violation would have been found.")
	}
	with := ""
	if len(b.options.RepeatedWith) > 0 {
		with = " (" + text(strings.Join(b.options.RepeatedWith, " "), maxWhyChars) + ")"
	}
	return append(out, fmt.Sprintf("%s of the runs were made again with other settings of the Go runtime%s, "+
		"with the same digests. A run with another digest would be a failure.",
		words.GroupDigits(b.Repeated), with))
}

// addWithout names the settings that the runs were without.
func (b pageBuilder) addWithout(p *page) {
	for _, c := range b.Scenarios {
		for _, n := range c.NotCarriedOut {
			if len(p.Without) == maxPageNotes {
				p.MoreWithout++
				continue
			}
			p.Without = append(p.Without, text(c.Name, words.MaxValueChars)+": "+
				text(n.String(), maxWhyChars))
		}
	}
}
