// Package scenarios describes a run: the machines, the network, the workload, what goes wrong
// and when, and what the outcome must be. The same description runs in the simulator and on real
// nodes.
//
// It also defines what a system must offer to be a [Subject]. Package scenarios never runs
// anything and never judges by itself.
package scenarios
