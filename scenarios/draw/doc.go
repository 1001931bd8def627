// Package draw is where every choice of a run comes from: lists of numbers that derive from the
// seed.
//
// A list belongs to a stream (who draws, for example "link/n1>n2") and a label (what for, for
// example "loss"). The i-th number of a list derives from (seed, stream, label, i) alone, so a draw
// that is added to or left out of one list changes no other list. Both backends draw from these
// lists, so one seed gives the simulator and real nodes the same workload and the same faults.
//
// Package draw never reads a clock or a random source, and never remembers what was drawn: package
// sim/choice records and replaces draws.
package draw
