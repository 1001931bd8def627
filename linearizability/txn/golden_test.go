package txn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// parseHistory reads one operation a line: call time, return time (or -), process, outcome and
// micro-operations. x+1 appends, x:=1 writes, x? reads with an unknown answer, x=... reads what follows.
func parseHistory(t require.TestingT, text string) (ops []history.Operation) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		number := func(s string) int64 {
			n, err := strconv.ParseInt(s, 10, 64)
			require.NoError(t, err, line)
			return n
		}
		outcome, err := history.ParseType(fields[3])
		require.NoError(t, err, line)
		op := history.Operation{Index: int64(len(ops)), Call: number(fields[0]), Return: history.Never,
			Process: int(number(fields[2])), F: "txn", Outcome: outcome}
		if fields[1] != "-" {
			op.Return = number(fields[1])
		}
		asked, done := []string{}, []string{}
		for _, field := range fields[4:] {
			before, after := parseStep(t, field)
			asked, done = append(asked, before), append(done, after)
		}
		op.Input = json.RawMessage("[" + strings.Join(asked, ",") + "]")
		if outcome == history.OK {
			op.Output = json.RawMessage("[" + strings.Join(done, ",") + "]")
		}
		ops = append(ops, op)
	}
	return ops
}

func parseStep(t require.TestingT, field string) (asked, done string) {
	if key, value, ok := strings.Cut(field, ":="); ok {
		step := fmt.Sprintf(`["w",%q,%s]`, key, value)
		return step, step
	}
	if key, value, ok := strings.Cut(field, "+"); ok {
		step := fmt.Sprintf(`["append",%q,%s]`, key, value)
		return step, step
	}
	if key, ok := strings.CutSuffix(field, "?"); ok {
		return fmt.Sprintf(`["r",%q,null]`, key), fmt.Sprintf(`["r",%q,null]`, key)
	}
	key, value, ok := strings.Cut(field, "=")
	require.True(t, ok, field)
	return fmt.Sprintf(`["r",%q,null]`, key), fmt.Sprintf(`["r",%q,%s]`, key, value)
}

func reportText(r *txn.Report, details bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "satisfied: %t\n%s\n", r.Satisfied(), r.Summary())
	for i := range r.Forbidden {
		f := &r.Forbidden[i]
		fmt.Fprintf(&b, "%s: %s: %s\n", f.Anomaly, f.Anomaly.Title(), f.Explain)
		if f.Cycle != nil {
			b.WriteString(f.Cycle.Text())
		}
	}
	for i := range r.Allowed {
		fmt.Fprintf(&b, "allowed: %s: %s\n", r.Allowed[i].Anomaly, r.Allowed[i].Explain)
	}
	if len(r.Not) > 0 {
		fmt.Fprintf(&b, "not: %v, and %d stronger models\n", r.Not, len(r.AlsoNot))
	}
	if details {
		b.WriteString(strings.Join(r.Details, "\n") + "\n")
	}
	return b.String()
}

// TestGolden shows the report of each anomaly, in lists and in registers.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var opts []txn.Option
			details := false
			for _, arg := range d.CmdArgs {
				switch arg.Key {
				case "consistency":
					opts = append(opts, txn.WithConsistency(txn.Consistency(arg.Vals[0])))
				case "linearizable-keys":
					opts = append(opts, txn.WithLinearizableKeys())
				case "sequential-keys":
					opts = append(opts, txn.WithSequentialKeys())
				case "no-wfr":
					opts = append(opts, txn.WithoutWritesFollowReads())
				case "details":
					details = true
				default:
					d.Fatalf(t, "unknown argument %s", arg.Key)
				}
			}
			report, err := txn.Check(context.Background(), txn.Kind(d.Cmd), parseHistory(t, d.Input), opts...)
			if err != nil {
				return err.Error() + "\n"
			}
			return reportText(report, details)
		})
	})
}
