package campaign

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sim/holdfast/reports"
)

// JSON writes the summary.
func (s *Summary) JSON(w io.Writer) error {
	s.completeGroups()
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// Text writes the summary as a table for a terminal. The last line of a failed campaign is the
// command that repeats the first failure of its first group.
// Unless earlier is nil, the text reports which failures an earlier campaign had as well, and which only
// that one had.
func (s *Summary) Text(w io.Writer, earlier *Summary) error {
	rows := [][]string{{"scenario", "seeds", "valid", "invalid", "unknown", "failed", "probes"}}
	for _, c := range s.Scenarios {
		if c.Runs == 0 {
			continue
		}
		rows = append(rows, []string{shortName(reports.Clean(c.Name)), decimalText(c.Runs),
			decimalText(c.Valid),
			decimalText(c.Invalid),
			decimalText(c.Unknown), decimalText(c.Failed), decimalText(len(c.Probes))})
	}
	var out strings.Builder
	writeTable(&out, rows)
	for _, c := range s.Scenarios {
		writeNotes(&out, c)
	}
	s.completeGroups()
	s.writeGroups(&out, earlier)
	s.writeResolved(&out, earlier)
	out.WriteString("\n" + s.totalLine() + "\n")
	if s.Repeated > 0 {
		fmt.Fprintf(&out, "determinism: %d of the runs were made again with other settings of the Go "+
			"runtime, with the same digests\n", s.Repeated)
	}
	if len(s.Groups) > 0 && s.Groups[0].First.Reproduce != "" {
		out.WriteString("reproduce: " + reports.Clean(s.Groups[0].First.Reproduce) + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (s *Summary) totalLine() string {
	line := fmt.Sprintf("%d runs, %d failed", s.Runs, s.Failed)
	if s.Took > 0 {
		line += fmt.Sprintf(", %s", s.Took.Round(10*time.Millisecond))
		line += fmt.Sprintf(", %s", rateText(s.PerHour))
	}
	return line
}

// rateText writes runs in a time that gives a number worth reading.
func rateText(perHour int64) string {
	switch {
	case perHour >= 36_000:
		return decimalText(perHour/3600) + " runs/s"
	case perHour >= 3_600:
		return fmt.Sprintf("%d.%d runs/s", perHour/3600, perHour%3600*10/3600)
	}
	return decimalText(perHour) + " runs/h"
}

func decimalText[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

const maxNameChars = 40

func shortName(s string) string {
	if utf8.RuneCountInString(s) <= maxNameChars {
		return s
	}
	return string([]rune(s)[:maxNameChars-1]) + "…"
}

// writeTable aligns the first column to the left and the others to the right.
func writeTable(out *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				out.WriteString(cell + pad)
				continue
			}
			out.WriteString("  " + pad + cell)
		}
		out.WriteByte('\n')
	}
}

// writeNotes writes what the table does not tell about a scenario.
func writeNotes(out *strings.Builder, c *Scenario) {
	if len(c.Missing) == 0 && len(c.NotCarriedOut) == 0 || c.Runs == 0 {
		return
	}
	out.WriteString("\n" + reports.Clean(c.Name) + "\n")
	for _, n := range c.NotCarriedOut {
		fmt.Fprintf(out, "  the verdicts are about a cluster without a setting: %s\n",
			reports.Clean(n.String()))
	}
	for _, id := range c.Missing {
		fmt.Fprintf(out, "  probe %s was never reached\n", reports.Clean(id))
	}
}
