// Package thorough separates what `go test ./...` does from what `make thorough` does on top: tests that
// take tens of seconds of processor time run shorter, or not at all, unless they are asked to be thorough.
//
// Package thorough never changes what a test checks, only how often it does.
package thorough

import (
	"os"
	"testing"
)

// Variable is the environment variable that asks for thorough tests. Any value but the empty one does.
const Variable = "HOLDFAST_THOROUGH"

// On reports whether tests should be thorough.
func On() bool { return os.Getenv(Variable) != "" }

// Only skips a test that is too expensive for every run of `go test ./...`, with what it costs.
func Only(t testing.TB, cost string) {
	t.Helper()
	if !On() {
		t.Skipf("%s: run it with make thorough, or with %s=1", cost, Variable)
	}
}

// Count returns the number of repetitions of a test: few by default, all of them when thorough.
func Count(few, all int) int {
	if On() {
		return all
	}
	return few
}
