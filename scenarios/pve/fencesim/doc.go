// Package fencesim is the simulated fence devices around a cluster: power switches with a remote
// control that the fence agents of the nodes call, and what a scenario wants to be wrong with them.
//
// The devices have the habits of the real ones: an agent asks for the state first and sends nothing to what
// is off already, a switch port has no influence on power, and a board that cycles reports the end of a reset
// before its beginning.
//
// It never decides whom to fence, and no device ever reports an outlet as off that is on, except where
// a fault of the scenario demands it.
package fencesim
