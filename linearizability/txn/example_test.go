package txn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// Two transactions read what the other one writes later: write skew.
func Example() {
	ops := []history.Operation{
		{Index: 0, Process: 0, Call: 0, Return: 9, Outcome: history.OK, F: "txn",
			Output: json.RawMessage(`[["r", "x", []], ["append", "y", 1]]`)},
		{Index: 1, Process: 1, Call: 0, Return: 9, Outcome: history.OK, F: "txn",
			Output: json.RawMessage(`[["r", "y", []], ["append", "x", 1]]`)},
	}
	for _, model := range []txn.Consistency{txn.SnapshotIsolation, txn.Serializable} {
		report, err := txn.Check(context.Background(), txn.ListAppend, ops, txn.WithConsistency(model))
		if err != nil {
			panic(err)
		}
		fmt.Println(report.Satisfied(), report.Summary())
		if len(report.Forbidden) > 0 {
			fmt.Print(report.Forbidden[0].Cycle.Text())
		}
	}
	// Output:
	// true 2 committed transactions satisfy snapshot-isolation as far as can be inferred; it allows what was found: G2-item (1); ruled out: repeatable-read and every model that implies it
	// false not serializable: G2-item (1); ruled out: repeatable-read and every model that implies it
	// T0: r "x" = [], append "y" 1
	//   | rw "x": T0 read "x" = [] and did not see that T1 appended 1 to "x"
	//   v
	// T1: r "y" = [], append "x" 1
	//   | rw "y": T1 read "y" = [] and did not see that T0 appended 1 to "y"
	//   v
	// T0 again
}

func ExampleCycle_WriteDOT() {
	ops := []history.Operation{
		{Index: 0, Call: 0, Return: 1, Outcome: history.OK, Output: json.RawMessage(`[["w", "x", 1]]`)},
		{Index: 1, Process: 1, Call: 2, Return: 3, Outcome: history.OK,
			Output: json.RawMessage(`[["r", "x", null]]`)},
	}
	report, err := txn.Check(context.Background(), txn.RWRegister, ops)
	if err != nil {
		panic(err)
	}
	if err := report.Forbidden[0].Cycle.WriteDOT(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// digraph cycle {
	//   node [shape=box];
	//   T0 [label="T0: w \"x\" 1"];
	//   T0 -> T1 [label="realtime"];
	//   T1 [label="T1: r \"x\" = null"];
	//   T1 -> T0 [label="rw \"x\""];
	// }
}
