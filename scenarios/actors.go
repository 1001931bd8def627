package scenarios

import (
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// ActorProvider is implemented by a [Subject] with background clients beside the workload, for example
// an operator that sends commands, or users of a second interface.
//
// Actors start at the end of the warm-up and stop with the faults, as clients do. The events that they
// append are part of the history, and all their draws derive from the run's seed.
type ActorProvider interface {
	// Actors returns the actors in a fixed order. Their durations must be multiplied by scale, with
	// timescale.Ratio.Of.
	Actors(scale timescale.Ratio) []Actor
}

// Actor is a background client of a run.
type Actor struct {
	// Name is unique among the actors and differs from all clients' names (c0, c1 and so on).
	Name string
	// Run works until everything is done or a call of e returns [workload.ErrStopped]. An error is a
	// violation: it makes the run invalid.
	Run func(e workload.ClientEnv) error
}

// Actors returns a subject's actors; none when it is no [ActorProvider].
func Actors(s Subject, scale timescale.Ratio) []Actor {
	if provider, ok := s.(ActorProvider); ok {
		return provider.Actors(scale)
	}
	return nil
}
