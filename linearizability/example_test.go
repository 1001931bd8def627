package linearizability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// A client reads an old value after another one's write was acknowledged.
func Example() {
	var recorder history.Recorder
	second := int64(1_000_000_000)
	recorder.Append(history.Event{Time: 12 * second, Process: 1, Type: history.Invoke,
		F: "write", Key: "motd",
		Value: json.RawMessage(`"new"`), ID: "c1-7"})
	recorder.Append(history.Event{Time: 12*second + 310_000_000, Process: 1, Type: history.OK,
		F: "write", Rev: 2})
	recorder.Append(history.Event{Time: 12*second + 400_000_000, Process: 2, Type: history.Invoke,
		F: "read", Key: "motd"})
	recorder.Append(history.Event{Time: 12*second + 450_000_000, Process: 2, Type: history.OK, F: "read",
		Value: json.RawMessage(`"old"`), Mod: 1, Rev: 1})

	ops, err := history.Operations(recorder.Events())
	if err != nil {
		panic(err)
	}
	model, err := models.Store(json.RawMessage(`{"rev":1,"tree":{"motd":{"v":"old","mod":1}}}`))
	if err != nil {
		panic(err)
	}
	report, err := lin.Check(context.Background(), model, &lin.History{Ops: ops})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Validity)
	fmt.Println(report.Violations[0].Explain)
	// Output:
	// invalid
	// write w0 of motd = "new" was acknowledged at 12.31 s with revision 2; the read r2 began at 12.40 s and returned revision 1 ("old", last changed at 1)
}

// A write timed out. The system's own log shows that it happened, and at which revision.
func ExampleNewWitness() {
	witness, err := lin.NewWitness([]history.WitnessEntry{
		{Rev: 1, F: "create", Key: "a", Value: json.RawMessage(`"x"`), ID: "c1-1", Node: "n1"},
	})
	if err != nil {
		panic(err)
	}
	model, err := models.Store(nil)
	if err != nil {
		panic(err)
	}
	report, err := lin.Check(context.Background(), model, &lin.History{Witness: witness,
		Ops: []history.Operation{
			{Index: 0, Process: 1, F: "create", Key: "a", Input: json.RawMessage(`"x"`), ID: "c1-1", Call: 10,
				Return: history.Never, Outcome: history.Info, Error: "timeout"},
			{Index: 2, Process: 2, F: "read", Key: "a", Output: json.RawMessage(`"x"`), Mod: 1,
				Rev: 1, Call: 20,
				Return: 30, Outcome: history.OK},
		}})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Validity, report.Method, report.Stats.Resolved)
	// Output: valid certificate 1
}

// A register without versions or log is searched, and the counterexample minimised.
func ExampleCheck_register() {
	model, err := models.Register(nil)
	if err != nil {
		panic(err)
	}
	op := func(index int64, f, in, out string, call, ret int64) history.Operation {
		return history.Operation{Index: index, Process: int(index), F: f, Input: json.RawMessage(in),
			Output: json.RawMessage(out), Call: call, Return: ret, Outcome: history.OK}
	}
	report, err := lin.Check(context.Background(), model, &lin.History{Ops: []history.Operation{
		op(0, "write", "1", "", 0, 10), op(2, "write", "2", "", 20, 30), op(4, "read", "", "2", 25, 35),
		op(6, "read", "", "1", 40, 50),
	}})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Validity, len(report.Violations[0].Ops), "of", report.Stats.Operations, "operations")
	// Output: invalid 2 of 4 operations
}

// Two machines ran a service at one time, because a fence was only requested.
func ExampleCheckSingleRunner() {
	verdict := lin.CheckSingleRunner([]history.Operation{
		{Index: 0, F: "start", Key: "vm:100", Node: "n1", Call: 1e9, Return: 2e9, Outcome: history.OK},
		{Index: 2, F: "fence", Node: "n1", Call: 5e9, Return: 9e9, Outcome: history.OK},
		{Index: 4, F: "start", Key: "vm:100", Node: "n2", Call: 6e9, Return: 7e9, Outcome: history.OK},
	})
	fmt.Println(verdict.Validity)
	fmt.Println(verdict.Violations[0].Explain)
	// Output:
	// invalid
	// vm:100 ran on n1 from 2.00 s (start s0) until 9.00 s (fence f2), and on n2 from 7.00 s (start s4)
}

// A run stops at its first violation.
func ExampleMonitor() {
	model, err := models.Store(nil)
	if err != nil {
		panic(err)
	}
	monitor, err := lin.NewMonitor(model)
	if err != nil {
		panic(err)
	}
	for _, event := range []history.Event{
		{Index: 0, Time: 1, Process: 1, Type: history.Invoke, F: "write", Key: "a",
			Value: json.RawMessage(`1`)},
		{Index: 1, Time: 2, Process: 1, Type: history.OK, F: "write", Rev: 1},
		{Index: 2, Time: 3, Process: 2, Type: history.Invoke, F: "write", Key: "a",
			Value: json.RawMessage(`2`)},
		{Index: 3, Time: 4, Process: 2, Type: history.OK, F: "write", Rev: 1},
	} {
		violation, err := monitor.Observe(event)
		if err != nil {
			panic(err)
		}
		if violation != nil {
			fmt.Println("event", event.Index, violation.Kind)
		}
	}
	// Output: event 3 reordered-revisions
}

// A history of Jepsen's kind, in a file, of a queue that lost what it had acknowledged.
func ExampleCheckFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history.edn")
	err = os.WriteFile(path, []byte(`
		{:type :invoke, :f :enqueue, :value 7,   :process 0, :time 10}
		{:type :ok,     :f :enqueue, :value 7,   :process 0, :time 20}
		{:type :invoke, :f :drain,   :value nil, :process 1, :time 30}
		{:type :ok,     :f :drain,   :value [],  :process 1, :time 40}`), 0o600)
	if err != nil {
		panic(err)
	}
	report, err := lin.CheckFile(context.Background(), path, "unordered-queue")
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Validity, report.Method)
	fmt.Println(report.Violations[0].Explain)
	// Output:
	// invalid rules
	// drain d2 found the queue empty between 0.00000003 s and 0.00000004 s, but it held something at every instant in between, last that of enqueue e0
}

// A holder believes in its lease for ten seconds after it asked for it.
func ExampleCheckLeases() {
	verdict := lin.CheckLeases([]history.Operation{
		{Index: 0, F: "acquire", Node: "n1", Call: 1e9, Return: 2e9, Outcome: history.OK},
		{Index: 2, F: "acquire", Node: "n2", Call: 5e9, Return: 8e9, Outcome: history.OK},
	}, 10*time.Second)
	fmt.Println(verdict.Validity)
	fmt.Println(verdict.Violations[0].Explain)
	// Output:
	// invalid
	// n1 held the lock from 2.00 s (acquire a0) until 11.00 s (end of the lease); n2 got it at 8.00 s (acquire a2)
}
