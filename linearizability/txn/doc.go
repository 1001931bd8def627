// Package txn judges histories of transactions: which anomalies does the history prove, and which
// consistency models do they rule out?
//
// [Check] takes operations whose value is a list of micro-operations, as Jepsen and Elle write them:
//
//	[["append", "x", 1], ["r", "y", [1, 2]]]   model list-append: a read returns the whole list
//	[["w", "x", 1], ["r", "y", 2]]             model rw-register: a read returns the last value
//
// Keys and values may be any JSON. In one key, every value must be written once: a value then names the
// transaction that wrote it. The value of an ok event holds what was read, that of an invoke event what was
// asked for. Reads of calls that failed or have an unknown outcome are ignored.
//
// From the values Check infers which transaction must come before which: ww (the next version of a key), wr
// (a read of a version), rw (a read of a version before the next one), and from the recording: process
// (the next transaction of one process) and realtime (a call after a return). A cycle is an anomaly, named
// for its edges. Other anomalies need no cycle: reads of aborted, intermediate or unwritten values,
// contradictions within a transaction, versions in contradictory orders. [Anomaly] lists them all.
//
// Each anomaly is forbidden by some consistency models and allowed by weaker ones; [WithConsistency]
// chooses the model, and strict-serializable is the default. A report has the forbidden anomalies with an
// explanation of the shortest cycle that was found, the allowed ones, and the models that are ruled out.
//
// # What a report proves
//
// An anomaly that is reported follows from the history alone, with the assumptions above: no execution
// under a model that forbids it could have given these answers. The absence of anomalies is weaker. In
// list-append the order of versions is known as far as reads show it. In rw-register it is known only
// from the initial state, from transactions that read a key and then write it, and from what the
// demanded model implies about each key, unless [WithSequentialKeys] or [WithLinearizableKeys] promise
// more; [Report.Details] counts what was ordered.
//
// Check never reports a history as satisfying a model if something was left out: operations that are
// not transactions, writes that are not unique, no committed read, no times, or a search that reached its
// limit. [Report.Undecided] lists the reasons. It never changes the operations that it judges. DESIGN.md
// beside this file has the argument.
package txn
