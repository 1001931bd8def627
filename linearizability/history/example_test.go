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
