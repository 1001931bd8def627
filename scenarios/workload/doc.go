// Package workload makes the clients' operations: which, on what, when and where. The
// operations are a pure function of the draws and of the answers that came before, so both
// worlds run the same clients.
//
// Package workload never knows how a subject encodes a request; a [Codec] does.
package workload
