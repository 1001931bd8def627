package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxProblems is how many problems one error shows. Further problems are only counted.
const MaxProblems = 20

// Problem is one thing that is wrong in a file.
type Problem struct {
	File string
	// Line and Column are from 1; Line is 0 when there is no place, as for values made in Go.
	Line, Column int
	// Path names the value, for example "faults[2].groups"; empty for the file as a whole.
	Path string
	// Text describes what is wrong and what to write instead.
	Text string
}

// Error writes file:line:column, the path and the text.
func (p *Problem) Error() string {
	var b strings.Builder
	switch {
	case p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	case p.File != "":
		fmt.Fprintf(&b, "%s: ", p.File)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	return b.String() + p.Text
}

// Problems are everything that was found wrong, in the order of the file. As an error it shows
// the first [MaxProblems], one a line.
type Problems []*Problem

// Error lists the problems.
func (ps Problems) Error() string {
	lines := make([]string, 0, MaxProblems+1)
	for i, p := range ps {
		if i == MaxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(ps)-MaxProblems))
			break
		}
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems for errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Err returns the problems as an error, sorted by place: nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(ps, func(a, b *Problem) bool { return *a == *b })
}

// At reports whether something is known to be wrong at a place.
func (ps Problems) At(line, column int) bool {
	return slices.ContainsFunc(ps, func(p *Problem) bool { return p.Line == line && p.Column == column })
}

// Add appends what an error reports: the problems in it with their own places, or the error's
// text at the given place.
func (ps *Problems) Add(at Problem, err error) {
	if err == nil {
		return
	}
	var many Problems
	var one *Problem
	switch {
	case errors.As(err, &many):
		for _, p := range many {
			ps.addOne(at, *p)
		}
	case errors.As(err, &one):
		ps.addOne(at, *one)
	default:
		at.Text = err.Error()
		*ps = append(*ps, &at)
	}
}

func (ps *Problems) addOne(at, p Problem) {
	if p.Line == 0 {
		p.Line, p.Column = at.Line, at.Column
	}
	p.File = cmp.Or(p.File, at.File)
	p.Path = joinPaths(at.Path, p.Path)
	*ps = append(*ps, &p)
}

// joinPaths puts the path of a part behind that of the whole.
func joinPaths(whole, part string) string {
	if whole == "" || part == "" || part[0] == '[' {
		return whole + part
	}
	return whole + "." + part
}
