// Package fault describes what can fail: faults as data, what each one means for a link, and the
// arithmetic by which a link in that condition treats a packet.
//
// The simulator and the real nodes use the same arithmetic, so a scenario means the same in both
// backends. Package fault never injects anything and never touches a clock, a network or a disk.
package fault
