#!/usr/bin/env bash
# What does a green test of rapid promise: that all its cases ran, and that its recorded failures pass?
#
# Guess:  1. a property runs the number of cases that -rapid.checks asks for, or the test fails.
#         2. a file in testdata/rapid is a regression test: it runs the recorded case again, and a test that cannot run it
#            fails.
# Seen:   1. shortly before the test binary's -timeout the property stops and passes with the cases that it has made, here
#            with fewer than a hundred. Only the log of -v names their number.
#         2. when the property draws one value more than before, the file is "no longer valid": a line in the log of -v,
#            and the test passes.
# So:     a found failure is kept as a test of its own that draws nothing, or as a file that a version of the product
#         must read (a scenario and a seed); a count of cases that matters is asserted.
# Source: pgregory.net/rapid v1.3.0.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod
cat > go.mod <<'EOF'
module finding

go 1.24

require pgregory.net/rapid v1.3.0
EOF
cat > finding_test.go <<'EOF'
package finding

import (
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSmall fails for every second number. With MORE it draws another value first.
func TestSmall(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		if os.Getenv("MORE") != "" {
			rapid.IntRange(0, 1<<40).Draw(r, "more")
		}
		if rapid.IntRange(0, 1000).Draw(r, "number") > 500 {
			r.Fatal("large")
		}
	})
}

func TestSlow(t *testing.T) {
	cases := 0
	rapid.Check(t, func(r *rapid.T) {
		cases++
		rapid.Int().Draw(r, "number")
		time.Sleep(50 * time.Millisecond)
	})
	t.Log("cases:", cases)
}
EOF
check() { # WHAT FILE PATTERN
	grep -q -- "$3" "$2" || { cat "$2"; echo "changed: $1"; exit 1; }
	printf '%s: %s\n' "$1" "$(grep -m1 -- "$3" "$2" | sed 's/^ *//')"
}

go mod tidy 2> tidy.log || { cat tidy.log; exit 1; }
go test -v -run TestSlow -timeout 4s . > slow.log
check "a hundred cases that would take 5 s, with -timeout 4s" slow.log 'OK, passed [0-9]\{2\} tests'
check "and the test" slow.log '^--- PASS: TestSlow'

go test -run TestSmall . > small.log && { echo "changed: the property holds"; exit 1; }
ls testdata/rapid/TestSmall/*.fail > /dev/null
go test -count=1 -run TestSmall . > same.log && { echo "changed: the recorded case is not run first"; exit 1; }
# Seed 7 draws a small number in its only case.
MORE=1 go test -count=1 -v -run TestSmall -rapid.checks=1 -rapid.seed=7 . > more.log || true
check "the recorded failure, after one value more" more.log 'is no longer valid'
check "and the test" more.log '^--- PASS: TestSmall'
