// Package check holds what the judges of different subjects share: the interface of a check, the watch that
// runs several checks, and the evidence that exists for every system: when machines had power, which
// processes faults stopped, which machines could reach each other, and when services ran where.
//
// A subject's judge makes a [Watch] of checks. Each check is one value that judges one property, so a test
// needs only a history of a few records:
//
//	watch := check.NewWatch(check.OfRun,
//		check.Recovery(), check.NewExclusion("single-leader", s.Machines, leaders))
//
// Package check never imports an engine, and never excuses a violation by the records of the process
// itself: only injected faults are excuses.
package check
