#!/usr/bin/env bash
# Where does SQLite take its randomness from under ncruces/go-sqlite3?
#
# Guess:  from the VFS, as SQLite's documentation has it (xRandomness), so a VFS of one's own decides it and the
#         random source of one connection is independent of the program around it.
# Seen:   from the process-wide variable crypto/rand.Reader. The salts in the header of a write-ahead log differ
#         between two runs of the same statements, and are equal once a program sets crypto/rand.Reader to a
#         deterministic reader before it opens the database. The database after a checkpoint is equal in any case.
# So:     whoever wants two runs with equal writes must own crypto/rand.Reader while SQLite runs; Holdfast's
#         simulator does (package sim), and therefore runs one simulation at a time in a process.
# Source: github.com/ncruces/go-sqlite3 v0.35.6.
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
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log"
	"os"

	"github.com/ncruces/go-sqlite3"
)

// counter is a deterministic reader: 1, 2, 3, ...
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	name := os.Args[1]
	if len(os.Args) > 2 {
		rand.Reader = &counter{}
	}
	db, err := sqlite3.Open("file:" + name)
	must(err)
	must(db.Exec(`PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1), (2);`))
	wal, err := os.ReadFile(name + "-wal")
	must(err)
	must(db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`))
	must(db.Close())
	data, err := os.ReadFile(name)
	must(err)
	fmt.Printf("%x %x\n", wal[16:24], sha256.Sum256(data))
}
EOF
go get github.com/ncruces/go-sqlite3@v0.35.6 2>/dev/null
go build -o finding . 
for i in 1 2; do ./finding "plain$i.db" > "plain$i"; ./finding "owned$i.db" owned > "owned$i"; done
same() { if [ "$(cut -d' ' -f"$3" "$1")" = "$(cut -d' ' -f"$3" "$2")" ]; then echo equal; else echo differ; fi; }
{
  echo "salts of two plain runs: $(same plain1 plain2 1)"
  echo "databases of two plain runs: $(same plain1 plain2 2)"
  echo "salts with crypto/rand.Reader set: $(same owned1 owned2 1)"
} | tee got
cat > want <<'EOF'
salts of two plain runs: differ
databases of two plain runs: equal
salts with crypto/rand.Reader set: equal
EOF
diff want got && echo "as found: go-sqlite3 v0.35.6 draws SQLite's randomness from crypto/rand.Reader"
