// Package node composes the engine: from a cluster's corosync.conf and a node's position in it, it makes
// the processes that the node's machine runs. It is the only place where the parts meet.
//
// Package node never implements a protocol and never touches a machine: the simulator and engine/host run
// what it makes.
package node
