// Package storecheck judges the cluster membership and the replicated store of the engine: answers to
// clients, epochs, quorum, virtual synchrony, recovery and equality of the trees.
//
// It reads what processes recorded, what clients saw and what machines answered after quiescence. Package
// storecheck never looks into the memory of a process, and knows nothing of the HA manager.
package storecheck
