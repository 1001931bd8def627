#!/usr/bin/env bash
# Does porcupine's CheckOperations keep the order of one client's own calls where their times touch?
#
# Guess:  a client makes one call after the other, and ClientId tells which calls are one client's, so a client that
#         writes 1, then 2, cannot read 1 afterwards, however coarse its clock is.
# Seen:   ClientId orders nothing. If the second write is called at the time at which the first has returned, the two
#         are concurrent, and so is a read that is called when the second write returns: the stale read is
#         linearizable. Even calls of one client that overlap are taken without an error. Only CheckEvents, where
#         the position counts, refuses the same history.
# So:     times with a resolution of milliseconds hide stale reads from CheckOperations. Whoever has the order of
#         the events should give it (CheckEvents), or make the times differ, as Holdfast does when it reads a file
#         (linearizability/history).
# Source: github.com/anishathalye/porcupine v1.3.1. Its documentation calls the intervals closed and ClientId optional.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod
cat > go.mod <<'EOF'
module finding

go 1.24
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// A register: an input of 0 reads, any other input writes it.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		if input.(int) == 0 {
			return output.(int) == state.(int), state
		}
		return true, input
	},
}

// oneClient writes 1, writes 2 and reads 1, one call after the other.
func oneClient(second, last int64) []porcupine.Operation {
	return []porcupine.Operation{
		{ClientId: 0, Input: 1, Call: 1, Output: 0, Return: 10},
		{ClientId: 0, Input: 2, Call: second, Output: 0, Return: 20},
		{ClientId: 0, Input: 0, Call: last, Output: 1, Return: 99},
	}
}

func main() {
	fmt.Println("times apart, read of the first value:", porcupine.CheckOperations(register, oneClient(11, 50)))
	fmt.Println("second write touches the first:", porcupine.CheckOperations(register, oneClient(10, 50)))
	fmt.Println("second write inside the first:", porcupine.CheckOperations(register, oneClient(5, 50)))
	fmt.Println("read touches the second write:", porcupine.CheckOperations(register, oneClient(11, 20)))
	fmt.Println("the same as events in order:", porcupine.CheckEvents(register, []porcupine.Event{
		{ClientId: 0, Kind: porcupine.CallEvent, Value: 1, Id: 0}, {ClientId: 0, Kind: porcupine.ReturnEvent, Value: 0, Id: 0},
		{ClientId: 0, Kind: porcupine.CallEvent, Value: 2, Id: 1}, {ClientId: 0, Kind: porcupine.ReturnEvent, Value: 0, Id: 1},
		{ClientId: 0, Kind: porcupine.CallEvent, Value: 0, Id: 2}, {ClientId: 0, Kind: porcupine.ReturnEvent, Value: 1, Id: 2},
	}))
}
EOF
go get github.com/anishathalye/porcupine@v1.3.1 2>/dev/null
go run . | tee got
cat > want <<'EOF'
times apart, read of the first value: false
second write touches the first: true
second write inside the first: true
read touches the second write: true
the same as events in order: false
EOF
diff want got && echo "as found: porcupine v1.3.1 does not keep the order of one client's calls where their times touch"
