// Package anygen draws a whole scenario for a cluster that leaves everything to the seed: how many machines
// there are, with how many votes and which timers; what clients do; which kinds of faults there are, and how
// many; and, if there is an HA manager, its services, rules, settings, fence devices and commands. Every run
// draws from all that a scenario file can say, so that no story needs to be written for a combination.
//
// It draws nothing but through the choices that it is given, so a seed always gives the same scenario, and
// zeros give the tamest. It never exceeds what the scenario itself gives as the most, and it never draws
// single faults, except for switching on what its operator has shut down; the nemesis does.
package anygen
