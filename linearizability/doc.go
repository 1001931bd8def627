// Package linearizability judges histories: could the answers that concurrent clients got have come
// from one copy of the system that executed every operation at one instant between its call and its return?
//
// A [Verdict] is valid, invalid or unknown. It never says valid when time or memory ran out, and it
// never changes the history that it judges.
package linearizability
