package fault

import (
	"fmt"
	"time"
)

// Net holds the condition of every ordered pair of machines while faults come and go. Both
// backends ask it about every packet.
type Net struct {
	names           []string
	baseCondition   Condition
	activeFaults    []*Fault
	downFlaps       map[*Fault]bool // flapping faults that are in their down phase
	conditionByPair []Condition     // from*len(names)+to
	// packets counts, by pair, the packets since the conditions last changed.
	packets []uint64
	// effective are, by pair, the active faults that the pair's condition depends on.
	effective [][]*Fault
	hits      map[*Fault]uint64

	basePairs []Condition // by pair; nil while every pair has baseCondition
	onFreed   func(from, to int)
}

// NewNet returns a network of the named machines in which every pair is in the base condition.
func NewNet(names []string, base Condition) *Net {
	n := &Net{names: names, baseCondition: base, downFlaps: map[*Fault]bool{}, hits: map[*Fault]uint64{}}
	n.conditionByPair = make([]Condition, len(names)*len(names))
	n.packets = make([]uint64, len(n.conditionByPair))
	n.effective = make([][]*Fault, len(n.conditionByPair))
	n.recomputePairs()
	return n
}

// Condition returns the condition from one machine to another. The pointer stays valid and follows
// later changes.
func (n *Net) Condition(from, to int) *Condition { return &n.conditionByPair[from*len(n.names)+to] }

// SetBase changes the base condition of single pairs: change gets it for each ordered pair of two machines.
func (n *Net) SetBase(change func(from, to int, c *Condition)) {
	n.basePairs = make([]Condition, len(n.conditionByPair))
	for from := range n.names {
		for to := range n.names {
			c := &n.basePairs[from*len(n.names)+to]
			if *c = n.baseCondition; from != to {
				change(from, to, c)
			}
		}
	}
	n.recomputePairs()
}

// OnFreed sets what a backend does when an ordered pair is no longer clogged, or its bandwidth no longer
// limited: it sends what it has held back.
func (n *Net) OnFreed(do func(from, to int)) { n.onFreed = do }

// CountPacket counts a packet from one machine to another, for [Net.Hits]. A backend calls it for every
// packet.
func (n *Net) CountPacket(from, to int) { n.packets[from*len(n.names)+to]++ }

// Shape is [Condition.Shape] for a packet from one machine to another. It counts the packets that exceed the
// MTU of a fault.
func (n *Net) Shape(from, to int, d *LinkDraws, q *Queue, now time.Duration, bytes, corruptible int,
	v *Delivery) {
	c := n.Condition(from, to)
	if c.MTUBytes > 0 && bytes > c.MTUBytes && v.Copies > 0 {
		for _, f := range n.activeFaults {
			if f.Kind == MTU && bytes > f.MTUBytes && n.faultAffectsPair(f, from, to) {
				n.hits[f]++
			}
		}
	}
	c.Shape(d, q, now, bytes, corruptible, v)
}

// Begin makes a network fault act. A flapping one begins in its down phase.
func (n *Net) Begin(f *Fault) {
	n.activeFaults = append(n.activeFaults, f)
	n.downFlaps[f] = true
	n.recomputePairs()
}

// Toggle switches a flapping fault's phase and returns how long the new one lasts.
func (n *Net) Toggle(f *Fault) time.Duration {
	n.downFlaps[f] = !n.downFlaps[f]
	n.recomputePairs()
	if n.downFlaps[f] {
		return f.Down
	}
	return f.Up
}

// End takes a fault's effects back.
func (n *Net) End(f *Fault) {
	for i, a := range n.activeFaults {
		if a == f {
			n.activeFaults = append(n.activeFaults[:i], n.activeFaults[i+1:]...)
			break
		}
	}
	delete(n.downFlaps, f)
	n.recomputePairs()
}

// Hits returns how many packets were sent between machines while their condition depended on a fault: 0 means
// that the fault had no effect. A fault that adds loss to a link that another one cuts has none. The
// count of a fault is complete when it has ended.
func (n *Net) Hits(f *Fault) uint64 { return n.hits[f] }

// recomputePairs derives the condition of every pair from the active faults.
func (n *Net) recomputePairs() {
	n.countHits()
	for from := range n.names {
		for to := range n.names {
			pair := from*len(n.names) + to
			c := n.baseCondition
			if n.basePairs != nil {
				c = n.basePairs[pair]
			}
			if from == to {
				c = Condition{} // a machine always reaches itself
			}
			effective := n.effective[pair][:0]
			for _, f := range n.activeFaults {
				if from == to || !n.faultAffectsPair(f, from, to) {
					continue
				}
				before := c
				if c = n.applyFault(c, f); c.Cut && !before.Cut {
					effective = append(effective[:0], f) // a cut hides everything else
				} else if c != before && !before.Cut && f.Kind != MTU { // Shape counts for an MTU
					effective = append(effective, f)
				}
			}
			before := n.conditionByPair[pair]
			n.conditionByPair[pair], n.effective[pair] = c, effective
			freed := before.Clogged && !c.Clogged || before.BytesPerSecond > 0 && c.BytesPerSecond == 0
			if freed && n.onFreed != nil {
				n.onFreed(from, to)
			}
		}
	}
}

// countHits adds the packets since the last change to the faults that they met.
func (n *Net) countHits() {
	for pair, sent := range n.packets {
		if sent == 0 {
			continue
		}
		for _, f := range n.effective[pair] {
			n.hits[f] += sent
		}
		n.packets[pair] = 0
	}
}

func (n *Net) applyFault(c Condition, f *Fault) Condition {
	switch f.Kind {
	case Link:
		return c.Degraded(f)
	case Flap:
		c.Cut = c.Cut || n.downFlaps[f]
	case Clog:
		c.Clogged = true
	case Bandwidth, MTU, Corrupt:
		return c.Limited(f)
	default:
		c.Cut = true
	}
	return c
}

func (n *Net) faultAffectsPair(f *Fault, from, to int) bool {
	a, b := n.names[from], n.names[to]
	if f.Kind == Partition {
		return groupIndexOf(f.Groups, a) != groupIndexOf(f.Groups, b)
	}
	return Names(f.From, a) && Names(f.To, b) || !f.OneWay && Names(f.From, b) && Names(f.To, a)
}

func groupIndexOf(groups [][]string, name string) int {
	for i, g := range groups {
		if Names(g, name) {
			return i
		}
	}
	return -1
}

// Names reports whether a list of machines names a machine, by its name or as [All].
func Names(names []string, name string) bool {
	for _, n := range names {
		if n == name || n == All {
			return true
		}
	}
	return false
}

// All stands for every machine.
const All = "all"

// Index finds a machine by name.
func (n *Net) Index(name string) (int, error) {
	for i, have := range n.names {
		if have == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no machine is called %q; the machines are %v", name, n.names)
}
