// Package sim runs scenarios in a deterministic simulator: virtual time, one seed = one run,
// byte for byte, on any machine and with any settings of the Go runtime.
//
// Package sim owns the run of a scenario: it makes the world, starts the clients, lets the nemesis begin
// and end faults, and has the result judged. What a machine or a process does is in package world: starts,
// ends, automatic restarts, power, network, and what each fault does to them.
//
// Runs in one operating system process are sequential under one lock, because SQLite draws from
// the process-wide crypto/rand.Reader, which sim owns. Package sim knows subjects only through
// package scenarios; it never imports the engine beyond engine/env.
package sim
