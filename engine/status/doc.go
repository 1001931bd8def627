// Package status tells the nodes of a ring facts about each other that are not worth a place in
// the replicated store: what a node and its guests use at the moment, for example. Each node says
// what is so at its own end; everybody in its ring hears it in the ring's order, without waiting and
// without quorum. What a node has said is forgotten with the process that said it and when
// the node leaves the ring.
//
// A node always tells all that it has to say in one message, so there is nothing to be repaired: the
// last message counts. A process that has just begun, or that was left behind by the cluster
// process, asks everybody to speak again.
//
// Package status never writes anything to a disk and never looks into values. Whoever decides by
// them must live with their being old or missing.
package status
