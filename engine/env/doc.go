// Package env is the interface between protocol code and everything outside of it: clocks, timers, the
// network, the disk, other processes, randomness, the log. In the texts of this module it is "the env
// interface".
//
// A process written against [Env] runs unchanged in the deterministic simulator (sim/world) and, through
// engine/host, on a real machine. It is a single-threaded event loop: the backend calls Step with one
// [Event] at a time, Step runs to completion, and the process calls its Env for everything it needs.
//
// The backend consists of machines. A machine has a disk, a monotonic clock and a wall clock, links to
// other machines and a power switch, and it runs several processes. Each process has its own loop, so that
// a stalled disk blocks only the process that calls it.
//
// # Rules
//
// These rules hold in both backends. A process may rely on them and on nothing else.
//
//  1. Crash. A process that crashes gets no further Step. No code of the process runs at its end, so it
//     must not depend on any. (A machine that loses its power calls nothing; see [EndNotifier] for
//     resources of the Go runtime.)
//  2. One caller. All calls of Start and Step come from one goroutine at a time. Env methods may be called
//     only during Start and Step, on that goroutine.
//  3. Time passes. Every Step takes time, and two readings of a clock in one Step may differ: a disk call
//     in between may have taken long, or the process may have been paused in it.
//  4. Datagrams may be lost, duplicated, reordered and late. Receive buffers are bounded; datagrams that
//     do not fit are dropped.
//  5. Local messages between processes of one machine are reliable and in order for each pair of
//     processes, as long as neither of them restarts. Queues are bounded; a full queue refuses with
//     [ErrLocalFull].
//  6. After a pause, all due timers, queued datagrams, local messages and operations are delivered in any
//     order, except that datagrams of one socket, messages of one local sender, and operations keep their
//     own order.
//  7. A timer that is set again or stopped before its event was delivered is not delivered for the old
//     time.
//  8. Bytes. Bytes in an event may be overwritten once Step has returned: copy what must be kept. Bytes
//     passed to an Env method are copied before the method returns.
//  9. Disk. Only synced bytes and names survive a power cut; see [Disk].
//
// Each rule has a test against the simulator (sim/world) and, as far as a real machine can be made to show
// it, against engine/host.
//
// # What a backend may offer beyond Env
//
// An Env may implement these interfaces; a type assertion finds out. Protocols must not use them:
//
//   - [CommandHost]: commands that do one thing and end, such as the agents of fence devices.
//   - [ProgramHost]: programs that run until they are ended, such as services.
//   - [MachineHost]: control of the machine by its service manager, such as a reboot.
//   - [WatchdogHost]: the hardware watchdog of the machine.
//   - [TaskHost]: support for [Tasks], sequential code that waits for events.
//
// Package env imports only the standard library, and never does any input or output itself.
package env
