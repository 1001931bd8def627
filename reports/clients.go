package reports

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

const (
	// maxSingleOps is how many operations a picture shows one by one. Of more it counts those under way in
	// each stretch of time; the page's script shows single ones again when the reader zooms in.
	maxSingleOps = 1500
	// maxClientRows is how many clients have a row. The others share one more.
	maxClientRows = 64
	// maxDensityCells is how many stretches of time all rows of clients together are divided into.
	maxDensityCells = 3000
	// maxRowCells is the same of one row.
	maxRowCells = 250
	// minShareLevels is the least height of an outcome in a stretch of time, however seldom it is.
	minShareLevels = 200
)

// Identifiers of the rows that the page's script draws itself.
const (
	clientRowID     = "client-" // and the client's number
	otherClientsID  = "client-others"
	latencyRowID    = "latency"
	throughputRowID = "throughput"
)

func opElementID(op *history.Operation) string { return "op-" + words.Decimal(op.Index) }

var opClasses = map[history.Type]svg.Class{history.OK: svg.OK, history.Fail: svg.Fail, history.Info: svg.Info}

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
	density := newDensity(v.endTime, len(rows))
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
			density.add(row, op, v.endOfOp(op))
		}
		if number > 0 && !marked[number] {
			marked[number] = true
			t.addMark(svg.Mark{At: time.Duration(op.Call), Label: "violation " + words.Decimal(int64(number)),
				Class: svg.Alert})
		}
	}
	for i := range rows {
		rows[i].Items = append(density.items(i), rows[i].Items...)
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
		Class: opClasses[op.Outcome],
		Low:   140, High: 860, Tip: tip, ID: opElementID(op)}
	if op.Outcome == history.Fail {
		it.High = 500
	}
	if violation > 0 {
		it.Alert, it.Tip = true, "violation "+words.Decimal(int64(violation))+"\n"+it.Tip
	}
	return it
}

// density counts the operations under way in stretches of time.
type density struct {
	size  time.Duration
	rows  [][]outcomeCounts
	cells int
	most  int // in one stretch of one row
}

func newDensity(end time.Duration, rows int) *density {
	cells := min(maxRowCells, max(1, maxDensityCells/max(1, rows)))
	return &density{size: end/time.Duration(cells) + 1, rows: make([][]outcomeCounts, rows), cells: cells,
		most: 1}
}

// add counts an operation in each stretch that it was under way in.
func (d *density) add(row int, op *history.Operation, end time.Duration) {
	if d.rows[row] == nil {
		d.rows[row] = make([]outcomeCounts, d.cells)
	}
	first := min(max(0, int(time.Duration(op.Call)/d.size)), d.cells-1)
	last := min(max(first, int(end/d.size)), d.cells-1)
	for i := first; i <= last; i++ {
		d.rows[row][i].add(op.Outcome)
		d.most = max(d.most, d.rows[row][i].total())
	}
}

// items are a row's stretches: as high as they are busy, divided by outcome.
func (d *density) items(row int) (items []svg.Item) {
	for i, c := range d.rows[row] {
		if c.total() == 0 {
			continue
		}
		from := time.Duration(i) * d.size
		tip := []string{words.GroupDigits(c.total()) + " operations"}
		below, height := 0, minShareLevels+(svg.Full-minShareLevels)*c.total()/d.most
		for _, part := range c.parts() {
			share := max(minShareLevels, height*part.count/c.total())
			high := min(svg.Full, below+share)
			items = append(items, svg.Item{From: from, To: from + d.size, Class: part.class,
				Low: min(below, svg.Full-minShareLevels), High: high})
			below = high
			tip = append(tip, words.GroupDigits(part.count)+" "+part.name)
		}
		tip = append(tip, words.Instant(from)+" to "+words.Instant(from+d.size))
		for k := len(items) - len(c.parts()); k < len(items); k++ {
			items[k].Tip = strings.Join(tip, "\n")
		}
	}
	return items
}

// outcomePart is how many operations of a count had one outcome.
type outcomePart struct {
	count int
	class svg.Class
	name  string
}

// parts are the outcomes that occur, from the usual to the unusual.
func (c outcomeCounts) parts() (out []outcomePart) {
	for _, p := range []outcomePart{{c.OK, svg.OK, "ok"}, {c.Fail, svg.Fail, "failed"},
		{c.Info, svg.Info, "unknown"}} {
		if p.count > 0 {
			out = append(out, p)
		}
	}
	return out
}
