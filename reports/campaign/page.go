package campaign

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/internal/pagestyle"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

//go:embed page.html
var pageHTML string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("campaign").Parse(pageHTML))

// Limits of the page. What is left out is counted and mentioned.
const (
	maxPageGroups  = 100
	maxPageSources = 20 // of a group
	maxPageUnits   = 400
	maxPageProbes  = 400
	maxPageNotes   = 50
	maxWhyChars    = 600
	maxTextChars   = 2000
	maxNamed       = 4 // scenarios in one cell or title
)

// PageOptions are what the page of a campaign shows beside its summary.
type PageOptions struct {
	// Earlier is the summary of an earlier campaign to compare the failures with; nil for none.
	Earlier *Summary
	// Dir is the folder that the page is written to: links to the folders of runs are relative to it.
	Dir string
	// Running means that the campaign goes on.
	Running bool
	// RepeatedWith are the settings of the Go runtime with which some of the runs were made again.
	RepeatedWith []string
}

// page is what the template shows: texts that are ready to be escaped, nothing to be computed.
type page struct {
	Title, Name, Verdict, Mark, Count string
	Running                           bool
	Facts                             []pageFact
	Reproduce                         string
	Groups                            []pageGroup
	MoreGroups                        int
	Compared                          bool
	Resolved                          []pageResolved
	MoreResolved                      int
	Units                             []pageUnit
	MoreUnits                         int
	Probes                            []pageProbe
	MoreProbes                        int
	Chart                             template.HTML
	Steps                             []pageStep
	Assured                           []string
	Without                           []string
	MoreWithout                       int

	Policies template.HTMLAttr
	CSS      template.CSS
	JS       template.JS
}

type pageFact struct{ Name, Value string }

type pageGroup struct {
	Class, Mark, Verdict, Name, Status string
	Seed, Of, Why, Reproduce           string
	Seen, CleanRuns                    string
	Link                               string
	Small, SmallFile, SmallCommand     string
	Sources                            []string
	MoreSources                        int
}

type pageResolved struct{ Name, CleanRuns string }

type pageUnit struct {
	Scenario, Strategy                    string
	Runs, Valid, Invalid, Unknown, Failed string
	Cost, Rate, Behaviours                string
	IsBad                                 bool
}

type pageProbe struct {
	Name, Runs, Of, Reached, Missed string
}

type pageStep struct{ From, To, Runs, Failed, Behaviours string }

// Page writes the campaign as one HTML page that needs nothing else. Its size is limited, however many runs
// there are. The same runs in the same order give the same page.
func (s *Summary) Page(w io.Writer, o PageOptions) error {
	s.completeGroups()
	b := pageBuilder{s, o}
	p := &page{Name: b.name(), Running: o.Running, Facts: b.facts(), Compared: o.Earlier != nil,
		Units: b.units(), MoreUnits: max(0, len(s.Units)-maxPageUnits), Assured: b.assured(),
		CSS: pagestyle.CSS, JS: template.JS(pageJS), Policies: pagestyle.Policies(pageJS, false)}
	verdict := s.verdict()
	p.Verdict, p.Mark = verdict.String(), pagestyle.Mark(verdict)
	p.Count = fmt.Sprintf("%s of %s failed", words.GroupDigits(s.Failed), countedRuns(s.Runs))
	p.Title = fmt.Sprintf("%s: campaign %s", verdict, p.Name)
	b.addGroups(p)
	b.addProbes(p)
	b.addWithout(p)
	if err := b.addCourse(p); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return fmt.Errorf("writing the page of the campaign: %w", err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// verdict is that of the campaign: the worst of its groups, and unknown if a probe is missing.
func (s *Summary) verdict() linearizability.Validity {
	for _, g := range s.Groups {
		if g.Verdict != linearizability.Unknown {
			return linearizability.Invalid
		}
	}
	if s.OK() {
		return linearizability.Valid
	}
	return linearizability.Unknown
}

// pageBuilder makes the page of a campaign, one method for each section.
type pageBuilder struct {
	*Summary
	options PageOptions
}

// text makes a text from elsewhere ready for the page.
func text(s string, limit int) string { return words.Shorten(words.Clean(s), limit) }

func countedRuns(n int) string {
	if n == 1 {
		return "1 run"
	}
	return words.GroupDigits(n) + " runs"
}

// name names the scenarios.
func (b pageBuilder) name() string {
	var names []string
	for _, c := range b.Scenarios {
		if c.Runs > 0 {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return "without a run"
	}
	return "of " + listed(names)
}

// listed joins names, and counts those beyond a few.
func listed(names []string) string {
	var shown []string
	for _, n := range names[:min(len(names), maxNamed)] {
		shown = append(shown, text(n, words.MaxValueChars))
	}
	list := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

func (b pageBuilder) facts() []pageFact {
	var cost time.Duration
	for _, u := range b.Units {
		cost += u.Cost
	}
	return []pageFact{{"runs", words.GroupDigits(b.Runs)}, {"failed", words.GroupDigits(b.Failed)},
		{"groups of failures", words.GroupDigits(len(b.Groups))},
		{"scenarios and strategies", words.GroupDigits(len(b.Units))},
		{"processor time", words.Duration(cost)}, {"runs per second of it", perSecond(b.Runs, cost)},
		{"kinds of behaviour", words.GroupDigits(b.Behaviours)},
		{"made again, equal", words.GroupDigits(b.Repeated)}}
}

// perSecond is how many runs there were in a second, with three digits that count.
func perSecond(runs int, cost time.Duration) string {
	if cost <= 0 {
		return "–"
	}
	milli := int64(float64(runs) * float64(time.Second) * 1000 / float64(cost))
	switch {
	case milli >= 100_000:
		return words.GroupDigits(milli / 1000)
	case milli >= 10_000:
		return fmt.Sprintf("%d.%d", milli/1000, milli%1000/100)
	case milli >= 1000:
		return fmt.Sprintf("%d.%02d", milli/1000, milli%1000/10)
	}
	return fmt.Sprintf("0.%03d", milli)
}

func (b pageBuilder) addGroups(p *page) {
	for i, g := range b.Groups {
		if i == maxPageGroups {
			p.MoreGroups = len(b.Groups) - i
			break
		}
		p.Groups = append(p.Groups, b.group(g))
	}
	if len(p.Groups) > 0 {
		p.Reproduce = p.Groups[0].Reproduce
	}
	if b.options.Earlier == nil {
		return
	}
	b.options.Earlier.completeGroups()
	_, _, resolved := b.Compare(b.options.Earlier)
	p.MoreResolved = max(0, len(resolved)-maxPageGroups)
	for _, g := range resolved[:min(len(resolved), maxPageGroups)] {
		p.Resolved = append(p.Resolved, pageResolved{text(g.name(), maxWhyChars),
			words.GroupDigits(g.CleanRuns())})
	}
}

func (b pageBuilder) group(g *Group) pageGroup {
	out := pageGroup{Class: g.Verdict.String(), Mark: pagestyle.Mark(g.Verdict), Verdict: g.Verdict.String(),
		Name: text(g.name(), maxWhyChars), Seed: fmt.Sprint(g.First.Seed),
		Of: named(g.First.Scenario, g.First.Strategy), Why: text(firstLine(g.First.Why), maxWhyChars),
		Reproduce: text(g.First.Reproduce, maxTextChars), CleanRuns: words.GroupDigits(g.CleanRuns()),
		Seen: g.Sources[0].failedOfRuns(), Link: b.link(g.First.Folder, reports.PageFile),
		MoreSources: max(0, len(g.Sources)-1-maxPageSources)}
	if g.Verdict == linearizability.Valid {
		out.Class, out.Mark = linearizability.Invalid.String(), pagestyle.Mark(linearizability.Invalid)
	}
	for _, of := range g.Sources[1:min(len(g.Sources), 1+maxPageSources)] {
		out.Sources = append(out.Sources, of.failedOfRuns())
	}
	if g.Small != nil {
		out.Small, out.SmallFile = g.Small.String(), b.link(filepath.Split(g.Small.File))
		out.SmallCommand = text(g.Small.Reproduce, maxTextChars)
	}
	if b.options.Earlier != nil {
		out.Status = "new"
		if g.isIn(b.options.Earlier.Groups) {
			out.Status = "ongoing"
		}
	}
	return out
}

// named names a scenario with its strategy.
func named(scenario, strategy string) string {
	name := text(scenario, words.MaxValueChars)
	if strategy != "" {
		name += ", strategy " + text(strategy, words.MaxValueChars)
	}
	return name
}

func (o Source) failedOfRuns() string {
	return fmt.Sprintf("%s of %s of %s", words.GroupDigits(o.Failed), countedRuns(o.Runs),
		named(o.Scenario, o.Strategy))
}

// link is the address of a file in a folder as seen from the page, "" if there is none.
func (b pageBuilder) link(folder, file string) string {
	if folder == "" {
		return ""
	}
	from, err1 := filepath.Abs(b.options.Dir)
	to, err2 := filepath.Abs(filepath.Join(folder, file))
	if err1 != nil || err2 != nil {
		return ""
	}
	path, err := filepath.Rel(from, to)
	if err != nil {
		return ""
	}
	parts := strings.Split(filepath.ToSlash(path), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "./" + strings.Join(parts, "/")
}

// units are the scenarios with each strategy. If there are too many, those with failures are kept first.
func (b pageBuilder) units() (out []pageUnit) {
	chosen := slices.Clone(b.Units)
	if len(chosen) > maxPageUnits {
		slices.SortStableFunc(chosen, func(x, y *Unit) int { return min(y.Failed, 1) - min(x.Failed, 1) })
		chosen = chosen[:maxPageUnits]
		slices.SortStableFunc(chosen, func(x, y *Unit) int {
			return cmp.Or(cmp.Compare(x.Scenario, y.Scenario), cmp.Compare(x.Strategy, y.Strategy))
		})
	}
	for _, u := range chosen {
		strategy := u.Strategy
		if strategy == "" {
			strategy = "as written"
		}
		out = append(out, pageUnit{Scenario: text(u.Scenario, words.MaxValueChars),
			Strategy: text(strategy, words.MaxValueChars), Runs: words.GroupDigits(u.Runs),
			Valid: words.GroupDigits(u.Valid), Invalid: words.GroupDigits(u.Invalid),
			Unknown: words.GroupDigits(u.Unknown), Failed: words.GroupDigits(u.Failed),
			Cost: words.Duration(u.Cost), Rate: perSecond(u.Runs, u.Cost),
			Behaviours: words.GroupDigits(u.behaviours), IsBad: u.Failed > 0})
	}
	return out
}
