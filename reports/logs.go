package reports

import (
	"bufio"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// maxColumnChars bounds an aligned column, so that one long name does not push everything away.
const maxColumnChars = 24

// padColumn pads a text to a width; widths come from widest.
func padColumn(s string, width int) string {
	s = words.Shorten(words.Clean(s), maxColumnChars)
	for n := utf8.RuneCountInString(s); n < width; n++ {
		s += " "
	}
	return s
}

func widerOf(width int, s string) int {
	return min(maxColumnChars, max(width, utf8.RuneCountInString(words.Clean(s))))
}

// logTime is a log line's time, to the microsecond, aligned up to 99999 seconds.
func logTime(t time.Duration) string { return fmt.Sprintf("%12s", words.Seconds(t, 6)) }

// writeLogsText writes the log lines in columns: time, level, machine, process, text.
func (v runFiles) writeLogsText(w io.Writer) error {
	var machine, process, level int
	for i := range v.run.Logs {
		l := &v.run.Logs[i]
		machine, process = widerOf(machine, l.Machine), widerOf(process, l.Process)
		level = widerOf(level, l.Level)
	}
	out := bufio.NewWriter(w)
	for i := range v.run.Logs {
		l := &v.run.Logs[i]
		if _, err := fmt.Fprintf(out, "%s  %s  %s  %s  %s\n", logTime(l.At), padColumn(l.Machine, machine),
			padColumn(l.Process, process), padColumn(l.Level, level), words.Clean(l.Text)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// writeHistoryText writes the operations in columns: call, length, client, machine, what, outcome.
func (v runFiles) writeHistoryText(w io.Writer) error {
	out := bufio.NewWriter(w)
	if v.opsProblem != "" {
		if _, err := fmt.Fprintf(out, "# the history is not well formed: %s\n",
			words.Clean(v.opsProblem)); err != nil {
			return err
		}
	}
	node, call := 0, 0
	for i := range v.ops {
		node, call = widerOf(node, v.ops[i].Node), max(call, min(40,
			utf8.RuneCountInString(CallWords(&v.ops[i]))))
	}
	for i := range v.ops {
		op := &v.ops[i]
		length := "-"
		if end := v.endOfOp(op); op.Ended != 0 || end < v.endTime {
			length = words.Duration(end - time.Duration(op.Call))
		}
		text := CallWords(op)
		for n := utf8.RuneCountInString(text); n < call; n++ {
			text += " "
		}
		if _, err := fmt.Fprintf(out, "%s  %9s  client %-3d %s  %s  %s\n", logTime(time.Duration(op.Call)),
			plainSpaces.Replace(length), clientOf(v.run, op.Process), padColumn(op.Node,
				node), text, OutcomeWords(op)); err != nil {
			return err
		}
	}
	return out.Flush()
}
