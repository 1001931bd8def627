// Package history is the record of a run: who asked for what, when, and what came back.
//
// A history is a stream of [Event] values, written as JSONL with one event per line. The four event
// types are Jepsen's: invoke, ok, fail and info. Operations, the intervals that checkers reason
// about, are derived from the events by [Operations] and never stored on their own.
//
// Beside the history stands an optional witness: the log that the system under test kept of its own
// mutations, one [WitnessEntry] per revision and node. It shows which of the calls with an unknown
// outcome happened, and at which revision.
//
// The package never judges a history, never reads a clock, starts no goroutine and depends on the
// standard library only.
package history
