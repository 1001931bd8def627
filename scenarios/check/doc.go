// Package check holds what the judges of different subjects share: the form of a check and the watch that
// runs several of them, and evidence that every system has: when machines had power, what faults kept from
// running, which machines could reach each other, and when services ran where.
//
// A subject's judge makes a [Watch] of checks. Each check is one value that judges one property, so a test
// can give it a history of a few records and nothing else:
//
//	watch := check.NewWatch(check.OfRun,
//		check.Recovery(), check.NewExclusion("single-leader", s.Machines, leaders))
//
// Package check never imports an engine, and never excuses anything because of what a process reports of
// itself: excuses come from the faults that were injected.
package check
