package scenarios

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// TriggerJudge is implemented by a [Judge] that knows which records and probes its subject has. Faults can
// wait for them: see [fault.Fault.Trigger].
type TriggerJudge interface {
	// Triggers lists the kinds of records and the probes.
	Triggers() (records, probes []string)
}

// TriggersOf lists the kinds of records and the probes that faults of a subject can wait for, sorted. Both
// are nil for a subject that does not state them.
func TriggersOf(subject Subject) (records, probes []string) {
	j, is := subject.Judge().(TriggerJudge)
	if !is {
		return nil, nil
	}
	sorted := func(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
	records, probes = j.Triggers()
	return sorted(records), sorted(probes)
}

// checkTriggers refuses faults that wait for something which the subject does not have. A subject that does
// not state its triggers may have any.
func checkTriggers(s *Scenario, subject Subject) error {
	records, probes := TriggersOf(subject)
	triggers := slices.Concat(records, probes)
	if len(triggers) == 0 {
		return nil
	}
	var problems strictyaml.Problems
	for i := range s.Faults {
		if trigger := s.Faults[i].Trigger; trigger != "" && !slices.Contains(triggers, trigger) {
			problems.Add(strictyaml.Problem{}, s.Errorf(fmt.Sprintf("faults[%d].trigger", i),
				"the subject %s has no record or probe %q; %s", subject.Kind(), trigger,
				strictyaml.SpellingAdvice(trigger, triggers)))
		}
	}
	return problems.Err()
}
