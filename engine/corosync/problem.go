package corosync

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is wrapped by the error of every refused configuration.
var ErrInvalid = errors.New("invalid cluster configuration")

// maxProblems bounds the errors, and separately the warnings, of one file.
const maxProblems = 50

// Problem is one finding: where it is, what is wrong and what to do about it.
type Problem struct {
	File   string
	Line   int // 1 and up; 0 if it has no line (a missing section, a value set by code)
	What   string
	Remedy string
	// Stricter is set on an error that Corosync would not report: it would start with such a file, and run
	// with another setting than its author meant. DESIGN.md lists the rules.
	Stricter bool
}

// Error returns the problem on one line: "corosync.conf:12: what is wrong; what to do".
func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	text := fmt.Sprintf("%s: %s; %s", where, p.What, p.Remedy)
	if p.Stricter {
		text += " (Corosync accepts it)"
	}
	return text
}

// Unwrap makes errors.Is(problem, ErrInvalid) true.
func (p Problem) Unwrap() error { return ErrInvalid }

// Problems are the errors of one file in the order of its lines. At most maxProblems are kept.
type Problems struct {
	List    []Problem
	Dropped int // how many more there were
}

// Error returns one problem on each line.
func (ps *Problems) Error() string {
	lines := make([]string, 0, len(ps.List)+1)
	for _, p := range ps.List {
		lines = append(lines, p.Error())
	}
	if ps.Dropped > 0 {
		lines = append(lines, fmt.Sprintf("and %d more; correct these first", ps.Dropped))
	}
	return strings.Join(lines, "\n")
}

// Stricter reports whether Corosync accepts the file: every problem is of a rule that this package has on
// purpose and Corosync does not have.
func (ps *Problems) Stricter() bool {
	return ps.Dropped == 0 && !slices.ContainsFunc(ps.List, func(p Problem) bool { return !p.Stricter })
}

// Unwrap makes errors.Is(problems, ErrInvalid) true.
func (ps *Problems) Unwrap() error { return ErrInvalid }

// Warnings are findings that do not stop the configuration from being used.
type Warnings []Problem

// String returns one warning on each line.
func (w Warnings) String() string {
	lines := make([]string, len(w))
	for i, p := range w {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// findings collects a bounded number of errors and warnings.
type findings struct {
	file     string
	errors   Problems
	warnings Warnings
	// lostSection is set when a section was refused for its name: its content is not missing then.
	lostSection bool
}

// addError adds an error about a file that Corosync refuses as well.
func (f *findings) addError(line int, remedy, format string, args ...any) {
	f.addRefusal(line, false, remedy, format, args...)
}

// addStricter adds an error about a file that Corosync accepts.
func (f *findings) addStricter(line int, remedy, format string, args ...any) {
	f.addRefusal(line, true, remedy, format, args...)
}

// addRefusal adds an error.
func (f *findings) addRefusal(line int, stricter bool, remedy, format string, args ...any) {
	if len(f.errors.List) >= maxProblems {
		f.errors.Dropped++
		return
	}
	p := Problem{File: f.file, Line: line, What: fmt.Sprintf(format, args...), Remedy: remedy,
		Stricter: stricter}
	f.errors.List = append(f.errors.List, p)
}

// addWarning adds a warning.
func (f *findings) addWarning(line int, remedy, format string, args ...any) {
	if len(f.warnings) >= maxProblems {
		return
	}
	p := Problem{File: f.file, Line: line, What: fmt.Sprintf(format, args...), Remedy: remedy}
	f.warnings = append(f.warnings, p)
}

// hasErrors reports whether there is an error.
func (f *findings) hasErrors() bool { return len(f.errors.List) > 0 }

// result sorts the findings by line and returns the errors as one error, nil if there are none.
func (f *findings) result() (Warnings, error) {
	// What has no line (a missing section) comes last.
	byLine := func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line - a.Line
		}
		return a.Line - b.Line
	}
	slices.SortStableFunc(f.warnings, byLine)
	slices.SortStableFunc(f.errors.List, byLine)
	if !f.hasErrors() {
		return f.warnings, nil
	}
	return f.warnings, &f.errors
}
