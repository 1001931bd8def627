#!/usr/bin/env bash
# What does a fuzz target of rapid.MakeFuzz do with an input that is too short for the property's draws?
#
# Guess:  the missing bits count as zero, so that f.Add([]byte{}) runs the property with the smallest values.
# Seen:   the property ends at the first draw that finds no bits, and the fuzz case is *skipped*. `go test` prints
#         "ok" for a property that always fails when every seed of the corpus is too short; only -v shows the skips.
#         One Uint64 takes more than one 8-byte word, so 64 bytes are too few for a slice of four of them.
# So:     a seed corpus for such a target must be long, and a test should assert that the property's body was
#         reached. Holdfast's simtest.Fuzz takes a seed and draws the rest itself, so no input is too short.
# Source: pgregory.net/rapid v1.3.0.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod
cat > go.mod <<'EOF'
module finding

go 1.24
EOF
cat > finding_test.go <<'EOF'
package finding

import (
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"
)

var reached int

// always fails, once it has its four numbers.
func always(t *rapid.T) {
	rapid.SliceOfN(rapid.Uint64(), 4, 4).Draw(t, "numbers")
	reached++
	t.Fatal("the property does not hold")
}

// FuzzShort has only inputs that are too short.
func FuzzShort(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 16))
	f.Add(make([]byte, 64))
	f.Cleanup(func() { fmt.Fprintln(os.Stderr, "short: reached", reached) })
	f.Fuzz(rapid.MakeFuzz(always))
}

func FuzzLong(f *testing.F) {
	f.Add(make([]byte, 256))
	f.Cleanup(func() { fmt.Fprintln(os.Stderr, "long: reached", reached) })
	f.Fuzz(rapid.MakeFuzz(always))
}
EOF
go get pgregory.net/rapid@v1.3.0 2>/dev/null
go test -c -o finding.test . 
verdict() { if ./finding.test -test.run "$1" >out 2>err; then echo "$1: pass"; else echo "$1: fail"; fi; grep reached err; }
{ verdict FuzzShort; verdict FuzzLong; } | tee got
./finding.test -test.run FuzzShort -test.v 2>/dev/null | grep -c -- '--- SKIP' | sed 's/^/skipped cases of FuzzShort: /' | tee -a got
cat > want <<'EOF'
FuzzShort: pass
short: reached 0
FuzzLong: fail
long: reached 1
skipped cases of FuzzShort: 3
EOF
diff want got && echo "as found: rapid v1.3.0 skips fuzz inputs that are too short, and the target passes"
