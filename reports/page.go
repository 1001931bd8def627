package reports

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/likelihood"
	"github.com/holdfast-sim/holdfast/reports/internal/loglines"
	"github.com/holdfast-sim/holdfast/reports/internal/opstats"
	"github.com/holdfast-sim/holdfast/reports/internal/outcomes"
	"github.com/holdfast-sim/holdfast/reports/internal/pagestyle"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
)

//go:embed page.html
var pageHTML string

//go:embed script/*.js
var scriptFiles embed.FS

// pageJS is the script of the page: its files in the order in which they need each other.
var pageJS = joinScripts("base.js", "data.js", "timeline.js", "operations.js", "find.js",
	"messages.js")

func joinScripts(names ...string) string {
	var b strings.Builder
	b.WriteString("'use strict';\n")
	for _, name := range names {
		text, err := scriptFiles.ReadFile("script/" + name)
		if err != nil {
			panic("reports: " + err.Error())
		}
		b.Write(text)
	}
	return b.String()
}

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// Limits of the page. What is left out is counted and mentioned.
const (
	maxPageViolations = 20
	maxPageOps        = 40 // for each violation, and for each verdict's evidence
	maxPageDetails    = 40
	maxPageNotes      = 50
	maxPageFaults     = 200
	maxPageProbes     = 300
	maxPageFinals     = 64
	maxPictureBytes   = 4 << 20
	maxScenarioBytes  = 256 << 10
	maxTextChars      = 2000
)

// Page writes a run as one HTML page that needs nothing else, in many small writes.
func (o Options) Page(w io.Writer, run *scenarios.Run) error {
	v := newDrawnView(o, run)
	var err error
	if v.scenarioYAML, err = o.scenarioYAML(run); err != nil {
		return err
	}
	if v.picture, err = o.picture(run); err != nil {
		v.pictureProblem = err.Error()
	}
	return pageBuilder{v}.writePage(w)
}

// page is what the template shows: texts that are ready to be escaped, nothing to be computed.
type page struct {
	Title, Name, Story      string
	Verdict, Mark, Expected string
	References              []string
	Facts                   []headerFact
	Reproduce               string
	Checks                  []pageCheck
	Chart                   template.HTML
	Omitted                 []string
	OpsProblem              string
	Operations, Messages    template.JS
	MessageRemarks          []string
	Faults                  []pageFault
	MoreFaults              int
	Stats                   []opstats.Stat
	Finals                  []pageFinal
	MoreFinals              int
	Against                 *pageAgainst
	Likelihood              *likelihood.Section
	Policy                  string
	Notes, NotCarriedOut    []string
	MoreNotes               int
	Probes                  []pageProbe
	Picture                 string
	PictureNote             string
	Logs                    loglines.Chosen
	Scenario                string
	ScenarioCut             bool

	Policies template.HTMLAttr
	CSS      template.CSS
	JS       template.JS
}

type headerFact struct{ Name, Value string }

type pageCheck struct {
	Verdict, Mark, Checker, Summary string
	Violations                      []pageViolation
	MoreViolations                  int
	Evidence                        []pageOp
	MoreEvidence                    int
	Details                         []string
	MoreDetails                     int
}

type pageViolation struct {
	Number           int
	Title, Kind      string
	Explain          string
	Ops              []pageOp
	MoreOps          int
	Revisions, Nodes string
}

type pageOp struct {
	ID, Class              string
	At, Took, Client, Node string
	Call, Outcome, Request string
}

type pageFault struct {
	Words, Kind, From, To, Problem string
	WithoutEffect                  bool
}

type pageProbe struct {
	Name, Count string
	Expected    bool
	Missed      bool
}

type pageFinal struct{ Machine, Asked, Answer, Error string }

// pageBuilder makes the page of a run, one method for each section.
type pageBuilder struct{ *view }

func (v pageBuilder) writePage(w io.Writer) error {
	p, err := v.buildPage()
	if err != nil {
		return err
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func (v pageBuilder) buildPage() (*page, error) {
	r := v.run
	t := v.buildTimeline()
	var chart bytes.Buffer
	var err error
	if err = t.chart.Write(&chart); err != nil {
		return nil, fmt.Errorf("drawing the timeline: %w", err)
	}
	worst := r.Verdict()
	p := &page{Name: words.Clean(scenarioName(r)), Verdict: worst.String(), Mark: pagestyle.Mark(worst),
		Reproduce: words.Clean(r.Reproduce), Omitted: t.omittedNotes, OpsProblem: words.Clean(v.opsProblem),
		Chart: template.HTML(chart.String()), //nolint:gosec // package svg escapes every text
		CSS:   pagestyle.CSS, JS: template.JS(pageJS)}
	p.Title = fmt.Sprintf("%s: %s, seed %d", worst, p.Name, r.Seed)
	if s := r.Scenario; s != nil {
		p.Story, p.References = words.Shorten(words.JoinLines(s.Story), maxTextChars), s.References
		if e := s.Expect.Verdict; e != "" && (e != worst.String() || worst != linearizability.Valid) {
			p.Expected = "as expected"
			if e != worst.String() {
				p.Expected = "expected " + words.Clean(e)
			}
		}
	}
	p.Expected = strings.TrimPrefix(p.Expected+withoutSettings(v.subjectTimeline.NotCarriedOut), ", ")
	major, minor := splitMinor(v.subjectTimeline.NotCarriedOut)
	for _, n := range firstOf(major, maxPageNotes) {
		p.NotCarriedOut = append(p.NotCarriedOut, words.Shorten(words.Clean(n.String()), maxTextChars))
	}
	for _, n := range firstOf(minor, maxPageNotes) {
		p.Notes = append(p.Notes, words.Shorten(words.Clean(n.String()), maxTextChars))
	}
	var omitted []string
	if p.Operations, omitted, err = v.pageOperations(); err != nil {
		return nil, fmt.Errorf("writing the operations: %w", err)
	}
	p.Omitted = append(p.Omitted, omitted...)
	if p.Messages, p.MessageRemarks, err = v.pageMessages(); err != nil {
		return nil, fmt.Errorf("writing the messages: %w", err)
	}
	if p.Against, err = v.pageAgainst(); err != nil {
		return nil, fmt.Errorf("drawing two runs side by side: %w", err)
	}
	p.Facts = v.headerFacts()
	v.fillChecks(p)
	p.Likelihood = likelihood.SectionOf(v.opts.Likelihood, v.eventsOfRun())
	v.fillFaults(p)
	p.Stats = opstats.Of(v.ops, v.opLatency)
	v.fillFinals(p)
	v.fillStory(p)
	p.Probes = v.pageProbes()
	v.fillPicture(p)
	p.Logs = loglines.Choose(v.run.Logs, v.violationTimes())
	yaml := v.scenarioYAML
	if len(yaml) > maxScenarioBytes {
		yaml, p.ScenarioCut = yaml[:maxScenarioBytes], true
	}
	p.Scenario = string(bytes.ToValidUTF8(yaml, []byte("\uFFFD")))
	p.Policies = pagestyle.Policies(pageJS, p.Picture != "")
	return p, nil
}

func backendTitle(backend string) string {
	switch backend {
	case "sim":
		return "simulator"
	case "netns":
		return "real processes on namespace nodes"
	}
	return words.Clean(backend)
}

func (v pageBuilder) headerFacts() []headerFact {
	r := v.run
	c := v.countOutcomes()
	facts := []headerFact{{"seed", strconv.FormatUint(r.Seed, 10)}, {"backend", backendTitle(r.Backend)}}
	if r.Backend == "sim" {
		facts = append(facts, headerFact{"virtual time", words.Seconds(r.Duration, 1) + " s"},
			headerFact{"steps", words.GroupDigits(r.Steps)})
	} else {
		facts = append(facts, headerFact{"time", words.Seconds(r.Duration, 1) + " s"})
	}
	facts = append(facts,
		headerFact{"machines", words.Decimal(int64(v.machines()))},
		headerFact{"operations", words.GroupDigits(c.Total())},
		headerFact{"faults applied", words.GroupDigits(len(r.Applied))})
	if changes, is := v.membershipChanges(); is {
		facts = append(facts, headerFact{"membership changes", words.GroupDigits(changes)})
	}
	if r.Digest != "" {
		facts = append(facts, headerFact{"digest", words.Clean(r.Digest)})
	}
	return facts
}

func (v pageBuilder) fillChecks(p *page) {
	number := 0
	for i := range v.run.Verdicts {
		verdict := &v.run.Verdicts[i]
		c := pageCheck{Verdict: verdict.Validity.String(), Mark: pagestyle.Mark(verdict.Validity),
			Checker: words.Clean(verdict.Checker), Summary: words.Shorten(words.Clean(verdict.Summary),
				maxTextChars)}
		for j := range verdict.Violations {
			number++
			if j >= maxPageViolations {
				c.MoreViolations++
				continue
			}
			c.Violations = append(c.Violations, v.pageViolation(number, &verdict.Violations[j]))
		}
		c.Evidence, c.MoreEvidence = v.pageOps(verdict.Evidence)
		for _, d := range firstOf(verdict.Details, maxPageDetails) {
			c.Details = append(c.Details, words.Shorten(words.Clean(d), maxTextChars))
		}
		c.MoreDetails = max(0, len(verdict.Details)-maxPageDetails)
		p.Checks = append(p.Checks, c)
	}
}

func firstOf[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func (v pageBuilder) pageViolation(number int, x *linearizability.Violation) pageViolation {
	out := pageViolation{Number: number, Kind: words.Clean(string(x.Kind)),
		Title:   words.Clean(x.Kind.Title()),
		Explain: words.Shorten(words.Clean(x.Explain), maxTextChars)}
	out.Ops, out.MoreOps = v.pageOps(x.Ops)
	for i, rev := range firstOf(x.Revisions, maxPageOps) {
		if i > 0 {
			out.Revisions += ", "
		}
		out.Revisions += strconv.FormatUint(rev, 10)
	}
	for i, node := range firstOf(x.Nodes, maxPageOps) {
		if i > 0 {
			out.Nodes += ", "
		}
		out.Nodes += words.Shorten(words.Clean(node), words.MaxValueChars)
	}
	return out
}

func (v pageBuilder) pageOps(ops []history.Operation) (out []pageOp, more int) {
	for i := range firstOf(ops, maxPageOps) {
		op := &ops[i]
		length := "never answered"
		if d, ended := v.opLatency(op); ended {
			length = words.Duration(d)
		}
		out = append(out, pageOp{ID: opElementID(op), Class: string(outcomes.Classes[op.Outcome]),
			At:   words.Instant(time.Duration(op.Call)),
			Took: length, Client: words.Decimal(int64(clientOf(v.run, op.Process))),
			Node: words.Shorten(words.Clean(op.Node),
				words.MaxValueChars),
			Call: CallWords(op), Outcome: OutcomeWords(op),
			Request: words.Shorten(words.Clean(op.ID), words.MaxValueChars)})
	}
	return out, max(0, len(ops)-maxPageOps)
}

func (v pageBuilder) fillFaults(p *page) {
	for i := range firstOf(v.run.Applied, maxPageFaults) {
		a := &v.run.Applied[i]
		p.Faults = append(p.Faults, pageFault{Words: FaultWords(&a.Fault),
			Kind: words.Clean(string(a.Fault.Kind)),
			From: intervalText(a.Begun), To: intervalText(a.Ended),
			Problem: words.Shorten(words.Clean(a.Problem), maxTextChars), WithoutEffect: a.WithoutEffect()})
	}
	p.MoreFaults = max(0, len(v.run.Applied)-maxPageFaults)
}

// intervalText writes an instant that is known from ... to.
func intervalText(t [2]time.Duration) string {
	switch {
	case t[1] == 0 && t[0] == 0:
		return "–"
	case t[0] == t[1]:
		return words.Instant(t[0])
	}
	return words.Instant(t[0]) + " (+" + words.Duration(t[1]-t[0]) + ")"
}

func (v pageBuilder) fillFinals(p *page) {
	for i := range firstOf(v.run.Finals, maxPageFinals) {
		f := &v.run.Finals[i]
		asked := words.Clean(f.Op.F)
		if f.Op.Key != "" {
			asked += " " + words.Shorten(words.Clean(f.Op.Key), words.MaxValueChars)
		}
		row := pageFinal{Machine: words.Clean(machineName(v.run, f.Machine)), Asked: asked}
		switch {
		case f.Err != nil:
			row.Error = words.Shorten(words.Clean(f.Err.Error()), maxTextChars)
		case utf8.Valid(f.Output):
			row.Answer = words.Shorten(words.Clean(string(f.Output)), maxTextChars/4)
		default:
			row.Answer = fmt.Sprintf("%d bytes that are no text", len(f.Output))
		}
		p.Finals = append(p.Finals, row)
	}
	p.MoreFinals = max(0, len(v.run.Finals)-maxPageFinals)
}

func (v pageBuilder) fillStory(p *page) {
	p.Policy = words.Shorten(words.Clean(v.subjectTimeline.Policy), maxTextChars)
	for _, n := range firstOf(v.subjectTimeline.Notes, maxPageNotes) {
		p.Notes = append(p.Notes, words.Shorten(words.Clean(n), maxTextChars))
	}
	p.MoreNotes = max(0, len(v.subjectTimeline.Notes)-maxPageNotes)
}

func (v pageBuilder) pageProbes() (out []pageProbe) {
	expected := map[string]bool{}
	all := map[string]int{}
	if v.run.Scenario != nil {
		for _, id := range v.run.Scenario.Expect.Probes {
			expected[id], all[id] = true, 0
		}
	}
	for id, n := range v.run.Probes {
		all[id] = n
	}
	for _, id := range firstOf(sortedKeys(all), maxPageProbes) {
		out = append(out, pageProbe{Name: words.Shorten(words.Clean(id), words.MaxValueChars),
			Count:    words.GroupDigits(all[id]),
			Expected: expected[id], Missed: all[id] == 0})
	}
	return out
}

func (v pageBuilder) fillPicture(p *page) {
	switch {
	case v.pictureProblem != "":
		p.PictureNote = "It could not be drawn: " + words.Shorten(words.Clean(v.pictureProblem), maxTextChars)
	case len(v.picture) > maxPictureBytes:
		p.PictureNote = "It is too large for this page: see " + PictureFile + " beside it."
	case len(v.picture) > 0:
		p.Picture = string(bytes.ToValidUTF8(v.picture, []byte("\uFFFD")))
	}
}
