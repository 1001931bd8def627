// Package quorum decides whether the part of the cluster that a node sees may act for the whole
// cluster: votequorum as a state machine.
//
// A [Machine] belongs to one node. It is told each new ring, gets the ordered messages of its own
// kind, and is told about timers, operator commands and the quorum device; it answers with an
// [Output]: messages to multicast, timers, a number to persist, log lines, and whether the verdict
// is to be announced. The verdict depends on nothing but the configuration, the rings, the
// messages and the machine's own history; members of a ring that deliver the same messages in the
// same order judge alike, except for what votequorum leaves to each node (its own device's vote,
// its own history of larger rings).
//
// The rules are those of votequorum(5): expected votes and the quorum formula, two_node,
// wait_for_all, last_man_standing, auto_tie_breaker, allow_downscale, expected_votes_tracking, the
// quorum device and the operator's "expected". DESIGN.md says where they can make two sides
// quorate at once, and where this package deliberately differs from Corosync.
//
// Package quorum never reads a clock, sends anything or touches a disk; it never forms rings and
// never decides what a quorate node may do.
package quorum
