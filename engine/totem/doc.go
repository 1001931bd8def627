// Package totem is the single-ring ordering and membership protocol: a token travels around the
// members, who hold it may multicast, and every member delivers the same messages in the same
// order together with the changes of the membership (extended virtual synchrony).
//
// The protocol is that of Amir, Moser, Melliar-Smith, Agarwal and Ciarfella (ACM TOCS 13(4), 1995)
// with the states, timers and operator messages of Corosync; DESIGN.md says what is promised,
// what is not, and where it differs from both and why.
//
// A [Node] lives inside a process: it is handed that process's datagrams and timers and calls back
// with deliveries and configurations. Package totem never decides about quorum, never knows what
// the messages mean, and touches the world through [env.Env] alone.
package totem
