package linearizability

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"strconv"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// errTooBusy reports that more calls are open at once than the just-in-time search can number.
var errTooBusy = errors.New("too many calls open at once")

const (
	maxOpenCalls = 64      // bits of a set of open calls
	maxConfigs   = 1 << 16 // alive at once
)

// jit is the just-in-time search for blind models: it walks the event list once, and at each return it
// advances every possible configuration (state, which open calls took effect, which calls with unknown
// outcome were used) to one in which the returning call took effect, and no further. Three things keep
// configurations few:
//
//   - an observation that is legal and changes nothing takes effect at once, since that closes no way;
//   - a call with unknown outcome takes effect only right before something that needs it. In a blind model
//     it may be moved there, or is overwritten unseen and may as well not have happened;
//   - of two configurations with equal state and calls, one that used fewer unknown calls (a subset, with
//     calls that ask for the same thing counted, not told apart) is enough.
//
// The cost is linear in the length of the history, where porcupine's cache grows with its square.
type jit struct {
	m     *porcupine.Model
	model *models.Model
	b     *budget

	steps, maxSteps int
	stopped         error

	open   [maxOpenCalls]*porcupine.Operation // by slot
	isOpen uint64
	reads  uint64 // open calls that only observe

	classes map[string]int
	asks    []*porcupine.Operation // one call of each class
	avail   []int32                // calls of the class that were made and are not committed

	frontier []*config
	seen     map[uint64][]*config
}

// config is one way in which the history so far can have happened.
type config struct {
	state any
	done  uint64 // open calls that took effect
	used  []int32
}

type jitEvent struct {
	at     int64
	op     int32
	isCall bool
}

// searchBlind decides ops for a blind model.
func (b *budget) searchBlind(m *models.Model, ops []porcupine.Operation, maxSteps int) (Validity, error) {
	j := &jit{m: &m.Model, model: m, b: b, maxSteps: maxSteps, classes: make(map[string]int),
		seen: make(map[uint64][]*config)}
	j.frontier = []*config{{state: m.Init()}}
	slots := make([]int, len(ops))
	for _, e := range jitEvents(ops) {
		op := &ops[e.op]
		switch {
		case e.isCall && op.Return == history.Never:
			j.callUnknown(op)
		case e.isCall:
			slot := bits.TrailingZeros64(^j.isOpen)
			if slot == maxOpenCalls {
				return Unknown, errTooBusy
			}
			slots[e.op] = slot
			j.call(op, slot)
		default:
			j.returns(slots[e.op])
			if j.stopped == nil && len(j.frontier) == 0 {
				return Invalid, nil
			}
		}
		if j.stopped != nil {
			return Unknown, j.stopped
		}
	}
	return Valid, nil
}

// jitEvents lists calls and returns in time, calls first among equals.
func jitEvents(ops []porcupine.Operation) []jitEvent {
	events := make([]jitEvent, 0, 2*len(ops))
	for i := range ops {
		events = append(events, jitEvent{ops[i].Call, int32(i), true})
		if ops[i].Return != history.Never {
			events = append(events, jitEvent{ops[i].Return, int32(i), false})
		}
	}
	slices.SortStableFunc(events, func(a, b jitEvent) int {
		if a.at != b.at {
			return compareInt64(a.at, b.at)
		}
		switch {
		case a.isCall == b.isCall:
			return 0
		case a.isCall:
			return -1
		}
		return 1
	})
	return events
}

// callUnknown makes a call with unknown outcome available.
func (j *jit) callUnknown(op *porcupine.Operation) {
	o := operationOf(op)
	key := o.F + "\x00" + string(o.Input) + "\x00" + strconv.FormatUint(o.Expect, 10)
	class, ok := j.classes[key]
	if !ok {
		class = len(j.asks)
		j.classes[key] = class
		j.asks = append(j.asks, op)
		j.avail = append(j.avail, 0)
	}
	j.avail[class]++
}

func (j *jit) call(op *porcupine.Operation, slot int) {
	bit := uint64(1) << slot
	j.open[slot] = op
	j.isOpen |= bit
	if j.model.Role(operationOf(op)) != models.Observation {
		return
	}
	j.reads |= bit
	for _, c := range j.frontier {
		if j.observes(c.state, op) {
			c.done |= bit
		}
	}
}

func (j *jit) step(state any, op *porcupine.Operation) (bool, any) {
	j.steps++
	switch {
	case j.stopped != nil:
		return false, state
	case j.steps == j.maxSteps:
		j.stopped = errSearchSteps
	case j.steps%contextEvery == 0 && j.b.ctx.Err() != nil:
		j.stopped = context.Cause(j.b.ctx)
	}
	return j.m.Step(state, op.Input, op.Output)
}

func (j *jit) equal(a, b any) bool {
	if j.m.Equal == nil {
		return a == b
	}
	return j.m.Equal(a, b)
}

// observes reports whether op is legal in the state and leaves it as it is.
func (j *jit) observes(state any, op *porcupine.Operation) bool {
	ok, next := j.step(state, op)
	return ok && j.equal(state, next)
}

// takeNoOps lets every open observation that is legal and changes nothing take effect.
func (j *jit) takeNoOps(c *config) {
	for left := j.reads & j.isOpen &^ c.done; left != 0; left &= left - 1 {
		slot := bits.TrailingZeros64(left)
		if j.observes(c.state, j.open[slot]) {
			c.done |= 1 << slot
		}
	}
}

// returns leads every configuration to ones in which the call in slot took effect.
func (j *jit) returns(slot int) {
	bit := uint64(1) << slot
	var next, work []*config
	clear(j.seen)
	for _, c := range j.frontier {
		if c.done&bit == 0 {
			work = append(work, c)
		} else if j.addIfNew(c) {
			next = append(next, c)
		}
	}
	for len(work) > 0 && j.stopped == nil {
		c := work[len(work)-1]
		work = work[:len(work)-1]
		if !j.addIfNew(c) {
			continue
		}
		if c.done&bit != 0 {
			next = append(next, c)
			continue
		}
		work = j.expand(c, work)
		if len(work)+len(next) > maxConfigs {
			j.stopped = errSearchMemory
		}
	}
	j.isOpen &^= bit
	j.reads &^= bit
	j.open[slot] = nil
	for _, c := range next {
		c.done &^= bit
	}
	j.frontier = next
	if len(next) == 1 {
		j.commit(next[0])
	}
}

// commit removes the operations that the only remaining configuration has used from those available.
func (j *jit) commit(c *config) {
	for _, class := range c.used {
		j.avail[class]--
	}
	c.used = nil
}

// expand appends the configurations one step further than c.
func (j *jit) expand(c *config, work []*config) []*config {
	for left := j.isOpen &^ c.done; left != 0; left &= left - 1 {
		slot := bits.TrailingZeros64(left)
		if ok, state := j.step(c.state, j.open[slot]); ok {
			next := &config{state: state, done: c.done | 1<<slot, used: c.used}
			j.takeNoOps(next)
			work = append(work, next)
		}
	}
	for class := range j.asks {
		if int32(count(c.used, int32(class))) >= j.avail[class] {
			continue
		}
		ok, state := j.step(c.state, j.asks[class])
		if !ok || j.equal(state, c.state) || !j.needed(c, state) {
			continue
		}
		next := &config{state: state, done: c.done, used: insert(c.used, int32(class))}
		j.takeNoOps(next)
		work = append(work, next)
	}
	return work
}

// needed reports whether something can happen in the state that could not happen in c: an open call, or a
// call with unknown outcome that changes something only now.
func (j *jit) needed(c *config, state any) bool {
	for left := j.isOpen &^ c.done; left != 0; left &= left - 1 {
		op := j.open[bits.TrailingZeros64(left)]
		if after, _ := j.step(state, op); !after {
			continue
		}
		if before, _ := j.step(c.state, op); !before {
			return true
		}
	}
	for class := range j.asks {
		if j.avail[class] == 0 {
			continue
		}
		_, after := j.step(state, j.asks[class])
		if j.equal(after, state) {
			continue
		}
		if _, before := j.step(c.state, j.asks[class]); j.equal(before, c.state) {
			return true
		}
	}
	return false
}

// count counts x in a sorted list.
func count(list []int32, x int32) int {
	at, ok := slices.BinarySearch(list, x)
	if !ok {
		return 0
	}
	n := 0
	for ; at < len(list) && list[at] == x; at++ {
		n++
	}
	return n
}

// insert returns a sorted copy of list with x in it.
func insert(list []int32, x int32) []int32 {
	at, _ := slices.BinarySearch(list, x)
	longer := make([]int32, 0, len(list)+1)
	longer = append(longer, list[:at]...)
	return append(append(longer, x), list[at:]...)
}

// addIfNew adds c to the configurations seen at this return, unless one of them makes it needless.
func (j *jit) addIfNew(c *config) bool {
	key := c.done * 0x9E3779B185EBCA87
	if j.m.Hash != nil {
		key ^= j.m.Hash(c.state)
	}
	for _, old := range j.seen[key] {
		if old.done == c.done && subset(old.used, c.used) && j.equal(old.state, c.state) {
			return false
		}
	}
	j.seen[key] = append(j.seen[key], c)
	return true
}

// subset reports whether a is contained in b, both sorted, with repetitions.
func subset(a, b []int32) bool {
	if len(a) > len(b) {
		return false
	}
	k := 0
	for _, x := range b {
		if k < len(a) && a[k] == x {
			k++
		}
	}
	return k == len(a)
}
