// Package netnode makes machines out of network namespaces: a namespace with one interface whose
// other end is a file descriptor, and the processes in it, which can be killed and paused
// together with whatever they have started.
//
// A node's processes die with the program that made the node. Package netnode never carries a frame
// and never decides when something goes wrong.
package netnode
