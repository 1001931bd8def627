// Package store is the replicated configuration store: a tree of small files with one revision
// counter, kept on SQLite by every node and changed in the total order of the ring. A change is
// acknowledged once it is durable on enough nodes, a read is linearizable by default. DESIGN.md
// beside this file gives the rules and why they hold.
//
// Package store never decides membership or service quorum, and never answers from a state that
// it could not write.
package store
