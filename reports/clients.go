package reports

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/outcomes"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

const (
	// maxSingleOps is how many operations a picture shows one by one. Of more it counts those under way in
	// each stretch of time; the page's script shows single ones again when the reader zooms in.
	maxSingleOps = 1500
	// maxClientRows is how many clients have a row. The others share one more.
	maxClientRows = 64
)

// Identifiers of the rows that the page's script draws itself.
const (
	clientRowID     = "client-" // and the client's number
	otherClientsID  = "client-others"
	latencyRowID    = "latency"
	throughputRowID = "throughput"
)

func opElementID(op *history.Operation) string { return "op-" + words.Decimal(op.Index) }

// addClients draws the operations, a row for each client.
func (t *timeline) addClients(v *view) {
	blamed := v.violationOfOp()
	clients := make([]int, len(v.ops))
	for i := range v.ops {
		clients[i] = clientOf(v.run, v.ops[i].Process)
	}
	shown, others := v.shownClients(clients, blamed)
	rows, rowOf := []svg.Row{}, map[int]int{}
	for _, c := range shown {
		rowOf[c] = len(rows)
		number := words.Decimal(int64(c))
		rows = append(rows, svg.Row{ID: clientRowID + number, Label: "client " + number})
	}
	if others > 0 {
		rows = append(rows, svg.Row{ID: otherClientsID, Label: words.Decimal(int64(others)) + " others",
			Tip: "operations of " + words.Decimal(int64(others)) + " more clients"})
	}
	marked := map[int]bool{}
	density := outcomes.NewDensity(v.endTime, len(rows))
	for i := range v.ops {
		op := &v.ops[i]
		row, ok := rowOf[clients[i]]
		if !ok {
			row = len(rows) - 1
		}
		number := blamed[op.Index]
		if number > 0 || len(v.ops) <= maxSingleOps {
			rows[row].Items = append(rows[row].Items, v.opItem(op, clients[i], number))
		} else {
			density.Add(row, op, v.endOfOp(op))
		}
		if number > 0 && !marked[number] {
			marked[number] = true
			t.addMark(svg.Mark{At: time.Duration(op.Call), Label: "violation " + words.Decimal(int64(number)),
				Class: svg.Alert})
		}
	}
	for i := range rows {
		rows[i].Items = append(density.Items(i), rows[i].Items...)
	}
	if len(rows) > 0 {
		t.chart.Groups = append(t.chart.Groups, svg.Group{Title: "clients", Rows: rows})
	}
}

// shownClients are the clients that get a row of their own, in order, and how many others there are: all
// clients if there are not too many, else those that violations speak of and the first others.
func (v *view) shownClients(clients []int, blamed map[int64]int) (shown []int, others int) {
	all := slices.Compact(slices.Sorted(slices.Values(clients)))
	if len(all) <= maxClientRows {
		return all, 0
	}
	for i := range v.ops {
		if blamed[v.ops[i].Index] > 0 && !slices.Contains(shown, clients[i]) && len(shown) < maxClientRows {
			shown = append(shown, clients[i])
		}
	}
	for _, c := range all {
		if len(shown) == maxClientRows {
			break
		}
		if !slices.Contains(shown, c) {
			shown = append(shown, c)
		}
	}
	slices.Sort(shown)
	return shown, len(all) - len(shown)
}

func (v *view) opItem(op *history.Operation, client, violation int) svg.Item {
	tip := CallWords(op) + "\n→ " + OutcomeWords(op) + "\nclient " + words.Decimal(int64(client))
	if op.Node != "" {
		tip += " on " + words.Clean(op.Node)
	}
	tip += ", " + WhenWords(op)
	if op.ID != "" {
		tip += "\nrequest " + words.Shorten(words.Clean(op.ID), words.MaxValueChars)
	}
	it := svg.Item{From: time.Duration(op.Call), To: v.endOfOp(op), Shape: svg.Bar,
		Class: outcomes.Classes[op.Outcome],
		Low:   140, High: 860, Tip: tip, ID: opElementID(op)}
	if op.Outcome == history.Fail {
		it.High = 500
	}
	if violation > 0 {
		it.Alert, it.Tip = true, "violation "+words.Decimal(int64(violation))+"\n"+it.Tip
	}
	return it
}
