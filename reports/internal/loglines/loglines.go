// Package loglines chooses the log lines of a run that a page has room for.
//
// Package loglines never changes the order of lines, and counts those that it leaves out.
package loglines

import (
	"maps"
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
	maxColumnChars   = 24
	maxLogMachines   = 64
	maxLogCandidates = 400 // of lines around violations, and of warnings
)

// Chosen are the lines of a page.
type Chosen struct {
	Lines    []Line
	More     int
	Machines []string
	Levels   []string
}

// Line is a line of a log, ready to be escaped.
type Line struct {
	At, Machine, Process, Level, Text, Class string
	Gap                                      bool // lines are missing before this one
}

// Choose chooses lines: those in the given times, then warnings and worse, then the last ones, then as many
// from the beginning as there is room for.
func Choose(logs []scenarios.LogLine, times [][2]time.Duration) Chosen {
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
	take(maxLogCandidates, func(l *scenarios.LogLine) bool {
		return slices.ContainsFunc(times, func(s [2]time.Duration) bool {
			return l.At >= s[0] && l.At <= s[1]
		})
	})
	take(maxLogCandidates, func(l *scenarios.LogLine) bool { return levelClass(l.Level) != "" })
	take(maxLogLines, func(*scenarios.LogLine) bool { return true })
	return chosenLogs(logs, chosen)
}

func chosenLogs(logs []scenarios.LogLine, chosen []bool) (out Chosen) {
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
		line := Line{At: words.Seconds(l.At, 6), Machine: column(l.Machine), Process: column(l.Process),
			Level: column(l.Level), Text: words.Shorten(words.Clean(l.Text), maxLogTextChars),
			Class: levelClass(l.Level), Gap: gap}
		gap = false
		machines[line.Machine], levels[line.Level] = true, true
		out.Lines = append(out.Lines, line)
	}
	out.Machines = firstNames(machines)
	out.Levels = firstNames(levels)
	return out
}

// firstNames returns the first names in order.
func firstNames(set map[string]bool) []string {
	names := slices.Sorted(maps.Keys(set))
	return names[:min(len(names), maxLogMachines)]
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
