// Package reports turns a finished run into what people and machines look at: a folder of plain
// files, one self-contained HTML page, a picture, a few lines for a terminal.
//
// It shows verdicts and never makes any: nothing here checks a history, repeats a run or corrects
// what it was given. Whatever it is given may be hostile (values, keys and log lines come from the
// system under test), so every output escapes it.
package reports
