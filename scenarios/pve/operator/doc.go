// Package operator is the administrator of a scenario: it puts the cluster's files into the store as
// soon as the cluster is quorate, and carries out the scenario's commands, each at its time and on
// its machine. It is one script over a small interface with two implementations: a process inside
// the simulator, and a connection to the daemons of real nodes.
//
// It never judges a run and never decides by itself: everything that it does is in the ha: section.
package operator
