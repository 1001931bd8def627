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
}

// NewNet returns a network of the named machines in which every pair is in the base condition.
func NewNet(names []string, base Condition) *Net {
	n := &Net{names: names, baseCondition: base, downFlaps: map[*Fault]bool{}}
	n.conditionByPair = make([]Condition, len(names)*len(names))
	n.recomputePairs()
	return n
}

// Condition returns the condition from one machine to another. The pointer stays valid and follows
// later changes.
func (n *Net) Condition(from, to int) *Condition { return &n.conditionByPair[from*len(n.names)+to] }

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

func (n *Net) recomputePairs() {
	for from := range n.names {
		for to := range n.names {
			c := n.baseCondition
			if from == to {
				c = Condition{} // a machine always reaches itself
			}
			for _, f := range n.activeFaults {
				if from != to && n.faultAffectsPair(f, from, to) {
					c = n.applyFault(c, f)
				}
			}
			n.conditionByPair[from*len(n.names)+to] = c
		}
	}
}

func (n *Net) applyFault(c Condition, f *Fault) Condition {
	switch f.Kind {
	case Link:
		return c.Degraded(f)
	case Flap:
		c.Cut = c.Cut || n.downFlaps[f]
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
