// Package pve makes Holdfast's own engine a subject: its processes for the simulator, the daemon
// for real nodes, the clients' requests to the store, and what right means for all of them.
//
// It is the one place where the harness and the engine meet. It never changes what either does.
package pve
