// Package state is one replica of the store without its surroundings: the tree, the log that is
// both witness and memory of answered requests, the replicated configuration, the installed
// epoch, and the snapshots by which one replica brings another up to date. It also holds the
// arithmetic of votes.
//
// Package state never does input or output; what must reach the disk leaves it as a [Batch] or an
// [Installation] for a [Backend].
package state
