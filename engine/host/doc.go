// Package host runs processes that are written against engine/env on a real machine: with UDP sockets,
// files, timers on the monotonic clock, and a client API over HTTP. It is the second backend of the env
// interface beside the simulator.
//
// One [Host] is one machine. It hosts any number of processes in one program, each on a loop of its own,
// so that a slow disk blocks only the process that waits for it. It keeps the rules of package env and
// promises no order beyond them.
//
// For checkers it writes the records that processes emit, with the time. Its control socket has two hooks
// for faults: single processes can be killed and paused, and the machine's clock can be made to step and
// drift. The hooks are off unless a socket is configured.
//
// The machine's parts are packages of their own, below this one: hostapi is the HTTP API, hostwatchdog the
// watchdogs, programs the programs that processes start. Under internal are what a process reaches through
// the env interface (hostdisk), what ends with it (incarnation), the record file and the kernel's clock.
//
// Package host never knows a protocol, never decodes what processes send to each other, and imports
// nothing of this module but engine/env and its own parts.
package host
