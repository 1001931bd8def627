// Package sched scores nodes: which node should run a service, how unevenly a cluster is loaded, and
// which single migration would balance it best. It computes with plain numbers in a fixed order, so that
// the same input gives the same bits on every machine. It never reads the state of a service and never
// makes a decision.
//
// The arithmetic uses explicit conversions around every product (float64(a*b)) so that no compiler
// may fuse it with a following addition.
package sched
