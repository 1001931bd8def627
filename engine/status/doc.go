// Package status distributes facts among the nodes of a ring that are too short-lived for the replicated
// store, for example the present load of a node and its guests. Each node publishes its own facts; every
// node of its ring receives them in the ring's order, without waiting and without quorum. The facts of a
// process are dropped when that process ends, and those of a node when the node leaves the ring.
//
// A node always sends all its values in one message, so nothing needs repair: the last message counts. A
// process that has just started, or that was left behind by the cluster process, asks all nodes to send
// again.
//
// Package status never writes to a disk and never interprets values. A consumer must expect old and
// missing values.
package status
