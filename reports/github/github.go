// Package github writes the outcomes of many runs for GitHub Actions: annotations that appear beside
// the changed files, and a summary of the step.
//
// It keeps within the limits that GitHub sets, and reports how much it left out. It judges nothing.
package github

import (
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// GitHub's limits: what is beyond them is dropped without a word.
const (
	// MaxErrors and MaxWarnings are the annotations of one step.
	MaxErrors   = 10
	MaxWarnings = 10
	// MaxSummaryBytes is the size of a step's summary.
	MaxSummaryBytes = 1 << 20
)

// maxTextChars bounds one text of an annotation or a table.
const maxTextChars = 1000

// Annotations writes a workflow command for each failed run: an error for an invalid one, a warning
// for one without a verdict. The last of either kind reports how many more there are.
func Annotations(w io.Writer, outcomes []campaign.Outcome) error {
	var failures, unknowns []*campaign.Outcome
	for i := range outcomes {
		switch o := &outcomes[i]; {
		case !o.Failed():
		case o.Problem == "" && o.Verdict != linearizability.Unknown:
			failures = append(failures, o)
		default:
			unknowns = append(unknowns, o)
		}
	}
	if err := annotate(w, "error", failures, MaxErrors); err != nil {
		return err
	}
	return annotate(w, "warning", unknowns, MaxWarnings)
}

func annotate(w io.Writer, command string, list []*campaign.Outcome, most int) error {
	for i, o := range list {
		if i == most-1 && len(list) > most {
			_, err := fmt.Fprintf(w, "::%s title=%s::%s\n", command, propertyText("more seeds"),
				messageText(fmt.Sprintf("and %d more failing seeds; see the run folders", len(list)-i)))
			return err
		}
		where := ""
		if o.File != "" {
			where = "file=" + propertyText(o.File) + ",line=1,"
		}
		message := truncateText(o.Why())
		if o.Reproduce != "" {
			message += "\nreproduce: " + truncateText(o.Reproduce)
		}
		if _, err := fmt.Fprintf(w, "::%s %stitle=%s::%s\n", command, where,
			propertyText(fmt.Sprintf("%s, seed %d: %s", truncateText(o.Scenario), o.Seed,
				o.Verdict)), messageText(message)); err != nil {
			return err
		}
	}
	return nil
}

func truncateText(s string) string {
	if r := []rune(s); len(r) > maxTextChars {
		return string(r[:maxTextChars-1]) + "…"
	}
	return s
}

// messageText writes a text for the message of a workflow command; line ends stay.
func messageText(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.ReplaceAll(reports.Clean(lines[i]), "%", "%25")
	}
	return strings.Join(lines, "%0A")
}

// propertyText writes a text for a property of a workflow command.
func propertyText(s string) string {
	return strings.NewReplacer("%", "%25", ":", "%3A", ",", "%2C").Replace(reports.Clean(s))
}

// Summary writes a campaign as Markdown for a step's summary.
func Summary(w io.Writer, s *campaign.Summary) error {
	var b strings.Builder
	mark := "✅"
	if !s.OK() {
		mark = "❌"
	}
	fmt.Fprintf(&b, "### %s %d runs, %d failed\n\n", mark, s.Runs, s.Failed)
	b.WriteString("| scenario | seeds | valid | invalid | unknown | failed |\n|---|--:|--:|--:|--:|--:|\n")
	left := 0
	for _, c := range s.Scenarios {
		row := fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", tableCell(c.Name), c.Runs, c.Valid, c.Invalid,
			c.Unknown, c.Failed)
		if b.Len()+len(row) > MaxSummaryBytes/2 {
			left++
			continue
		}
		b.WriteString(row)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\nand %d more scenarios\n", left)
	}
	writeFailures(&b, s)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFailures(b *strings.Builder, s *campaign.Summary) {
	written, total := 0, 0
	for _, c := range s.Scenarios {
		total += c.Failed
		for _, f := range c.Failures {
			entry := fmt.Sprintf("\n**%s, seed %d: %s** %s\n", tableCell(f.Scenario), f.Seed, f.Verdict,
				tableCell(f.Why))
			if f.Reproduce != "" {
				entry += "\n" + codeSpan(f.Reproduce) + "\n"
			}
			if b.Len()+len(entry) > MaxSummaryBytes-200 {
				continue
			}
			b.WriteString(entry)
			written++
		}
		for _, id := range c.Missing {
			entry := fmt.Sprintf("\n%s: probe %s was never reached\n", tableCell(c.Name), tableCell(id))
			if b.Len()+len(entry) <= MaxSummaryBytes-200 {
				b.WriteString(entry)
			}
		}
	}
	if total > written {
		fmt.Fprintf(b, "\nand %d more failing seeds; see the run folders\n", total-written)
	}
}

// tableCell writes a text so that Markdown shows it and obeys none of it.
func tableCell(s string) string {
	var b strings.Builder
	for _, r := range truncateText(reports.Clean(s)) {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '\\', '`', '*', '_', '[', ']', '|', '#', '~', '!', '@', '$':
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// codeSpan writes a text as a block of code with a fence that the text does not contain.
func codeSpan(s string) string {
	s = truncateText(reports.Clean(s))
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "sh\n" + s + "\n" + fence
}
