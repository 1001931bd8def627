// Package junit writes the outcomes of many runs as JUnit XML, which most CI systems show: a suite
// for each scenario, a case for each seed.
//
// It judges nothing and limits what it writes: a report that a CI system refuses is worth nothing.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// Limits of a report.
const (
	// MaxPassed is how many passed cases a suite lists; the numbers count all.
	MaxPassed = 1000
	// MaxFailed is how many failed cases a suite lists.
	MaxFailed = 200
	// maxTextChars bounds a message.
	maxTextChars = 4000
)

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Time     string   `xml:"time,attr"`
	Suites   []*suite
}

type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Time     string   `xml:"time,attr"`
	Cases    []*testCase
	Out      string `xml:"system-out,omitempty"`

	totalTime                time.Duration
	passedCount, failedCount int
}

type testCase struct {
	XMLName    xml.Name    `xml:"testcase"`
	Name       string      `xml:"name,attr"`
	Class      string      `xml:"classname,attr"`
	File       string      `xml:"file,attr,omitempty"`
	Time       string      `xml:"time,attr"`
	Properties *properties `xml:"properties,omitempty"`
	Failure    *failure    `xml:"failure,omitempty"`
	Error      *failure    `xml:"error,omitempty"`
}

type properties struct {
	Properties []property `xml:"property"`
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// Write writes the outcomes of runs that a program with this name made. A run whose verdict is invalid is a
// failure; one whose verdict is unknown, or that could not be made, is an error. A run that ends as its
// scenario expects passes.
func Write(w io.Writer, program string, outcomes []campaign.Outcome) error {
	all := suites{Name: xmlText(program)}
	byName := map[string]*suite{}
	var took time.Duration
	for i := range outcomes {
		o := &outcomes[i]
		s := byName[o.Scenario]
		if s == nil {
			s = &suite{Name: xmlText(o.Scenario)}
			byName[o.Scenario] = s
			all.Suites = append(all.Suites, s)
		}
		s.addOutcome(o)
		took += o.Took
	}
	slices.SortStableFunc(all.Suites, func(a, b *suite) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range all.Suites {
		s.Time = secondsText(s.totalTime)
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		if left := s.Tests - len(s.Cases); left > 0 {
			s.Out = fmt.Sprintf("and %d more runs that are not listed here", left)
		}
	}
	all.Time = secondsText(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *suite) addOutcome(o *campaign.Outcome) {
	s.Tests++
	s.totalTime += o.Took
	c := &testCase{Name: "seed " + strconv.FormatUint(o.Seed, 10), Class: s.Name, File: xmlText(o.File),
		Time: secondsText(o.Took)}
	if !o.Failed() {
		if s.passedCount++; s.passedCount <= MaxPassed {
			s.Cases = append(s.Cases, c)
		}
		return
	}
	f := &failure{Message: xmlText(o.Why()), Type: o.Verdict.String(), Text: xmlText(failureBody(o))}
	if o.Verdict == linearizability.Unknown || o.Problem != "" {
		s.Errors++
		c.Error = f
	} else {
		s.Failures++
		c.Failure = f
	}
	if s.failedCount++; s.failedCount > MaxFailed {
		return
	}
	c.Properties = &properties{Properties: []property{{"sim.seed", strconv.FormatUint(o.Seed, 10)},
		{"sim.digest", xmlText(o.Digest)}, {"sim.scenario", s.Name}}}
	s.Cases = append(s.Cases, c)
}

func failureBody(o *campaign.Outcome) string {
	var b strings.Builder
	for _, c := range o.Checks {
		fmt.Fprintf(&b, "%s %s: %s\n", c.Verdict, reports.Clean(c.Checker), reports.Clean(c.Summary))
	}
	if o.Folder != "" {
		b.WriteString("run folder: " + reports.Clean(o.Folder) + "\n")
	}
	if o.Reproduce != "" {
		b.WriteString("reproduce: " + reports.Clean(o.Reproduce) + "\n")
	}
	return b.String()
}

// xmlText bounds a text and writes what XML cannot hold as escapes; line ends stay.
func xmlText(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = reports.Clean(lines[i])
	}
	s = strings.Join(lines, "\n")
	if r := []rune(s); len(r) > maxTextChars {
		return string(r[:maxTextChars-1]) + "…"
	}
	return s
}

// secondsText writes a time as JUnit expects it, without floating point.
func secondsText(d time.Duration) string {
	ms := max(0, d.Milliseconds())
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}
