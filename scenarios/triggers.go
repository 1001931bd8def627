package scenarios

import (
	"slices"
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
