// Package totem is the Totem single-ring ordering and membership protocol: a token travels around the
// members, its holder may multicast, and every member delivers the same messages in the same order,
// together with the changes of the membership (extended virtual synchrony).
//
// The protocol is that of Amir, Moser, Melliar-Smith, Agarwal and Ciarfella, "The Totem Single-Ring
// Ordering and Membership Protocol" (ACM TOCS 13(4), 1995), called "the paper" in this package, with the
// states, timers and log lines of Corosync. DESIGN.md lists what is promised, what is not, and each
// difference from both, with the reason.
//
// A [Node] is a part of a process: the process passes datagrams and timers to it, and the node calls back
// with deliveries and configurations.
//
// Package totem never decides about quorum, never interprets messages, and never touches anything but
// [env.Env].
package totem
