package campaign

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// Unit sums up the runs of one scenario with one strategy.
type Unit struct {
	Scenario string `json:"scenario"`
	// Strategy is empty for the scenario as it is written.
	Strategy string `json:"strategy,omitempty"`
	Runs     int    `json:"runs"`
	Valid    int    `json:"valid"`
	Invalid  int    `json:"invalid"`
	Unknown  int    `json:"unknown"`
	// Failed is how many runs ended otherwise than expected, or could not be made at all.
	Failed int `json:"failed"`
	// Cost is the processor time of the runs, or their real time where that is not known. The same runs cost
	// something else each time, so it is not part of the JSON form.
	Cost time.Duration `json:"-"`

	// behaviours is how many kinds of behaviour its runs were the first to show.
	behaviours int
}

// add counts a run.
func (u *Unit) add(o *Outcome) {
	u.Runs++
	u.Cost += o.Cost()
	switch {
	case o.Problem != "":
		u.Unknown++
	case o.Verdict == linearizability.Valid:
		u.Valid++
	case o.Verdict == linearizability.Invalid:
		u.Invalid++
	default:
		u.Unknown++
	}
	if o.Failed() {
		u.Failed++
	}
}

// findOrAddUnit finds the part of a scenario with a strategy, in order of their names, and adds it if it is
// missing.
func (s *Summary) findOrAddUnit(scenario, strategy string) *Unit {
	at, found := slices.BinarySearchFunc(s.Units, strategy, func(u *Unit, strategy string) int {
		return cmp.Or(cmp.Compare(u.Scenario, scenario), cmp.Compare(u.Strategy, strategy))
	})
	if !found {
		s.Units = slices.Insert(s.Units, at, &Unit{Scenario: scenario, Strategy: strategy})
	}
	return s.Units[at]
}
