// Package timeline derives what a report shows of a run of the engine: for each machine and service, what
// was so from when to when.
//
// Package timeline never judges: a lane may show what a check calls a violation, and the other way round.
package timeline
