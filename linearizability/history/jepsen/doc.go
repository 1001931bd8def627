// Package jepsen reads histories as Jepsen and its neighbours record them: events of EDN and of JSON, the
// lines that Jepsen's logger prints for each operation, its history.txt, and the logs of porcupine's test
// data.
//
// It turns them into events of package history and prepares them as Knossos does, but never judges them and
// never leaves out a failed call. Values become JSON: keywords and symbols become strings without their
// colon, sets become arrays in a fixed order.
package jepsen
