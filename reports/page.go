package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/svg"
	"github.com/holdfast-sim/holdfast/scenarios"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

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

// Page writes a run as one HTML page that needs nothing else.
func (o Options) Page(w io.Writer, run *scenarios.Run) error {
	v := newView(o, run)
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
	Facts                   []fact
	Reproduce               string
	Checks                  []pageCheck
	Chart                   template.HTML
	Omitted                 []string
	OpsProblem              string
	Faults                  []pageFault
	MoreFaults              int
	Stats                   []pageStat
	Finals                  []pageFinal
	MoreFinals              int
	Policy                  string
	Notes                   []string
	MoreNotes               int
	Probes                  []pageProbe
	Picture                 string
	PictureNote             string
	Logs                    pageLogs
	Scenario                string
	ScenarioCut             bool

	Policies template.HTMLAttr
	CSS      template.CSS
	JS       template.JS
}

type fact struct{ Name, Value string }

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

type pageFault struct{ Words, Kind, From, To, Problem string }

type pageProbe struct {
	Name, Count string
	Expected    bool
	Missed      bool
}

type pageFinal struct{ Machine, Asked, Answer, Error string }

// pageBuilder makes the page of a run, one method for each section.
type pageBuilder struct{ *view }

func (v pageBuilder) writePage(w io.Writer) error {
	p, err := v.page()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

func (v pageBuilder) page() (*page, error) {
	r := v.run
	t := v.timeline()
	var chart bytes.Buffer
	if err := t.chart.Write(&chart); err != nil {
		return nil, fmt.Errorf("drawing the timeline: %w", err)
	}
	worst := r.Verdict()
	p := &page{Name: clean(name(r)), Verdict: worst.String(), Mark: markOf(worst),
		Reproduce: clean(r.Reproduce), Omitted: t.omitted, OpsProblem: clean(v.opsProblem),
		Chart: template.HTML(chart.String()), //nolint:gosec // package svg escapes every text
		CSS:   template.CSS(svg.Style + pageCSS), JS: template.JS(pageJS)}
	p.Title = fmt.Sprintf("%s: %s, seed %d", worst, p.Name, r.Seed)
	if s := r.Scenario; s != nil {
		p.Story, p.References = shortened(joinLines(s.Story), maxTextChars), s.References
		if e := s.Expect.Verdict; e != "" && (e != worst.String() || worst != linearizability.Valid) {
			p.Expected = "as expected"
			if e != worst.String() {
				p.Expected = "expected " + clean(e)
			}
		}
	}
	p.Facts = v.facts()
	v.pageChecks(p)
	v.pageFaults(p)
	p.Stats = v.stats()
	v.pageFinals(p)
	v.pageStory(p)
	p.Probes = v.probes()
	v.pagePicture(p)
	p.Logs = v.pageLogs()
	yaml := v.scenarioYAML
	if len(yaml) > maxScenarioBytes {
		yaml, p.ScenarioCut = yaml[:maxScenarioBytes], true
	}
	p.Scenario = string(bytes.ToValidUTF8(yaml, []byte("\uFFFD")))
	p.Policies = policies(p.Picture != "")
	return p, nil
}

// policies forbids the page to load anything, and to run any script but its own. A picture from
// elsewhere is shut into a sandboxed frame, which however obeys the same rules, so that with one
// inline scripts must be allowed.
func policies(picture bool) template.HTMLAttr {
	sum := sha256.Sum256([]byte(pageJS))
	script := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if picture {
		script = "'unsafe-inline'"
	}
	return template.HTMLAttr(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; ` +
		`script-src ` + script + `; base-uri 'none'; form-action 'none'"`)
}

func backendTitle(backend string) string {
	switch backend {
	case "sim":
		return "simulator"
	case "netns":
		return "real processes on namespace nodes"
	}
	return clean(backend)
}

func (v pageBuilder) facts() []fact {
	r := v.run
	c := v.counts()
	facts := []fact{{"seed", strconv.FormatUint(r.Seed, 10)}, {"backend", backendTitle(r.Backend)}}
	if r.Backend == "sim" {
		facts = append(facts, fact{"virtual time", seconds(r.Duration, 1) + " s"},
			fact{"steps", grouped(r.Steps)})
	} else {
		facts = append(facts, fact{"time", seconds(r.Duration, 1) + " s"})
	}
	facts = append(facts,
		fact{"machines", decimal(int64(v.machines()))},
		fact{"operations", grouped(c.total())},
		fact{"faults applied", grouped(len(r.Applied))},
		fact{"membership changes", grouped(v.membershipChanges())})
	if r.Digest != "" {
		facts = append(facts, fact{"digest", clean(r.Digest)})
	}
	return facts
}

func (v pageBuilder) pageChecks(p *page) {
	number := 0
	for i := range v.run.Verdicts {
		verdict := &v.run.Verdicts[i]
		c := pageCheck{Verdict: verdict.Validity.String(), Mark: markOf(verdict.Validity),
			Checker: clean(verdict.Checker), Summary: shortened(clean(verdict.Summary), maxTextChars)}
		for j := range verdict.Violations {
			number++
			if j >= maxPageViolations {
				c.MoreViolations++
				continue
			}
			c.Violations = append(c.Violations, v.pageViolation(number, &verdict.Violations[j]))
		}
		c.Evidence, c.MoreEvidence = v.pageOps(verdict.Evidence)
		for _, d := range head(verdict.Details, maxPageDetails) {
			c.Details = append(c.Details, shortened(clean(d), maxTextChars))
		}
		c.MoreDetails = max(0, len(verdict.Details)-maxPageDetails)
		p.Checks = append(p.Checks, c)
	}
}

func head[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func (v pageBuilder) pageViolation(number int, x *linearizability.Violation) pageViolation {
	out := pageViolation{Number: number, Kind: clean(string(x.Kind)), Title: clean(x.Kind.Title()),
		Explain: shortened(clean(x.Explain), maxTextChars)}
	out.Ops, out.MoreOps = v.pageOps(x.Ops)
	for i, rev := range head(x.Revisions, maxPageOps) {
		if i > 0 {
			out.Revisions += ", "
		}
		out.Revisions += strconv.FormatUint(rev, 10)
	}
	for i, node := range head(x.Nodes, maxPageOps) {
		if i > 0 {
			out.Nodes += ", "
		}
		out.Nodes += shortened(clean(node), maxValueChars)
	}
	return out
}

func (v pageBuilder) pageOps(ops []history.Operation) (out []pageOp, more int) {
	for i := range head(ops, maxPageOps) {
		op := &ops[i]
		length := "never answered"
		if d, ended := v.latencyOf(op); ended {
			length = took(d)
		}
		out = append(out, pageOp{ID: opID(op), Class: string(opClasses[op.Outcome]),
			At:   at(time.Duration(op.Call)),
			Took: length, Client: decimal(int64(clientOf(v.run, op.Process))), Node: shortened(clean(op.Node),
				maxValueChars),
			Call: CallWords(op), Outcome: OutcomeWords(op), Request: shortened(clean(op.ID), maxValueChars)})
	}
	return out, max(0, len(ops)-maxPageOps)
}

func (v pageBuilder) pageFaults(p *page) {
	for i := range head(v.run.Applied, maxPageFaults) {
		a := &v.run.Applied[i]
		p.Faults = append(p.Faults, pageFault{Words: FaultWords(&a.Fault), Kind: clean(string(a.Fault.Kind)),
			From: interval(a.Begun), To: interval(a.Ended), Problem: shortened(clean(a.Problem),
				maxTextChars)})
	}
	p.MoreFaults = max(0, len(v.run.Applied)-maxPageFaults)
}

// interval writes an instant that is known from ... to.
func interval(t [2]time.Duration) string {
	switch {
	case t[1] == 0 && t[0] == 0:
		return "–"
	case t[0] == t[1]:
		return at(t[0])
	}
	return at(t[0]) + " (+" + took(t[1]-t[0]) + ")"
}

func (v pageBuilder) pageFinals(p *page) {
	for i := range head(v.run.Finals, maxPageFinals) {
		f := &v.run.Finals[i]
		asked := clean(f.Op.F)
		if f.Op.Key != "" {
			asked += " " + shortened(clean(f.Op.Key), maxValueChars)
		}
		row := pageFinal{Machine: clean(machineName(v.run, f.Machine)), Asked: asked}
		switch {
		case f.Err != nil:
			row.Error = shortened(clean(f.Err.Error()), maxTextChars)
		case utf8.Valid(f.Output):
			row.Answer = shortened(clean(string(f.Output)), maxTextChars/4)
		default:
			row.Answer = fmt.Sprintf("%d bytes that are no text", len(f.Output))
		}
		p.Finals = append(p.Finals, row)
	}
	p.MoreFinals = max(0, len(v.run.Finals)-maxPageFinals)
}

func (v pageBuilder) pageStory(p *page) {
	p.Policy = shortened(clean(v.story.Policy), maxTextChars)
	for _, n := range head(v.story.Notes, maxPageNotes) {
		p.Notes = append(p.Notes, shortened(clean(n), maxTextChars))
	}
	p.MoreNotes = max(0, len(v.story.Notes)-maxPageNotes)
}

func (v pageBuilder) probes() (out []pageProbe) {
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
	for _, id := range head(sortedKeys(all), maxPageProbes) {
		out = append(out, pageProbe{Name: shortened(clean(id), maxValueChars), Count: grouped(all[id]),
			Expected: expected[id], Missed: all[id] == 0})
	}
	return out
}

func (v pageBuilder) pagePicture(p *page) {
	switch {
	case v.pictureProblem != "":
		p.PictureNote = "It could not be drawn: " + shortened(clean(v.pictureProblem), maxTextChars)
	case len(v.picture) > maxPictureBytes:
		p.PictureNote = "It is too large for this page: see " + PictureFile + " beside it."
	case len(v.picture) > 0:
		p.Picture = string(bytes.ToValidUTF8(v.picture, []byte("\uFFFD")))
	}
}
