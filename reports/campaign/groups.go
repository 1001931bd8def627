package campaign

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
)

// GroupKey names failures that are probably one: the same check found the same kind of violation.
type GroupKey struct {
	// Checker is the first check with the worst verdict; "" for a run that could not be made.
	Checker string                   `json:"checker,omitempty"`
	Verdict linearizability.Validity `json:"verdict"`
	// What is the kind of the violation, or the summary without numbers and names.
	What string `json:"what"`
}

// Group is what is known about failures with one key.
type Group struct {
	GroupKey
	Runs  int     `json:"runs"`
	First Failure `json:"first"`
	// Sources are the scenarios and strategies of its runs, each with how many there were.
	Sources []Source `json:"sources"`
	// Small is the smallest failure that one of its runs was made to.
	Small *Small `json:"small,omitempty"`
}

// Source is a scenario with a strategy.
type Source struct {
	Scenario string `json:"scenario"`
	Strategy string `json:"strategy,omitempty"`
	// Failed is how many of Runs runs belong to the group.
	Failed int `json:"failed"`
	Runs   int `json:"runs"`
}

// varying are the parts of a summary that differ between two runs with the same failure.
var varying = regexp.MustCompile(`"[^"]*"|[a-z]+:[0-9]+|\b[a-z]?[0-9][0-9a-f.]*( [0-9]+)*\b`)

// Group returns the key of a failed run.
func (o *Outcome) Group() GroupKey {
	if o.Problem != "" {
		return GroupKey{Verdict: linearizability.Unknown,
			What: varying.ReplaceAllString(firstLine(o.Problem), "…")}
	}
	for _, want := range []linearizability.Validity{linearizability.Invalid, linearizability.Unknown} {
		for _, c := range o.Checks {
			if c.Verdict != want {
				continue
			}
			what := string(c.Kind)
			if what == "" {
				what = varying.ReplaceAllString(firstLine(c.Summary), "…")
			}
			return GroupKey{c.Checker, want, what}
		}
	}
	return GroupKey{Verdict: o.Verdict, What: "otherwise than expected"}
}

func firstLine(text string) string {
	for i, r := range text {
		if r == '\n' {
			return text[:i]
		}
	}
	return text
}

// Group returns the group with a key; without runs when there is none.
func (s *Summary) Group(key GroupKey) Group {
	for _, g := range s.Groups {
		if g.GroupKey == key {
			return *g
		}
	}
	return Group{GroupKey: key}
}

// addToGroup counts a failed run.
func (s *Summary) addToGroup(o *Outcome) {
	index, found := slices.BinarySearchFunc(s.Groups, o.Group(), func(g *Group, key GroupKey) int {
		return compareKeys(g.GroupKey, key)
	})
	if !found {
		s.Groups = slices.Insert(s.Groups, index, &Group{GroupKey: o.Group(), First: failureOf(o)})
	}
	g := s.Groups[index]
	g.Runs++
	if f := failureOf(o); compareFailures(f, g.First) < 0 {
		g.First = f
	}
	at := slices.IndexFunc(g.Sources, func(of Source) bool {
		return of.Scenario == o.Scenario && of.Strategy == o.Strategy
	})
	if at < 0 {
		g.Sources = append(g.Sources, Source{Scenario: o.Scenario, Strategy: o.Strategy})
		at = len(g.Sources) - 1
	}
	g.Sources[at].Failed++
	slices.SortFunc(g.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.Failed, a.Failed), cmp.Compare(a.Scenario, b.Scenario),
			cmp.Compare(a.Strategy, b.Strategy))
	})
}

// compareKeys orders groups: violations first.
func compareKeys(a, b GroupKey) int {
	rank := func(k GroupKey) int {
		if k.Verdict == linearizability.Invalid {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Verdict.String(), b.Verdict.String()),
		cmp.Compare(a.Checker, b.Checker), cmp.Compare(a.What, b.What))
}

// compareFailures orders the failures of a group.
func compareFailures(a, b Failure) int {
	return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Strategy, b.Strategy),
		cmp.Compare(a.Seed, b.Seed))
}

// completeGroups notes for each group how many runs its sources had, and what it was made to.
func (s *Summary) completeGroups() {
	for _, g := range s.Groups {
		for i := range g.Sources {
			of := &g.Sources[i]
			of.Runs = s.findOrAddUnit(of.Scenario, of.Strategy).Runs
		}
		g.Small = s.smallOf[g.GroupKey]
	}
}

// CleanRuns returns how many runs of its most failing source without a failure show with a confidence of 95
// % that the group's cause is gone: the least n with (1-p)^n at most 0.05. It is 1 if every run failed.
func (g *Group) CleanRuns() int {
	best := 0.0
	for _, of := range g.Sources {
		best = max(best, float64(of.Failed)/float64(max(of.Runs, of.Failed, 1)))
	}
	if best >= 0.95 {
		return 1
	}
	return int(math.Ceil(math.Log(0.05) / math.Log1p(-best)))
}

// isIn reports whether some group has the same key.
func (g *Group) isIn(groups []*Group) bool {
	return slices.ContainsFunc(groups, func(o *Group) bool { return o.GroupKey == g.GroupKey })
}

// Compare divides groups into those that only s has, that both have, and that only an earlier campaign has.
func (s *Summary) Compare(earlier *Summary) (added, ongoing, resolved []*Group) {
	for _, g := range s.Groups {
		if g.isIn(earlier.Groups) {
			ongoing = append(ongoing, g)
		} else {
			added = append(added, g)
		}
	}
	for _, g := range earlier.Groups {
		if !g.isIn(s.Groups) {
			resolved = append(resolved, g)
		}
	}
	return added, ongoing, resolved
}

// writeGroups writes what is known about each group of failures.
func (s *Summary) writeGroups(out *strings.Builder, earlier *Summary) {
	for i, g := range s.Groups {
		if i == maxTextGroups {
			fmt.Fprintf(out, "\nand %d more groups of failures (--json has all)\n", len(s.Groups)-i)
			break
		}
		fmt.Fprintf(out, "\n%s  %s, in %s\n", g.Verdict, reports.Clean(g.name()),
			reports.Clean(g.Sources[0].text()))
		switch {
		case earlier == nil:
		case g.isIn(earlier.Groups):
			out.WriteString("  the earlier campaign had it as well\n")
		default:
			out.WriteString("  new: the earlier campaign did not have it\n")
		}
		if more := len(g.Sources) - 1; more > 0 {
			fmt.Fprintf(out, "  and in %d other scenarios or strategies, %d runs in all\n", more, g.Runs)
		}
		fmt.Fprintf(out, "  seed %d: %s\n", g.First.Seed, reports.Clean(firstLine(g.First.Why)))
		if g.First.Reproduce != "" {
			fmt.Fprintf(out, "    %s\n", reports.Clean(g.First.Reproduce))
		}
		fmt.Fprintf(out, "  after a fix, %d runs without it show (95 %%) that it is gone\n", g.CleanRuns())
	}
}

// writeResolved writes the failures that only the earlier campaign had.
func (s *Summary) writeResolved(out *strings.Builder, earlier *Summary) {
	if earlier == nil {
		return
	}
	_, _, resolved := s.Compare(earlier)
	for i, g := range resolved {
		if i == maxTextGroups {
			break
		}
		fmt.Fprintf(out, "\nno longer seen: %s\n  %d runs without it would show (95 %%) that it is gone\n",
			reports.Clean(g.name()), g.CleanRuns())
	}
}

// name is the check and what it found.
func (g *Group) name() string {
	if g.Checker == "" {
		return g.What
	}
	return g.Checker + ": " + g.What
}

// text names a source and how often it failed.
func (o Source) text() string {
	text := fmt.Sprintf("%d of %d runs of %s", o.Failed, o.Runs, o.Scenario)
	if o.Strategy != "" {
		text += " with strategy " + o.Strategy
	}
	return text
}

// maxTextGroups is how many groups the text has.
const maxTextGroups = 20
