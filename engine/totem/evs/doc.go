// Package evs checks extended virtual synchrony from the records that the nodes of a run emit: one total
// order, no duplicates, delivery in the ring of sending or in the transitional configuration that closes
// it, self-delivery, the same messages for nodes that move together, the safe guarantee, one membership a
// ring, and ring sequences that never decrease.
//
// The rules are those of Moser, Amir, Melliar-Smith and Agarwal, "Extended Virtual Synchrony" (ICDCS 1994),
// as far as they can be checked from records of installed configurations and of sent and delivered
// messages. Nothing is required of a node after it crashed. A node whose disk was wiped starts a new
// history.
//
// Package evs never reads the protocol's own state and never influences a run. It works incrementally, in
// time linear in the number of records.
package evs
