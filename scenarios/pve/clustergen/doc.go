// Package clustergen draws a random cluster for a scenario that leaves it to the seed: how many
// machines there are, which services with which rules run on them, and what the operator does.
//
// It draws nothing but through the choices that it is given, so a seed always gives the same cluster.
// It never draws faults; the nemesis does.
package clustergen
