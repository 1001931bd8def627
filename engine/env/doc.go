// Package env is the door between protocol code and the world.
//
// A process written against [Env] runs unchanged in the deterministic simulator and, through
// engine/host, on a real machine. It is a single-threaded event loop: the world calls Step with
// one [Event] at a time, Step runs to completion, and everything the process wants from the world
// it asks of its Env.
//
// The world is made of machines. A machine has a disk, a monotonic and a wall clock, links to
// other machines and a power switch, and it runs several processes. Each process has its own loop,
// so a stalled disk blocks the process that touches it and no other.
//
// Rules that hold in both worlds:
//
//   - A process that crashes gets no further Step. There is no shutdown hook to rely on.
//   - Every Step takes time. Two readings of a clock in one Step may differ, because a disk call
//     in between may have taken long or the process may have been paused there.
//   - Datagrams may be lost, duplicated, reordered and late. Receive buffers are bounded; what
//     does not fit is dropped.
//   - Local messages between processes of one machine are reliable and in order for each pair of
//     processes, for as long as neither end restarts. Queues are bounded; a full one refuses.
//   - After a pause everything that is due (timers, datagrams, local messages, operations) is
//     runnable and arrives in any order, except that datagrams of one socket, the messages of one
//     local sender and the operations keep their own order.
//   - A timer that is re-armed or stopped before its event was delivered is not delivered for the
//     old time.
//   - Bytes handed to a process in an event belong to the world again once Step has returned:
//     copy what must be kept. Bytes handed to the world are copied before the call returns.
//
// Package env imports nothing but the standard library and never touches the real world itself.
package env
