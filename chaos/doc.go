// Package chaos runs scenarios on real nodes: every machine is a network namespace with a program
// in it, and a switch in user space between them makes the network as bad as the scenario says,
// by the same arithmetic as in the simulator.
//
// It needs Linux and root. What it cannot do it reports before anything is started: a fault that is
// not supported makes the run unknown, none is skipped. Everything that a run creates is removed
// at its end, or by the next run when this one was killed.
//
// Package chaos never judges, never looks into the subject's traffic, and never touches what it
// has not made.
package chaos
