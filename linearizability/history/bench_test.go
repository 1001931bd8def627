package history_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func BenchmarkReadOperations(b *testing.B) {
	var file bytes.Buffer
	w, _ := history.NewWriter(&file, history.Header{})
	const ops = 10_000
	for i := range int64(ops) {
		id := "r" + strconv.FormatInt(i, 10)
		_ = w.Append(history.Event{Time: i * 1000, Process: int(i % 50), Type: history.Invoke, F: "write", Key: "k3",
			Value: json.RawMessage(`"v17"`), ID: id, Node: "n1"})
		_ = w.Append(history.Event{Time: i*1000 + 500, Process: int(i % 50), Type: history.OK, F: "write", Rev: uint64(i)})
	}
	_ = w.Flush()
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := history.ReadOperations(bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*ops/b.Elapsed().Seconds(), "ops/s")
}
