#!/usr/bin/env bash
# Does the EDN library for Go read the literals that Clojure's reader, and so Jepsen, takes in a history?
#
# Guess:  yes: hexadecimal, octal and radix numbers, ratios, partial #inst timestamps and ##NaN, beside 1N and 1.5M.
# Seen:   only 1N, 1.5M and tags of one's own are read. Each of the others is an error: a number in another base or a
#         ratio stops after its first digits, #inst needs a full timestamp, ##NaN is no token. A map with one key twice
#         and a set with one element twice, which EDN forbids, are read without an error.
# So:     histories that people edit by hand, or that hold values of other clients, need a reader of their own. Holdfast
#         has one (linearizability/history/jepsen).
# Source: olympos.io/encoding/edn v0.0.0-20201019073823-d3554ca0b0a3; Clojure's reader, clojure.org/reference/reader;
#         the EDN format, github.com/edn-format/edn.
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

	"olympos.io/encoding/edn"
)

func main() {
	for _, text := range []string{
		"31", "1N", "1.5M", "#jepsen.history.Op{:f :read}", "0x1F", "017", "2r101", "1/2", "##NaN",
		`#inst "2026-01-01"`, `#inst "2026-01-01T00:00:00Z"`, "{:a 1 :a 2}", "#{1 1}",
	} {
		var value any
		if err := edn.Unmarshal([]byte(text), &value); err != nil {
			fmt.Printf("%s: error\n", text)
			continue
		}
		fmt.Printf("%s: %v\n", text, value)
	}
}
EOF
go get olympos.io/encoding/edn@v0.0.0-20201019073823-d3554ca0b0a3 2>/dev/null
go run . | tee seen
diff - seen <<'EOF'
31: 31
1N: 1
1.5M: 1.5
#jepsen.history.Op{:f :read}: #jepsen.history.Op map[:f::read]
0x1F: error
017: error
2r101: error
1/2: error
##NaN: error
#inst "2026-01-01": error
#inst "2026-01-01T00:00:00Z": 2026-01-01 00:00:00 +0000 UTC
{:a 1 :a 2}: map[:a:2]
#{1 1}: map[1:true]
EOF
echo "as described"
