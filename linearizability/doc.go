// Package linearizability judges histories: could the answers that concurrent clients got have come
// from one copy of the system that executed every operation at one instant between its call and its return?
//
// [Check] takes a model from package models, the operations of a history, and, where the system keeps one,
// its own log as a [Witness]. With revisions in the answers it proposes the one order that the log allows,
// replays it once through the model and compares it with real time: a certificate, linear in the number of
// operations, in which unknown outcomes are looked up by request id. Without revisions it searches, with
// porcupine and a just-in-time search of its own, in a bounded pool within limits of time and memory.
// What is wrong comes back as a [Report] with few operations, an explanation in words and a picture.
//
// [CheckLocks] and [CheckSingleRunner] judge what only one may hold or run at a time. A [Monitor] judges
// while a run goes on. [CheckFile] does what Check does for files, also those of Jepsen.
//
// A verdict is valid, invalid or unknown. The package never returns valid when time, memory or evidence ran
// out, never takes times from a witness, and never changes the history that it judges. DESIGN.md beside
// this file gives the argument behind the certificate, and its limits.
package linearizability
