//go:build race

package simtest

// raceEnabled reports whether the race detector watches this process.
const raceEnabled = true
