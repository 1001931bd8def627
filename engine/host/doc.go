// Package host runs processes that are written against engine/env on a real machine: UDP sockets,
// files, timers on the monotonic clock, and a client API over HTTP.
//
// One [Host] is one machine. It hosts any number of processes in one program, each on a loop of
// its own, so that a slow disk blocks the process that waits for it and no other. It keeps the
// rules of package env and promises no order beyond them.
//
// For those who judge a run it stamps and writes the records that processes emit, and it offers
// two hooks through its control socket: single processes can be killed and paused, and the
// machine's clock can be made to step and drift. The hooks are off unless a socket is configured.
//
// Package host knows nothing of any protocol, never decodes what processes say to each other, and
// imports nothing from this module but engine/env.
package host
