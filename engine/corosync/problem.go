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
}

// Error returns the problem on one line: "corosync.conf:12: what is wrong; what to do".
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s; %s", p.File, p.What, p.Remedy)
	}
	return fmt.Sprintf("%s:%d: %s; %s", p.File, p.Line, p.What, p.Remedy)
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

// addError adds an error.
func (f *findings) addError(line int, remedy, format string, args ...any) {
	if len(f.errors.List) >= maxProblems {
		f.errors.Dropped++
		return
	}
	p := Problem{File: f.file, Line: line, What: fmt.Sprintf(format, args...), Remedy: remedy}
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
