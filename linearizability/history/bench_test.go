package history_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

const benchmarkOps = 10_000

// benchmarkFile is a history as Holdfast writes it.
func benchmarkFile() []byte {
	var file bytes.Buffer
	w, _ := history.NewWriter(&file, history.Header{})
	for i := range int64(benchmarkOps) {
		id := "r" + strconv.FormatInt(i, 10)
		_ = w.Append(history.Event{Time: i * 1000, Process: int(i % 50), Type: history.Invoke,
			F: "write", Key: "k3",
			Value: json.RawMessage(`"v17"`), ID: id, Node: "n1"})
		_ = w.Append(history.Event{Time: i*1000 + 500, Process: int(i % 50), Type: history.OK, F: "write",
			Rev: uint64(i)})
	}
	_ = w.Flush()
	return file.Bytes()
}

func BenchmarkReadOperations(b *testing.B) {
	file := benchmarkFile()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := history.ReadOperations(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchmarkOps/b.Elapsed().Seconds(), "ops/s")
}
