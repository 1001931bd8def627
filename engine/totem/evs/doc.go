// Package evs checks extended virtual synchrony from the records that the nodes of a run emit:
// one total order, no duplicates, delivery in the ring of sending or in the transitional
// configuration behind it, self-delivery, the same messages for those who move together, the
// safe guarantee, one membership a ring, and ring sequences that never go back.
//
// The rules are those of Moser, Amir, Melliar-Smith and Agarwal (Extended Virtual Synchrony, 1994)
// as far as they can be judged from what was installed, sent and delivered. A node that crashes
// owes nothing further; a node whose disk was wiped starts a history of its own.
//
// Package evs only observes. It works incrementally, in time linear in the records, and never
// looks at the protocol's own state.
package evs
