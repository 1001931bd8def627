package campaign

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// probe is what is known about one rare path.
type probe struct {
	id       string
	runs, of int      // how many runs of the scenarios that name it reached it
	reached  []string // scenarios with such a run, those with most first
	missed   []string // scenarios that expect one and have none
}

// allProbes lists the rare paths: first those that a scenario expects and no run of it reached, then the
// seldom ones.
func (b pageBuilder) allProbes() []*probe {
	byID := map[string]*probe{}
	get := func(id string) *probe {
		if byID[id] == nil {
			byID[id] = &probe{id: id}
		}
		return byID[id]
	}
	for _, c := range b.Scenarios {
		for id, n := range c.Probes {
			p := get(id)
			p.runs, p.of, p.reached = p.runs+n, p.of+c.Runs, append(p.reached, c.Name)
		}
		for _, id := range c.Missing {
			p := get(id)
			p.of, p.missed = p.of+c.Runs, append(p.missed, fmt.Sprintf("%s (%s)",
				text(c.Name, words.MaxValueChars), countedRuns(c.Runs)))
		}
	}
	for _, p := range byID {
		count := func(name string) int { return b.findOrAddScenario(name).Probes[p.id] }
		slices.SortFunc(p.reached, func(x, y string) int {
			return cmp.Or(cmp.Compare(count(y), count(x)), cmp.Compare(x, y))
		})
	}
	return slices.SortedFunc(maps.Values(byID), func(x, y *probe) int {
		return cmp.Or(min(len(y.missed), 1)-min(len(x.missed), 1), cmp.Compare(x.runs, y.runs),
			cmp.Compare(x.id, y.id))
	})
}

func (b pageBuilder) addProbes(p *page) {
	all := b.allProbes()
	p.MoreProbes = max(0, len(all)-maxPageProbes)
	for _, of := range all[:min(len(all), maxPageProbes)] {
		row := pageProbe{Name: text(of.id, words.MaxValueChars), Runs: words.GroupDigits(of.runs),
			Of: countedRuns(of.of), Reached: listed(of.reached)}
		if len(of.missed) > 0 {
			row.Missed = strings.Join(of.missed[:min(len(of.missed), maxNamed)], ", ")
			if more := len(of.missed) - maxNamed; more > 0 {
				row.Missed += fmt.Sprintf(" and %d more", more)
			}
		}
		p.Probes = append(p.Probes, row)
	}
}
