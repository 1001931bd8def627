#!/usr/bin/env bash
# What does porcupine's CheckEvents do with a call that has no return event?
#
# Guess:  the call stays open to the end of the history, as in Jepsen: it may take effect at any time, or never.
# Seen:   every history with such a call is "not linearizable", without an error: a single unanswered write,
#         and one beside a read that is right either way. A return event added at the end of the history, with
#         an output that the model accepts for "unknown", gives the verdict that was expected.
# So:     whoever feeds porcupine must close calls whose outcome is unknown; otherwise one client time-out makes
#         a correct system look wrong. Holdfast closes them (linearizability/history).
# Source: github.com/anishathalye/porcupine v1.3.1; its documentation does not mention such calls.
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

func call(client, input, id int) porcupine.Event {
	return porcupine.Event{ClientId: client, Kind: porcupine.CallEvent, Value: input, Id: id}
}

func ret(client, output, id int) porcupine.Event {
	return porcupine.Event{ClientId: client, Kind: porcupine.ReturnEvent, Value: output, Id: id}
}

func main() {
	read := func(got int) []porcupine.Event { return []porcupine.Event{call(1, 0, 1), ret(1, got, 1)} }
	write := []porcupine.Event{call(0, 7, 0)}
	closed := ret(0, 0, 0)
	for _, c := range []struct {
		name   string
		events []porcupine.Event
	}{
		{"unanswered write alone", write},
		{"unanswered write, read of the old value", append(write[:1:1], read(0)...)},
		{"unanswered write, read of the new value", append(write[:1:1], read(7)...)},
		{"closed at the end, read of the old value", append(append(write[:1:1], read(0)...), closed)},
		{"closed at the end, read of the new value", append(append(write[:1:1], read(7)...), closed)},
		{"closed at the end, read of another value", append(append(write[:1:1], read(8)...), closed)},
	} {
		fmt.Println(c.name+":", porcupine.CheckEvents(register, c.events))
	}
}
EOF
go get github.com/anishathalye/porcupine@v1.3.1 2>/dev/null
go run . | tee got
cat > want <<'EOF'
unanswered write alone: false
unanswered write, read of the old value: false
unanswered write, read of the new value: false
closed at the end, read of the old value: true
closed at the end, read of the new value: true
closed at the end, read of another value: false
EOF
diff want got && echo "as found: porcupine v1.3.1 calls histories with unanswered calls not linearizable"
