// Package sched scores nodes: which one should run a service, how unevenly a cluster is loaded, and
// which single migration would even it out best. It is arithmetic over plain numbers in a fixed
// order, so that the same input gives the same bits on every machine; it knows no service states
// and takes no decision.
//
// The arithmetic uses explicit conversions around every product (float64(a*b)) so that no compiler
// may fuse it with a following addition.
package sched
