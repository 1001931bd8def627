package scenarios

import "github.com/holdfast-sim/holdfast/scenarios/workload"

// Staffed is a subject with others at work on it beside the workload's clients: whoever gives it
// orders in the course of a run. They begin at the end of the warm-up and end with the faults, as
// clients do; what they do is in the history, and every draw of theirs is one of their world's
// choices.
type Staffed interface {
	// Actors are they, in a fixed order. Durations of theirs are multiplied by the timescale.
	Actors(scale Timescale) []Actor
}

// Actor works on a subject.
type Actor struct {
	// Name is unique among actors and is no client's.
	Name string
	// Run works until everything is done or a call says that the run stops. An error is a finding.
	Run func(w workload.World) error
}

// Actors are a subject's actors; none when it has none.
func Actors(s Subject, scale Timescale) []Actor {
	if staffed, ok := s.(Staffed); ok {
		return staffed.Actors(scale)
	}
	return nil
}
