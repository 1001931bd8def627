package reports

import (
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/logscale"
	"github.com/holdfast-sim/holdfast/reports/internal/outcomes"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

// plotHeight is that of the latency plot in pixels; throughput gets half of it.
const plotHeight = 120

// latencyAxis returns the ends of the axis of latencies; ok is false if no operation ended.
func (v *view) latencyAxis() (low, high time.Duration, ok bool) {
	var least, most time.Duration
	for i := range v.ops {
		if d, ended := v.opLatency(&v.ops[i]); ended {
			if least == 0 || d < least {
				least = d
			}
			most = max(most, d)
		}
	}
	if most == 0 {
		return 0, 0, false
	}
	low, high = logscale.Decades(max(1, least), most)
	return low, high, true
}

// latencyCells and latencyLevels are the numbers of columns and rows of a plot of many operations: a dot
// stands for all those of one outcome in one cell.
const latencyCells, latencyLevels = 240, 24

// addLatencyPlot draws how long operations took, on a logarithmic axis.
func (t *timeline) addLatencyPlot(v *view) {
	low, high, ok := v.latencyAxis()
	if !ok {
		return
	}
	level := func(d time.Duration) int { return logscale.Level(d, low, high, svg.Full) }
	row := svg.Row{ID: latencyRowID, Label: "latency", Height: plotHeight,
		Tip: "how long each operation took, on a logarithmic axis"}
	for d := low; d <= high; d *= 10 {
		row.Ticks = append(row.Ticks, svg.Tick{Level: level(d), Label: words.Duration(d)})
	}
	blamed := v.violationOfOp()
	taken := map[svg.Item]bool{}
	for i := range v.ops {
		op := &v.ops[i]
		d, ended := v.opLatency(op)
		if !ended {
			continue
		}
		point := svg.Item{From: time.Duration(op.Call), Shape: svg.Point, Low: level(d),
			Class: outcomes.Classes[op.Outcome], ID: opElementID(op), Alert: blamed[op.Index] > 0}
		if len(v.ops) > maxSingleOps && !point.Alert {
			size := max(1, v.endTime/latencyCells)
			point.From, point.ID = point.From/size*size+size/2, ""
			point.Low = point.Low * latencyLevels / svg.Full * svg.Full / latencyLevels
			point.Low = min(point.Low+svg.Full/latencyLevels/2, svg.Full)
			if taken[point] {
				continue
			}
			taken[point] = true
		}
		row.Items = append(row.Items, point)
	}
	t.chart.Groups = append(t.chart.Groups, svg.Group{Title: "operations", Rows: []svg.Row{row}})
}

// opLatency is how long an operation took, or until its client gave up.
func (v *view) opLatency(op *history.Operation) (d time.Duration, ended bool) {
	if op.Return == history.Never && op.Ended == 0 {
		return 0, false
	}
	return v.endOfOp(op) - time.Duration(op.Call), true
}

// bucketSizes are the widths of throughput bars to choose from.
var bucketSizes = []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond,
	time.Second,
	2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
	10 * time.Minute, time.Hour, 6 * time.Hour}

// maxBuckets is how many bars there may be.
const maxBuckets = 120

// addThroughputPlot draws how many operations ended in each stretch of time, by outcome.
func (t *timeline) addThroughputPlot(v *view) {
	if len(v.ops) == 0 {
		return
	}
	size := bucketSizes[len(bucketSizes)-1]
	for _, s := range bucketSizes {
		if v.endTime/s < maxBuckets {
			size = s
			break
		}
	}
	buckets := make([]outcomes.Counts, int(min(v.endTime/size, 100*maxBuckets))+1)
	most := 1
	for i := range v.ops {
		at := max(0, int(v.endOfOp(&v.ops[i])/size))
		b := &buckets[min(at, len(buckets)-1)]
		b.Add(v.ops[i].Outcome)
		most = max(most, b.Total())
	}
	row := svg.Row{ID: throughputRowID, Label: "per " + words.Duration(size), Height: plotHeight / 2,
		Tip:   "how many operations ended in each " + words.Duration(size),
		Ticks: []svg.Tick{{Level: 0, Label: "0"}, {Level: svg.Full * 9 / 10, Label: words.GroupDigits(most)}}}
	for i, b := range buckets {
		row.Items = append(row.Items, b.Bars(most, time.Duration(i)*size,
			min(v.endTime, time.Duration(i+1)*size))...)
	}
	groups := t.chart.Groups
	if n := len(groups); n > 0 && groups[n-1].Title == "operations" {
		groups[n-1].Rows = append(groups[n-1].Rows, row)
		return
	}
	t.chart.Groups = append(groups, svg.Group{Title: "operations", Rows: []svg.Row{row}})
}
