package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/pagestyle"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
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
	t.writeVerdict(v)
	t.writeChecks(v)
	t.writeViolation(v)
	t.writeFacts(v)
	_, err := io.WriteString(w, plainSpaces.Replace(t.output.String()))
	return err
}

// plainSpaces undoes what keeps numbers and units together on a page: in a terminal it hinders
// searching and copying.
var plainSpaces = strings.NewReplacer("\u202f", " ", "\u00a0", " ")

type textWriter struct {
	options TextOptions
	output  strings.Builder
}

func (t *textWriter) writeLine(format string, args ...any) {
	fmt.Fprintf(&t.output, format+"\n", args...)
}

var verdictColors = [...]string{linearizability.Unknown: "33", linearizability.Valid: "32",
	linearizability.Invalid: "31"}

func (t *textWriter) colored(v linearizability.Validity, text string) string {
	if !t.options.Color || int(v) >= len(verdictColors) {
		return text
	}
	return "\x1b[1;" + verdictColors[v] + "m" + text + "\x1b[0m"
}

func (t *textWriter) writeVerdict(v *view) {
	r := v.run
	worst := r.Verdict()
	verdict := t.colored(worst, strings.ToUpper(worst.String()))
	if s := r.Scenario; s != nil && s.Expect.Verdict != "" {
		switch {
		case s.Expect.Verdict != worst.String():
			verdict += " (expected " + words.Clean(s.Expect.Verdict) + ")"
		case worst != linearizability.Valid:
			verdict += " (as expected)"
		}
	}
	verdict += withoutSettings(v.subjectTimeline.NotCarriedOut)
	line := fmt.Sprintf("%s  %s, seed %d", verdict, words.Clean(scenarioName(r)), r.Seed)
	if r.Backend != "" {
		line += ", " + words.Clean(r.Backend)
	}
	line += ", " + words.Seconds(r.Duration, 1) + " s"
	if r.Steps > 0 {
		line += ", " + words.GroupDigits(r.Steps) + " steps"
	}
	t.writeLine("%s", line)
}

// writeNotCarriedOut lists the settings that the run was without.
func (t *textWriter) writeNotCarriedOut(v *view) {
	major, minor := splitMinor(v.subjectTimeline.NotCarriedOut)
	if len(major) > 0 {
		t.writeLine("the verdict is about a cluster without what its configuration asks for:")
	}
	for _, n := range major {
		t.writeLine("  %s", words.Clean(n.String()))
	}
	if len(minor) > 0 {
		t.writeLine("the verdict does not depend on it, but this is not carried out either:")
	}
	for _, n := range minor {
		t.writeLine("  %s", words.Clean(n.String()))
	}
}

// splitMinor divides settings into those on which the verdict depends, and the others.
func splitMinor(list []scenarios.NotCarriedOut) (major, minor []scenarios.NotCarriedOut) {
	for _, n := range list {
		if n.Minor {
			minor = append(minor, n)
		} else {
			major = append(major, n)
		}
	}
	return major, minor
}

// maxSettingsNamed is how many settings a verdict line names.
const maxSettingsNamed = 3

// withoutSettings returns the words beside a text for the settings that a run was without; "" if none.
func withoutSettings(list []scenarios.NotCarriedOut) string {
	if list, _ = splitMinor(list); len(list) == 0 {
		return ""
	}
	var names []string
	for _, n := range list[:min(len(list), maxSettingsNamed)] {
		names = append(names, words.Clean(n.Setting))
	}
	text := ", BUT WITHOUT " + strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (t *textWriter) writeChecks(v *view) {
	if len(v.run.Verdicts) == 0 {
		t.writeLine("  ? nothing was checked")
	}
	width := 0
	for i := range v.run.Verdicts {
		width = widerOf(width, v.run.Verdicts[i].Checker)
	}
	for i := range v.run.Verdicts {
		verdict := &v.run.Verdicts[i]
		t.writeLine("  %s %s  %s", t.colored(verdict.Validity, pagestyle.Mark(verdict.Validity)),
			padColumn(verdict.Checker, width), words.Clean(verdict.Summary))
	}
}

func (t *textWriter) writeViolation(v *view) {
	verdict, violation := firstViolation(v.run.Verdicts)
	if violation == nil {
		return
	}
	t.writeLine("")
	t.writeLine("violation: %s", words.Clean(violation.Kind.Title()))
	if violation.Explain != "" && violation.Explain != verdict.Summary {
		t.writeLine("  %s", words.Clean(violation.Explain))
	}
	for i := range violation.Ops {
		if i == maxTextOps {
			t.writeLine("  and %d more", len(violation.Ops)-i)
			break
		}
		t.writeLine("  %s", t.operationText(v, &violation.Ops[i]))
	}
	more := -1
	for i := range v.run.Verdicts {
		more += len(v.run.Verdicts[i].Violations)
	}
	if more > 0 {
		t.writeLine("  and %d more violations", more)
	}
}

func (t *textWriter) operationText(v *view, op *history.Operation) string {
	where := ""
	if op.Node != "" {
		where = " on " + words.Clean(op.Node)
	}
	return fmt.Sprintf("client %d%s: %s → %s (%s)", clientOf(v.run, op.Process), where,
		CallWords(op), OutcomeWords(op), WhenWords(op))
}

func (t *textWriter) writeFacts(v *view) {
	r := v.run
	t.writeLine("")
	c := v.countOutcomes()
	t.writeLine("operations: %d (%d ok, %d failed, %d unknown)", c.Total(), c.OK, c.Fail, c.Info)
	if v.opsProblem != "" {
		t.writeLine("  the history is not well formed: %s", words.Clean(v.opsProblem))
	}
	t.writeFaults(v)
	if changes, is := v.membershipChanges(); is {
		t.writeLine("membership changes: %d", changes)
	}
	t.writeNotCarriedOut(v)
	if n := len(v.subjectTimeline.Notes); n > 0 && t.options.Page != "" {
		t.writeLine("remarks: %d (on the page)", n)
	}
	if r.Digest != "" {
		t.writeLine("digest: %s", words.Clean(r.Digest))
	}
	if t.options.Page != "" {
		t.writeLine("page: %s", words.Clean(t.options.Page))
	}
	if r.Reproduce != "" {
		t.writeLine("reproduce: %s", words.Clean(r.Reproduce))
	}
}

func (t *textWriter) writeFaults(v *view) {
	applied := v.run.Applied
	if waited := len(v.run.Untriggered); waited > 0 {
		t.writeLine("faults whose triggers never came: %d", waited)
	}
	if len(applied) == 0 {
		t.writeLine("faults applied: none")
		return
	}
	t.writeLine("faults applied: %d", len(applied))
	for i := range applied {
		if i == maxTextFaults {
			t.writeLine("  and %d more", len(applied)-i)
			break
		}
		a := &applied[i]
		text := FaultWords(&a.Fault)
		if a.Problem != "" {
			t.writeLine("  %s: NOT APPLIED: %s", text, words.Clean(a.Problem))
			continue
		}
		until := "the end"
		if a.Ended[1] > 0 {
			until = words.Instant(a.Ended[1])
		}
		effect := ""
		if a.WithoutEffect() {
			effect = ": " + noEffect
		}
		t.writeLine("  %s (%s to %s)%s", text, words.Instant(a.Begun[0]), until, effect)
	}
}
