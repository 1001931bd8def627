package emitted

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits of lanes that are made of records.
const (
	// maxChanges is how often a record may have another value on one machine and still be a state.
	maxChanges = 200
	maxKinds   = 24
	tones      = 6 // classes of values, "tone-0" and so on
)

// Lanes makes a lane of each kind of record that has a value per machine which lasts: its latest one. Kinds
// whose value changes often are events, and get none.
type Lanes struct {
	kinds map[string]*kindLanes
}

// kindLanes are the lanes of one kind.
type kindLanes struct {
	lanes map[laneKey]*lane
	tone  map[string]int // of each value, in the order of their first appearance
	busy  bool
}

type laneKey struct {
	machine int
	process string
}

type lane struct {
	spans []scenarios.Span
	open  bool // the last span goes on
}

// Add takes the next record, in the order of time.
func (l *Lanes) Add(r *Record) {
	if l.kinds == nil {
		l.kinds = map[string]*kindLanes{}
	}
	if r.Kind == powerKind {
		l.endOfPower(r)
	}
	k := l.kinds[r.Kind]
	if k == nil {
		k = &kindLanes{lanes: map[laneKey]*lane{}, tone: map[string]int{}}
		l.kinds[r.Kind] = k
	}
	if !k.busy {
		k.add(r)
	}
}

// powerKind is the kind of the records with which a backend reports the power of machines.
var powerKind = scenarios.Power{}.RecordKind()

// endOfPower ends the values of a machine that loses power: what its processes knew is gone.
func (l *Lanes) endOfPower(r *Record) {
	var power scenarios.Power
	if json.Unmarshal(r.Data, &power) != nil || power.On {
		return
	}
	for _, k := range l.kinds {
		for key, lane := range k.lanes {
			if key.machine == r.Machine {
				lane.end(r.At)
			}
		}
	}
}

func (l *lane) end(at time.Duration) {
	if l.open {
		l.spans[len(l.spans)-1].To = at
		l.open = false
	}
}

func (k *kindLanes) add(r *Record) {
	key := laneKey{r.Machine, r.Process}
	of := k.lanes[key]
	if of == nil {
		of = &lane{}
		k.lanes[key] = of
	}
	value := valueOf(r.Data)
	if of.open && of.spans[len(of.spans)-1].Text == value {
		return
	}
	of.end(r.At)
	if len(of.spans) == maxChanges {
		*k = kindLanes{busy: true}
		return
	}
	if _, known := k.tone[value]; !known {
		k.tone[value] = len(k.tone)
	}
	of.open = true
	of.spans = append(of.spans, scenarios.Span{From: r.At, Text: value,
		Class: fmt.Sprintf("tone-%d", k.tone[value]%tones)})
}

// valueOf is a record's value in words.
func valueOf(data json.RawMessage) string {
	if members := membersOf(data); len(members) > 0 {
		return describe(members, nodeMember)
	}
	return words.Shorten(words.Clean(valueText(data)), maxDetailChars)
}

// Finish returns the lanes of a run that lasted until end, and the kinds that have none because their values
// change too often or because there are too many kinds. name returns a machine's name.
func (l *Lanes) Finish(end time.Duration, name func(machine int) string) (lanes []scenarios.Lane,
	without []string) {
	kinds := make([]string, 0, len(l.kinds))
	for kind := range l.kinds {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	shown := 0
	for _, kind := range kinds {
		k := l.kinds[kind]
		if k.busy || shown == maxKinds {
			without = append(without, kind)
			continue
		}
		shown++
		lanes = append(lanes, k.done(kind, end, name)...)
	}
	return lanes, without
}

func (k *kindLanes) done(kind string, end time.Duration, name func(int) string) (lanes []scenarios.Lane) {
	keys := make([]laneKey, 0, len(k.lanes))
	processes := map[int]int{}
	for key := range k.lanes {
		keys = append(keys, key)
		processes[key.machine]++
	}
	slices.SortFunc(keys, func(a, b laneKey) int {
		return cmp.Or(cmp.Compare(a.machine, b.machine), cmp.Compare(a.process, b.process))
	})
	for _, key := range keys {
		of := k.lanes[key]
		of.end(max(end, of.spans[len(of.spans)-1].From))
		label := name(key.machine)
		if processes[key.machine] > 1 {
			label += " " + key.process
		}
		lanes = append(lanes, scenarios.Lane{Machine: label, Name: kind, Spans: of.spans})
	}
	return lanes
}
