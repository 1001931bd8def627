// Package fault defines faults as data, the condition that each fault gives a link, and the
// arithmetic by which a link in that condition drops, delays and duplicates packets.
//
// The simulator and the real nodes use the same arithmetic, so a scenario means the same on both
// backends. Package fault never injects anything and never touches a clock, a network or a disk.
package fault
