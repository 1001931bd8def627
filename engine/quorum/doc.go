// Package quorum decides whether the part of the cluster that a node sees may act for the whole cluster:
// votequorum(5) as a state machine.
//
// A [Votequorum] belongs to one node. Its inputs are new rings, the ordered messages of this package,
// expired timers, commands of the operator and polls of the quorum device. Each call returns an [Output]:
// messages to multicast, timers, a number to persist, log lines, and a decision to announce. The decision
// depends only on the configuration, the rings, the messages and the node's own history. Members of a ring
// that deliver the same messages in the same order decide alike, except for what votequorum leaves to each
// node (its own device's vote, its own history of larger rings).
//
// The rules are those of votequorum(5): expected votes and the quorum formula, two_node, wait_for_all,
// last_man_standing, auto_tie_breaker, allow_downscale, expected_votes_tracking, the quorum device
// (corosync-qdevice(8)) and the operator's "expected". DESIGN.md lists where they can make two sides
// quorate at once, and where this package deliberately differs from Corosync.
//
// Package quorum never reads a clock, sends anything or touches a disk. It never forms rings and never
// decides what a quorate node may do.
package quorum
