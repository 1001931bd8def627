// Package sqlitevfs runs SQLite on an [env.Disk]: one connection per database, held exclusively,
// with a write-ahead log and full synchronisation.
//
// A connection may be abandoned at any instant, also by a panic that unwinds through SQLite in
// the middle of a disk call: that is how the simulator kills a process. What the connection held
// outside of Go's heap is then freed, and nothing of it stays registered.
//
// Package sqlitevfs never asks for the time and never draws a random number. SQLite itself draws
// the salt of its log from the process-wide random source; a harness that needs runs to repeat must own
// that source.
package sqlitevfs
