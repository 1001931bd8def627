// Package linearizability judges histories: could the answers that concurrent clients got have come
// from one copy of the system that executed every operation at one instant between its call and its return?
//
// # You have a history in a file
//
// Call [CheckFile] with the path and the name of a model; [ModelNames] lists the names, and [Describe] the
// functions and values of each. The command "holdfast check FILE --model NAME" does the same. The file may
// come from other tools, such as Jepsen.
//
//	report, err := linearizability.CheckFile(ctx, "history.edn", "cas-register")
//
// # You have operations in memory
//
// Derive them from events with [history.Operations], make a model with package models, and call [Check]:
//
//	m, err := models.Register(nil)
//	report, err := linearizability.Check(ctx, m, &linearizability.History{Ops: ops})
//
// For many histories with one model, keep a [Checker]. While a run goes on, give its events to a [Monitor].
//
// # Which model
//
//   - one value per key: register (cas-register is the same); with versions: versioned-kv; texts: kv
//   - collections: set, counter, fifo-queue, unordered-queue
//   - money that is moved: bank
//   - records in one order: append-log; a tree of files with revisions: store
//   - who holds what, and when: locks, lease ([CheckLocks], [CheckLeases]), and mutex, which only asks for
//     an order
//   - one running instance: single-runner ([CheckSingleRunner])
//   - transactions on lists or registers: list-append, rw-register ([CheckTransactions]; package txn)
//   - anything else: a [models.Model] of your own
//
// # What comes back
//
// A [Report]: valid, invalid or unknown, how that was decided, and for invalid the [Violation] values, each
// with few operations and an explanation in words; [Report.WriteHTML] draws the first one. An error means
// that the input is no history, or that the model cannot decode it.
//
// The verdict is unknown, with the reason, when a limit of time or memory was reached ([WithTimeout],
// [WithMemoryLimit]), when the history has operations of functions that the model does not know, or when
// nothing in it could be checked. Operations that failed, and reads without an answer, say nothing and are
// not counted as checked.
//
// # How it is decided
//
// With revisions in the answers, and the system's own log as a [Witness] if there is one, one order is
// proposed, replayed through the model and compared with real time: a certificate, linear in the number of
// operations. Rules of the model come next: a value that was read must have been written; sets, and most
// histories of counters and queues, are decided by rules alone. What is left is searched, with porcupine
// and a just-in-time search, in a bounded pool.
//
// The package never returns valid when time, memory or evidence ran out, never takes times from a witness,
// and never changes the history that it judges. DESIGN.md beside this file gives the arguments, and the
// limits.
package linearizability
