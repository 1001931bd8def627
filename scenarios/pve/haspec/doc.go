// Package haspec is the ha: section of a pve scenario as data: the services, the files that describe
// them, the guests, the fence devices, what the operator does, and the bounds that the run must keep.
// It decodes the operator's commands, checks that a section makes sense for a cluster, and names
// what the operator, the request clients and the checks must call by the same name.
//
// It never runs anything: it has no process, no client and no simulator, and it knows no subject.
package haspec
