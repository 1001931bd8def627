package history_test

import (
	"bytes"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// A history survives a crash of its writer: what was whole is read.
func ExampleReader() {
	var file bytes.Buffer
	w, err := history.NewWriter(&file, history.Header{Model: "store", Seed: 42})
	if err != nil {
		panic(err)
	}
	for _, event := range []history.Event{
		{Time: 10, Process: 1, Type: history.Invoke, F: "read", Key: "a"},
		{Time: 20, Process: 1, Type: history.OK, F: "read", Rev: 3},
	} {
		if err := w.Append(event); err != nil {
			panic(err)
		}
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	fmt.Print(file.String())
	header, events, torn, err := history.ReadAll(bytes.NewReader(file.Bytes()[:file.Len()-9]))
	fmt.Println(header.Seed, len(events), torn, err)
	// Output:
	// {"format":"holdfast-history","version":1,"seed":42,"model":"store"}
	// {"i":0,"t":10,"p":1,"type":"invoke","f":"read","k":"a"}
	// {"i":1,"t":20,"p":1,"type":"ok","f":"read","rev":3}
	// 42 1 true <nil>
}

// Events become operations: intervals from a call to its answer.
func ExampleOperations() {
	var r history.Recorder
	r.Append(history.Event{Time: 10, Process: 1, Type: history.Invoke, F: "write", Key: "a"})
	r.Append(history.Event{Time: 15, Process: 2, Type: history.Invoke, F: "read", Key: "a"})
	r.Append(history.Event{Time: 20, Process: 1, Type: history.OK, F: "write", Key: "a"})
	r.Append(history.Event{Time: 25, Process: 2, Type: history.Info, F: "read", Key: "a", Error: "timeout"})
	ops, err := history.Operations(r.Events())
	if err != nil {
		panic(err)
	}
	for _, op := range ops {
		fmt.Println(op.F, op.Call, op.Return == history.Never, op.Outcome)
	}
	// Output:
	// write 10 false ok
	// read 15 true info
}
