package draw

import "time"

// Chooser draws whole numbers. 0 is always the tamest value: no fault, shortest delay.
type Chooser interface {
	// Choose returns a number below n. n must be at least 1.
	Choose(n uint64) uint64
}

// Lists returns the list of draws of a stream and a label.
type Lists func(stream, label string) Chooser

// Derive returns the lists that derive from a seed. It returns the same list for the same names
// every time, so it must not be used by several goroutines.
func Derive(seed uint64) Lists {
	type name struct{ stream, label string }
	lists := map[name]*List{}
	return func(stream, label string) Chooser {
		l := lists[name{stream, label}]
		if l == nil {
			l = NewList(seed, stream, label)
			lists[name{stream, label}] = l
		}
		return l
	}
}

// DeriveWith returns the lists that derive from a seed, with the values of overrides. It returns the same
// list for the same names every time, so it must not be used by several goroutines.
func DeriveWith(seed uint64, overrides []Override) Lists {
	type name struct{ stream, label string }
	values := map[name]map[uint64]uint64{}
	for _, o := range overrides {
		of := name{o.Stream, o.Label}
		if values[of] == nil {
			values[of] = map[uint64]uint64{}
		}
		values[of][o.Index] = o.Value
	}
	lists := map[name]*overridden{}
	return func(stream, label string) Chooser {
		of := name{stream, label}
		if lists[of] == nil {
			lists[of] = &overridden{*NewList(seed, stream, label), values[of]}
		}
		return lists[of]
	}
}

// overridden is a list with other values at some places.
type overridden struct {
	list   List
	values map[uint64]uint64 // by index
}

// Choose implements Chooser.
func (o *overridden) Choose(n uint64) uint64 {
	value, has := o.values[o.list.Drawn()]
	derived := o.list.Choose(n)
	if has {
		return min(value, n-1)
	}
	return derived
}

// List is one list of draws that derives from a seed, a stream and a label.
type List struct {
	key, drawCount uint64
	later          []laterKey // in order
}

// laterKey is the key of the draws from one on.
type laterKey struct{ from, key uint64 }

// Reseed makes the draws from one on derive from another seed, with the list's stream and label. Calls must
// be in the order of from.
func (l *List) Reseed(from, seed uint64, stream, label string) {
	l.later = append(l.later, laterKey{from, keyOf(seed, stream, label)})
}

// NewList returns the list of a stream and a label, at its beginning.
func NewList(seed uint64, stream, label string) *List {
	return &List{key: keyOf(seed, stream, label)}
}

// Choose implements Chooser.
func (l *List) Choose(n uint64) uint64 {
	for len(l.later) > 0 && l.drawCount >= l.later[0].from {
		l.key, l.later = l.later[0].key, l.later[1:]
	}
	value := valueAt(l.key, l.drawCount, n)
	l.drawCount++
	return value
}

// Drawn returns how many numbers were drawn, which is the index of the next one.
func (l *List) Drawn() uint64 { return l.drawCount }

// Branch gives a simulated run another future: everything that is drawn from a time on derives from another
// seed.
type Branch struct {
	// At is the time since the run began, in nanoseconds.
	At   time.Duration `json:"at" yaml:"at"`
	Seed uint64        `json:"seed" yaml:"seed"`
}

// Override replaces the value of one draw of a simulated run.
type Override struct {
	Stream string `json:"stream" yaml:"stream"`
	Label  string `json:"label" yaml:"label"`
	// Index is the draw's place in the list of its stream and label, from 0.
	Index uint64 `json:"index" yaml:"index"`
	// Value replaces the derived one. A value beyond the draw's range stands for the largest one.
	Value uint64 `json:"value" yaml:"value"`
}
