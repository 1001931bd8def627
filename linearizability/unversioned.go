package linearizability

import (
	"fmt"
	"math"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// unversionedRead is an observation whose answer carries no revision. It may take place at any revision that
// explains its answer and that real time allows. The lowest such revision is as good as any other, because
// moving the read down to it violates nothing; so the replay tries revisions upwards.
type unversionedRead struct {
	op  int
	low int // it takes place at revision first+low or higher
	by  int // the operation that implies this bound, or noOwner
}

// isUnversioned reports whether an observer has no revision of its own.
func (c *certificate) isUnversioned(i int) bool {
	return c.place[i].rev == 0 && c.place[i].role == models.Observation
}

// listUnversioned finds the unversioned reads and, for each, the highest position of an operation that
// returned before it was called.
func (c *certificate) listUnversioned() {
	c.pending = c.pending[:0]
	latestCall := int64(math.MinInt64)
	for _, o := range c.observers {
		if i := int(o); c.isUnversioned(i) {
			c.pending = append(c.pending, unversionedRead{op: i, by: noOwner})
			latestCall = max(latestCall, c.ops[i].Call)
		}
	}
	if len(c.pending) == 0 {
		return
	}
	slices.SortStableFunc(c.pending, func(a, b unversionedRead) int {
		return compareInt64(c.ops[a.op].Call, c.ops[b.op].Call)
	})
	before := c.returnedBefore(latestCall)
	high, by, k := 0, noOwner, 0
	for n := range c.pending {
		f := &c.pending[n]
		for ; k < len(before) && c.ops[before[k]].Return < c.ops[f.op].Call; k++ {
			if at := int(c.place[before[k]].rev - c.first); at > high {
				high, by = at, before[k]
			}
		}
		f.low, f.by = high, by
	}
}

// returnedBefore lists the operations with a place that returned before an instant, by return.
func (c *certificate) returnedBefore(instant int64) []int {
	var list []int
	for _, group := range [][]uint32{c.mutators, c.observers} {
		for _, o := range group {
			i := int(o)
			p := c.place[i]
			binds := p.role == models.Mutation || p.role == models.Observation
			if binds && c.ops[i].Return < instant && p.rev > c.first {
				list = append(list, i)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return compareInt64(c.ops[a].Return, c.ops[b].Return) })
	return list
}

func compareInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// placeUnversioned offers revision first+k to the pending unversioned reads that were called before an
// instant, in the order of their calls, from the n-th on. It returns how many of those it left pending.
func (c *certificate) placeUnversioned(k, n int, before int64) (int, error) {
	for n < len(c.pending) {
		f := c.pending[n]
		op := &c.ops[f.op]
		if f.low > k || op.Call >= before {
			break // they are sorted, and low rises with the call
		}
		if c.mustWait(n) {
			n++
			continue
		}
		if op.Return < c.latestWrite {
			c.unplaced(f, c.writeOp)
		} else {
			call, err := c.model.Decode(op, c.scratch)
			if err != nil {
				return n, fmt.Errorf("decoding %s: %w", opName(op), err)
			}
			c.scratch = call
			if ok, _ := c.model.Step(c.state, call, call); !ok {
				n++
				continue
			}
			c.checked++
			c.checkRealTime(f.op, models.Observation)
		}
		c.pending = slices.Delete(c.pending, n, n+1)
	}
	return n, nil
}

// mustWait reports whether an unversioned read that returned before the n-th was called still has no place.
func (c *certificate) mustWait(n int) bool {
	call := c.ops[c.pending[n].op].Call
	for _, earlier := range c.pending[:n] {
		if c.ops[earlier.op].Return < call {
			return true
		}
	}
	return false
}

// reportUnplaced records the unversioned reads that found no place in the whole order.
func (c *certificate) reportUnplaced() {
	for _, f := range c.pending {
		c.unplaced(f, noOwner)
	}
	c.pending = c.pending[:0]
}

// unplaced records that no revision explains the answer of f. write is the first known mutation that was
// called after f had returned, if any.
func (c *certificate) unplaced(f unversionedRead, write int) {
	if c.assumed > 0 && write == noOwner {
		c.undecided = true // it may stand after a mutation beyond the order
		return
	}
	c.hasUnplaced = true
	op := &c.ops[f.op]
	v := Violation{Kind: WrongAnswer, at: []int{f.op}}
	if op.Outcome == history.Fail {
		v.Kind = WrongPrecondition
	}
	answer := fmt.Sprintf("%s at %s was refused (%s)", opName(op), seconds(op.Return), op.Error)
	if op.Outcome != history.Fail {
		answer = fmt.Sprintf("%s at %s returned %s", opName(op), seconds(op.Return), shorten(outputText(op)))
	}
	bounds := fmt.Sprintf("no revision from %d", c.first+uint64(f.low))
	if f.by != noOwner {
		v.at = append(v.at, f.by)
		bounds += fmt.Sprintf(" (%s)", describeEnding(&c.ops[f.by], c.place[f.by].rev))
	}
	if write != noOwner {
		v.at = append(v.at, write)
		bounds += fmt.Sprintf(" to %d (%s began at %s)", c.place[write].rev, opName(&c.ops[write]),
			seconds(c.ops[write].Call))
	}
	v.Explain = fmt.Sprintf("%s, which began at %s, but %s explains that", answer, seconds(op.Call), bounds)
	c.found.add(v)
}
