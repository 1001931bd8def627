// Package conformance replays scenario folders of HA manager test suites against the HA logic of
// this engine and judges the result by tiers: T0 the log is byte-equal, T1 every service, node and
// daemon went through the same states in the same order, T2 the outcome is the same and no service
// ever ran on two machines at once. It also replays rule files against their normalised form.
//
// Its virtual world (hardware, clock, locks, watchdogs, guests) exists only for this purpose; it judges
// the packages manager, lrm, rules and sched as they run elsewhere. The package never knows a scenario
// by name or content.
package conformance
