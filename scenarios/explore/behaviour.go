package explore

import (
	"hash/fnv"
	"math/bits"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// maxBehaviours bounds what is kept of one run.
const maxBehaviours = 4096

// Behaviour is what a run did, without times and names: which records followed each other, on the same
// machine or on another one, and about how often each probe was reached. A campaign prefers scenarios and
// strategies whose runs still show new behaviour.
type Behaviour struct {
	seen map[uint32]bool
	last [2]event
	kind map[string]uint32 // hashes of the kinds of records
}

// event is a record without its content.
type event struct {
	kind    uint32
	machine env.MachineID
}

// NewBehaviour returns that of a run which has not begun.
func NewBehaviour() *Behaviour {
	return &Behaviour{seen: map[uint32]bool{}, kind: map[string]uint32{}}
}

// Record counts a record of the run.
func (b *Behaviour) Record(r scenarios.Stamped) {
	name := r.Record.RecordKind()
	kind, known := b.kind[name]
	if !known {
		kind = hash(name)
		b.kind[name] = kind
	}
	now := event{kind, r.Machine}
	if now == b.last[1] {
		return // the same again
	}
	b.add(kind, b.last[1].kind, b.last[0].kind, sameMachine(now, b.last[1])|sameMachine(now, b.last[0])<<1)
	b.last[0], b.last[1] = b.last[1], now
}

func sameMachine(a, b event) uint32 {
	if a.machine == b.machine {
		return 1
	}
	return 0
}

// Probes counts the probes that the run reached.
func (b *Behaviour) Probes(counts map[string]int) {
	for id, count := range counts {
		b.add(hash(id), uint32(bits.Len(uint(count))))
	}
}

// All returns the behaviours, each as a number, in increasing order.
func (b *Behaviour) All() []uint32 {
	all := make([]uint32, 0, len(b.seen))
	for number := range b.seen {
		all = append(all, number)
	}
	slices.Sort(all)
	return all
}

func (b *Behaviour) add(parts ...uint32) {
	if len(b.seen) >= maxBehaviours {
		return
	}
	number := uint32(0)
	for _, part := range parts {
		number = (number ^ part) * 16777619
		number ^= number >> 15
	}
	b.seen[number] = true
}

func hash(text string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	return h.Sum32()
}
