// Package raft is an example of a system under test that comes from elsewhere: a replicated set of
// named values after the Raft paper (Ongaro and Ousterhout: In Search of an Understandable Consensus
// Algorithm, 2014, figure 2), with timers of milliseconds. Reads go through the log, and requests carry
// a session and a number, so that a request that is sent twice is applied once.
//
// It uses only what the authors of any system have: [env.Env] and [scenarios.Define]. Four classic bugs
// of Raft can be switched on, to measure how fast they are found; without them it is correct. It has no
// snapshots and no change of membership, and never gets any.
package raft
