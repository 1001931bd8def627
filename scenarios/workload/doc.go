// Package workload makes the clients' operations: which, on what, when and on which machine. The
// operations are a pure function of the draws and of the answers that came before, so both backends
// run the same clients.
//
// What to use when:
//
//   - [Spec] is the workload of a scenario: how many clients, operations and keys.
//   - [Codec] turns an [Op] into a request of the system and its answer into a [Result]: [OK], [OKValue],
//     [Failed] or [Unknown].
//   - [Client] runs one client; a backend gives it a [ClientEnv]. Actors get a ClientEnv as well.
//
// Package workload never knows how a subject encodes a request; a Codec does.
package workload
