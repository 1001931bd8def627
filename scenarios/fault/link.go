package fault

import (
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Condition is the state of one ordered pair of machines on one link.
type Condition struct {
	Cut       bool
	Loss      PPM
	Duplicate PPM
	Reorder   PPM
	Latency   time.Duration // at least this
	Jitter    time.Duration // typical extra delay; rarely up to TailFactor times as much
}

// TailFactor is how many times Jitter the longest extra delay is.
const TailFactor = 8

// Draws are the streams that a link's fate is drawn from, one for each question, so that adding
// one fault leaves the answers to the other questions as they were.
type Draws struct {
	Loss, Duplicate, Reorder, Delay draw.Chooser
}

// Verdict is what becomes of one packet: Copies deliveries, each after its delay.
type Verdict struct {
	Copies int // 0: dropped
	Delay  [2]time.Duration
	// Reordered says that the first copy does not keep its place in the line.
	Reordered bool
}

// Judge decides on one packet. Only questions that the condition leaves open are drawn.
func (c *Condition) Judge(d *Draws) Verdict {
	if c.Cut || c.Loss > 0 && c.Loss.Hit(d.Loss.Choose(uint64(Always))) {
		return Verdict{}
	}
	v := Verdict{Copies: 1}
	v.Delay[0] = c.delay(d)
	if c.Reorder > 0 && c.Reorder.Hit(d.Reorder.Choose(uint64(Always))) {
		v.Delay[0] += c.Latency + c.Jitter // late enough for followers to overtake
		v.Reordered = true
	}
	if c.Duplicate > 0 && c.Duplicate.Hit(d.Duplicate.Choose(uint64(Always))) {
		v.Copies = 2
		v.Delay[1] = c.delay(d)
	}
	return v
}

// delayBits is the resolution of a delay draw.
const delayBits = 16

// delay is the latency plus a tail: half of the packets get less than half of Jitter extra, one
// in 256 gets between Jitter and TailFactor times Jitter.
func (c *Condition) delay(d *Draws) time.Duration {
	if c.Jitter <= 0 {
		return c.Latency
	}
	draw := d.Delay.Choose(1 << delayBits)
	const tail = 1<<delayBits - 1<<(delayBits-8)
	if draw < tail {
		return c.Latency + c.Jitter*time.Duration(draw)/tail
	}
	over := time.Duration(draw-tail) * (TailFactor - 1)
	return c.Latency + c.Jitter + c.Jitter*over/(1<<(delayBits-8))
}

// Worse returns the condition with a link fault's effects added.
func (c Condition) Worse(f *Fault) Condition {
	c.Loss = min(c.Loss+f.Loss, Always)
	c.Duplicate = min(c.Duplicate+f.Duplicate, Always)
	c.Reorder = min(c.Reorder+f.Reorder, Always)
	c.Latency += f.Latency
	c.Jitter += f.Jitter
	return c
}

// Pace keeps the packets of one line in order: a packet with a shorter delay does not overtake
// the ones before it, unless it was reordered on purpose or is a duplicate.
type Pace struct{ last time.Duration }

// Arrivals turns a verdict into times of arrival.
func (p *Pace) Arrivals(now time.Duration, v *Verdict) [2]time.Duration {
	at := [2]time.Duration{now + v.Delay[0], now + v.Delay[1]}
	if v.Copies > 0 && !v.Reordered {
		at[0] = max(at[0], p.last+1) // never at one instant: the order would be open
		p.last = at[0]
	}
	return at
}
