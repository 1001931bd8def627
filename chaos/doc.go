// Package chaos runs scenarios on real nodes: every machine is a network namespace with a program
// in it, and a switch in user space between them makes the network as bad as the scenario demands,
// by the same arithmetic as in the simulator.
//
// It needs Linux and root. It reports what it cannot do before it starts anything: an unsupported
// fault makes the verdict unknown, and no fault is skipped. Everything that a run creates is removed
// at its end, or by the next run when this one was killed.
//
// Package chaos never judges, never inspects the subject's traffic, and never removes what it has not
// created.
package chaos
