package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits of the text for a terminal; the rest is counted, and shown on the page.
const (
	maxTextOps    = 8
	maxTextFaults = 12
)

// TextOptions are choices about the text for a terminal.
type TextOptions struct {
	// Color writes ANSI colours.
	Color bool
	// Page is the path of the HTML page; empty when none was written.
	Page string
}

// Text writes a run's outcome for a terminal: the verdict, one line for each check, the first
// violation in words, what went wrong on purpose, and as the last line the command that makes the
// run again. page is the path of the HTML page, empty when there is none.
func Text(w io.Writer, run *scenarios.Run, page string) error {
	return TextOptions{Page: page}.Text(w, run)
}

// Text is the function [Text] with options.
func (o TextOptions) Text(w io.Writer, run *scenarios.Run) error {
	v := newView(Options{}, run)
	t := &textWriter{options: o}
	t.verdict(v)
	t.checks(v)
	t.violation(v)
	t.facts(v)
	_, err := io.WriteString(w, plainSpaces.Replace(t.out.String()))
	return err
}

// plainSpaces undoes what keeps numbers and units together on a page: in a terminal it hinders
// searching and copying.
var plainSpaces = strings.NewReplacer("\u202f", " ", "\u00a0", " ")

type textWriter struct {
	options TextOptions
	out     strings.Builder
}

func (t *textWriter) line(format string, args ...any) { fmt.Fprintf(&t.out, format+"\n", args...) }

var marks = [...]string{linearizability.Unknown: "?", linearizability.Valid: "✓",
	linearizability.Invalid: "✗"}

func markOf(v linearizability.Validity) string {
	if int(v) >= len(marks) {
		return "?"
	}
	return marks[v]
}

var colors = [...]string{linearizability.Unknown: "33", linearizability.Valid: "32",
	linearizability.Invalid: "31"}

func (t *textWriter) paint(v linearizability.Validity, text string) string {
	if !t.options.Color || int(v) >= len(colors) {
		return text
	}
	return "\x1b[1;" + colors[v] + "m" + text + "\x1b[0m"
}

func (t *textWriter) verdict(v *view) {
	r := v.run
	worst := r.Verdict()
	words := t.paint(worst, strings.ToUpper(worst.String()))
	if s := r.Scenario; s != nil && s.Expect.Verdict != "" {
		switch {
		case s.Expect.Verdict != worst.String():
			words += " (expected " + clean(s.Expect.Verdict) + ")"
		case worst != linearizability.Valid:
			words += " (as expected)"
		}
	}
	line := fmt.Sprintf("%s  %s, seed %d", words, clean(name(r)), r.Seed)
	if r.Backend != "" {
		line += ", " + clean(r.Backend)
	}
	line += ", " + seconds(r.Duration, 1) + " s"
	if r.Steps > 0 {
		line += ", " + grouped(r.Steps) + " steps"
	}
	t.line("%s", line)
}

func (t *textWriter) checks(v *view) {
	if len(v.run.Verdicts) == 0 {
		t.line("  ? nothing was checked")
	}
	width := 0
	for i := range v.run.Verdicts {
		width = widest(width, v.run.Verdicts[i].Checker)
	}
	for i := range v.run.Verdicts {
		verdict := &v.run.Verdicts[i]
		t.line("  %s %s  %s", t.paint(verdict.Validity, markOf(verdict.Validity)),
			column(verdict.Checker, width), clean(verdict.Summary))
	}
}

func (t *textWriter) violation(v *view) {
	verdict, violation := firstViolation(v.run.Verdicts)
	if violation == nil {
		return
	}
	t.line("")
	t.line("violation: %s", clean(violation.Kind.Title()))
	if violation.Explain != "" && violation.Explain != verdict.Summary {
		t.line("  %s", clean(violation.Explain))
	}
	for i := range violation.Ops {
		if i == maxTextOps {
			t.line("  and %d more", len(violation.Ops)-i)
			break
		}
		t.line("  %s", t.operation(v, &violation.Ops[i]))
	}
	more := -1
	for i := range v.run.Verdicts {
		more += len(v.run.Verdicts[i].Violations)
	}
	if more > 0 {
		t.line("  and %d more violations", more)
	}
}

func (t *textWriter) operation(v *view, op *history.Operation) string {
	where := ""
	if op.Node != "" {
		where = " on " + clean(op.Node)
	}
	return fmt.Sprintf("client %d%s: %s → %s (%s)", clientOf(v.run, op.Process), where,
		CallWords(op), OutcomeWords(op), WhenWords(op))
}

func (t *textWriter) facts(v *view) {
	r := v.run
	t.line("")
	c := v.counts()
	t.line("operations: %d (%d ok, %d failed, %d unknown)", c.total(), c.OK, c.Fail, c.Info)
	if v.opsProblem != "" {
		t.line("  the history is not well formed: %s", clean(v.opsProblem))
	}
	t.faults(v)
	t.line("membership changes: %d", v.membershipChanges())
	if n := len(v.story.Notes); n > 0 && t.options.Page != "" {
		t.line("remarks: %d (on the page)", n)
	}
	if r.Digest != "" {
		t.line("digest: %s", clean(r.Digest))
	}
	if t.options.Page != "" {
		t.line("page: %s", clean(t.options.Page))
	}
	if r.Reproduce != "" {
		t.line("reproduce: %s", clean(r.Reproduce))
	}
}

func (t *textWriter) faults(v *view) {
	applied := v.run.Applied
	if len(applied) == 0 {
		t.line("faults applied: none")
		return
	}
	t.line("faults applied: %d", len(applied))
	for i := range applied {
		if i == maxTextFaults {
			t.line("  and %d more", len(applied)-i)
			break
		}
		a := &applied[i]
		words := FaultWords(&a.Fault)
		if a.Problem != "" {
			t.line("  %s: NOT APPLIED: %s", words, clean(a.Problem))
			continue
		}
		until := "the end"
		if a.Ended[1] > 0 {
			until = at(a.Ended[1])
		}
		t.line("  %s (%s to %s)", words, at(a.Begun[0]), until)
	}
}
