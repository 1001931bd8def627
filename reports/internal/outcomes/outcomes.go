// Package outcomes counts operations by outcome, and draws counts over time.
//
// Package outcomes never drops an outcome that occurs: its share is drawn large enough to be seen.
package outcomes

import (
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

const (
	// maxDensityCells is how many stretches of time all rows together are divided into.
	maxDensityCells = 3000
	// maxRowCells is the same of one row.
	maxRowCells = 250
	// minShareLevels is the least height of an outcome in a stretch of time, however seldom it is.
	minShareLevels = 200
)

// Classes are the classes of operations by their outcomes.
var Classes = map[history.Type]svg.Class{history.OK: svg.OK, history.Fail: svg.Fail, history.Info: svg.Info}

// Counts is how many operations ended how.
type Counts struct {
	OK   int `json:"ok"`
	Fail int `json:"fail"`
	Info int `json:"info"`
}

// Add counts an operation with an outcome.
func (c *Counts) Add(t history.Type) {
	switch t {
	case history.OK:
		c.OK++
	case history.Fail:
		c.Fail++
	default:
		c.Info++
	}
}

// Total is how many operations there are.
func (c Counts) Total() int { return c.OK + c.Fail + c.Info }

// Density counts the operations under way in stretches of time.
type Density struct {
	size  time.Duration
	rows  [][]Counts
	cells int
	most  int // in one stretch of one row
}

// NewDensity returns counts for a picture with so many rows.
func NewDensity(end time.Duration, rows int) *Density {
	cells := min(maxRowCells, max(1, maxDensityCells/max(1, rows)))
	return &Density{size: end/time.Duration(cells) + 1, rows: make([][]Counts, rows), cells: cells,
		most: 1}
}

// Add counts an operation in each stretch that it was under way in.
func (d *Density) Add(row int, op *history.Operation, end time.Duration) {
	if d.rows[row] == nil {
		d.rows[row] = make([]Counts, d.cells)
	}
	first := min(max(0, int(time.Duration(op.Call)/d.size)), d.cells-1)
	last := min(max(first, int(end/d.size)), d.cells-1)
	for i := first; i <= last; i++ {
		d.rows[row][i].Add(op.Outcome)
		d.most = max(d.most, d.rows[row][i].Total())
	}
}

// Items are a row's stretches: as high as they are busy, divided by outcome.
func (d *Density) Items(row int) (items []svg.Item) {
	for i, c := range d.rows[row] {
		if c.Total() == 0 {
			continue
		}
		from := time.Duration(i) * d.size
		tip := []string{words.GroupDigits(c.Total()) + " operations"}
		below, height := 0, minShareLevels+(svg.Full-minShareLevels)*c.Total()/d.most
		for _, part := range c.parts() {
			share := max(minShareLevels, height*part.count/c.Total())
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
func (c Counts) parts() (out []outcomePart) {
	for _, p := range []outcomePart{{c.OK, svg.OK, "ok"}, {c.Fail, svg.Fail, "failed"},
		{c.Info, svg.Info, "unknown"}} {
		if p.count > 0 {
			out = append(out, p)
		}
	}
	return out
}

// Bars stacks the outcomes of a stretch of time.
func (c Counts) Bars(most int, from, to time.Duration) (items []svg.Item) {
	below := 0
	for _, part := range c.parts() {
		low := below * svg.Full * 9 / 10 / most
		below += part.count
		high := max(low+1, below*svg.Full*9/10/most)
		items = append(items, svg.Item{From: from, To: to, Class: part.class, Low: low, High: high,
			Tip: words.Decimal(int64(part.count)) + " " + part.name + "\n" +
				words.Instant(from) + " to " + words.Instant(to)})
	}
	return items
}
