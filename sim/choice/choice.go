// Package choice holds the draws of a simulated run.
//
// A draw belongs to a stream (who draws, for example the link n1→n2) and a label (what for, for
// example loss). It has a range and a value, which derives from the seed and from its index in its
// list. Each stream and label has its own list, so leaving out or changing one draw shifts no other.
// So a run is fully described by its seed and its overrides: the values that differ from the derived
// ones.
//
// Package choice never reads a clock or a random source.
package choice

import (
	"cmp"
	"slices"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Mode is the source of the draws without an override.
type Mode uint8

const (
	// Derive takes the value from the seed.
	Derive Mode = iota
	// Zero takes 0, the tamest value: no fault, shortest delay.
	Zero
)

// Strategy may propose another value in place of a draw. The proposal is kept as an override, so a
// replay does not consult the strategy.
type Strategy interface {
	Propose(stream, label string, index, n, value uint64) uint64
}

// Source holds the lists of one run.
type Source struct {
	seed          uint64
	mode          Mode
	strategy      Strategy
	recordsDraws  bool
	listByKey     map[listKey]*List
	listOrder     []*List
	overrides     map[listKey]map[uint64]uint64
	proposedDraws []draw.Override
}

type listKey struct{ stream, label string }

// Options of a source.
type Options struct {
	Seed      uint64
	Mode      Mode
	Overrides []draw.Override
	Strategy  Strategy
	// Record keeps every draw with its range and value, for [Source.Draws].
	Record bool
}

// New returns a source without any draws.
func New(o Options) *Source {
	s := &Source{seed: o.Seed, mode: o.Mode, strategy: o.Strategy, recordsDraws: o.Record,
		listByKey: map[listKey]*List{}, overrides: map[listKey]map[uint64]uint64{}}
	for _, ov := range o.Overrides {
		key := listKey{ov.Stream, ov.Label}
		if s.overrides[key] == nil {
			s.overrides[key] = map[uint64]uint64{}
		}
		s.overrides[key][ov.Index] = ov.Value
	}
	return s
}

// List is the list of draws of one stream and label.
type List struct {
	source        *Source
	derivedDraws  draw.List
	key           listKey
	overrides     map[uint64]uint64 // by index
	alwaysDerived bool              // every draw is the derived one, and nothing is recorded
	recordedDraws []Draw
}

// Draw is one recorded choice.
type Draw struct {
	N, Value uint64
}

// List returns the list of a stream and label, the same one every time.
func (s *Source) List(stream, label string) *List {
	name := listKey{stream, label}
	if l := s.listByKey[name]; l != nil {
		return l
	}
	l := &List{source: s, key: name, derivedDraws: *draw.NewList(s.seed, stream, label),
		overrides: s.overrides[name]}
	l.alwaysDerived = len(l.overrides) == 0 && s.mode == Derive && s.strategy == nil && !s.recordsDraws
	s.listByKey[name] = l
	s.listOrder = append(s.listOrder, l)
	return l
}

// Branch makes what is drawn from now on derive from another seed, except in the lists of one stream.
func (s *Source) Branch(seed uint64, exceptStream string) {
	s.seed = seed
	for _, l := range s.listOrder {
		if l.key.stream != exceptStream {
			l.derivedDraws.Reseed(l.derivedDraws.Drawn(), seed, l.key.stream, l.key.label)
		}
	}
}

// BranchList makes the draws of one list derive from another seed, from an index on.
func (s *Source) BranchList(stream, label string, from, seed uint64) {
	s.List(stream, label).derivedDraws.Reseed(from, seed, stream, label)
}

// Lists returns the source's lists, by stream and label.
func (s *Source) Lists() draw.Lists {
	return func(stream, label string) draw.Chooser { return s.List(stream, label) }
}

// Choose draws a number below n. n must be at least 1.
func (l *List) Choose(n uint64) uint64 {
	if l.alwaysDerived {
		return l.derivedDraws.Choose(n)
	}
	return l.chooseSlow(n)
}

func (l *List) chooseSlow(n uint64) uint64 {
	index := l.derivedDraws.Drawn()
	value := l.derivedDraws.Choose(n)
	if l.source.mode == Zero {
		value = 0
	}
	if given, ok := l.overrides[index]; ok {
		value = min(given, n-1)
	} else if l.source.strategy != nil {
		proposed := min(l.source.strategy.Propose(l.key.stream, l.key.label, index, n, value), n-1)
		if proposed != value {
			value = proposed
			l.source.proposedDraws = append(l.source.proposedDraws,
				draw.Override{Stream: l.key.stream, Label: l.key.label, Index: index, Value: value})
		}
	}
	if l.source.recordsDraws {
		l.recordedDraws = append(l.recordedDraws, Draw{N: n, Value: value})
	}
	return value
}

// Proposed are the strategy's proposals so far, as overrides.
func (s *Source) Proposed() []draw.Override { return s.proposedDraws }

// Count is the number of draws so far.
func (s *Source) Count() uint64 {
	var n uint64
	for _, l := range s.listOrder {
		n += l.derivedDraws.Drawn()
	}
	return n
}

// Each calls f for every recorded draw, list by list in the order of stream and label.
func (s *Source) Each(f func(stream, label string, index uint64, d Draw)) {
	lists := slices.Clone(s.listOrder)
	slices.SortFunc(lists, func(a, b *List) int {
		return cmp.Or(cmp.Compare(a.key.stream, b.key.stream), cmp.Compare(a.key.label, b.key.label))
	})
	for _, l := range lists {
		for i, d := range l.recordedDraws {
			f(l.key.stream, l.key.label, uint64(i), d)
		}
	}
}
