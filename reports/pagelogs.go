package reports

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits of the log on the page.
const (
	maxLogLines      = 800
	maxLogTail       = 200 // the last lines are always shown
	maxLogTextChars  = 500
	logAround        = 2 * time.Second // before and after the operations of a violation
	maxLogMachines   = 64
	maxLogCandidates = 400 // of lines around violations, and of warnings
)

type pageLogs struct {
	Lines    []pageLog
	More     int
	Machines []string
	Levels   []string
}

type pageLog struct {
	At, Machine, Process, Level, Text, Class string
	Gap                                      bool // lines are missing before this one
}

// pageLogs chooses lines: around violations, then warnings and worse, then the last ones, then as
// many from the beginning as there is room for.
func (v pageBuilder) pageLogs() pageLogs {
	logs := v.run.Logs
	chosen := make([]bool, len(logs))
	room := maxLogLines - min(maxLogTail, len(logs))
	take := func(limit int, want func(*scenarios.LogLine) bool) {
		for i := range logs {
			if room == 0 || limit == 0 {
				return
			}
			if !chosen[i] && want(&logs[i]) {
				chosen[i] = true
				room--
				limit--
			}
		}
	}
	for i := max(0, len(logs)-maxLogTail); i < len(logs); i++ {
		chosen[i] = true
	}
	spans := v.blamedTimes()
	take(maxLogCandidates, func(l *scenarios.LogLine) bool {
		return slices.ContainsFunc(spans, func(s [2]time.Duration) bool {
			return l.At >= s[0] && l.At <= s[1]
		})
	})
	take(maxLogCandidates, func(l *scenarios.LogLine) bool { return levelClass(l.Level) != "" })
	take(maxLogLines, func(*scenarios.LogLine) bool { return true })
	return chosenLogs(logs, chosen)
}

func chosenLogs(logs []scenarios.LogLine, chosen []bool) (out pageLogs) {
	machines, levels := map[string]bool{}, map[string]bool{}
	gap := false
	for i := range logs {
		if !chosen[i] {
			out.More++
			gap = true
			continue
		}
		l := &logs[i]
		column := func(text string) string { return words.Shorten(words.Clean(text), maxColumnChars) }
		line := pageLog{At: words.Seconds(l.At, 6), Machine: column(l.Machine), Process: column(l.Process),
			Level: column(l.Level), Text: words.Shorten(words.Clean(l.Text), maxLogTextChars),
			Class: levelClass(l.Level), Gap: gap}
		gap = false
		machines[line.Machine], levels[line.Level] = true, true
		out.Lines = append(out.Lines, line)
	}
	out.Machines = firstOf(sortedKeys(machines), maxLogMachines)
	out.Levels = firstOf(sortedKeys(levels), maxLogMachines)
	return out
}

// levelClass is how a level is coloured: warn, bad, or not at all.
func levelClass(level string) string {
	switch l := strings.ToUpper(level); {
	case strings.HasPrefix(l, "WARN"):
		return "warn"
	case strings.HasPrefix(l, "ERR"), strings.HasPrefix(l, "CRIT"), strings.HasPrefix(l, "FATAL"),
		strings.HasPrefix(l, "ALERT"), strings.HasPrefix(l, "EMERG"), strings.HasPrefix(l, "PANIC"):
		return "bad"
	}
	return ""
}

// blamedTimes are the times around the operations that violations speak of.
func (v pageBuilder) blamedTimes() (out [][2]time.Duration) {
	for i := range v.run.Verdicts {
		for j := range firstOf(v.run.Verdicts[i].Violations, maxPageViolations) {
			for k := range firstOf(v.run.Verdicts[i].Violations[j].Ops, maxPageOps) {
				op := &v.run.Verdicts[i].Violations[j].Ops[k]
				out = append(out, [2]time.Duration{time.Duration(op.Call) - logAround, v.endOfOp(op) +
					logAround})
			}
		}
	}
	return out
}
