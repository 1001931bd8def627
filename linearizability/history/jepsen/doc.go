// Package jepsen reads histories that were recorded by other tools: EDN histories as Jepsen stores them,
// the lines that Jepsen's logger prints for each operation, and the EDN key/value logs of porcupine's
// test data.
//
// It turns them into events of package history and never judges them. Values become JSON: keywords and
// symbols become strings without their colon, sets become arrays.
package jepsen
