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

// LinkDraws are the lists that decide on the packets of a link, one for each question, so that adding
// one fault leaves the answers to the other questions as they were.
type LinkDraws struct {
	Loss, Duplicate, Reorder, Delay draw.Chooser
}

// Delivery is the decision on one packet: how many copies arrive, and after which delays.
type Delivery struct {
	Copies int // 0: dropped
	Delay  [2]time.Duration
	// Reordered means that the first copy may be overtaken by later packets.
	Reordered bool
}

// Deliver decides on one packet. It draws only for the questions that the condition leaves open.
func (c *Condition) Deliver(d *LinkDraws) Delivery {
	if c.Cut || c.Loss > 0 && c.Loss.Hit(d.Loss.Choose(uint64(Always))) {
		return Delivery{}
	}
	v := Delivery{Copies: 1}
	v.Delay[0] = c.packetDelay(d)
	if c.Reorder > 0 && c.Reorder.Hit(d.Reorder.Choose(uint64(Always))) {
		v.Delay[0] += c.Latency + c.Jitter // late enough for followers to overtake
		v.Reordered = true
	}
	if c.Duplicate > 0 && c.Duplicate.Hit(d.Duplicate.Choose(uint64(Always))) {
		v.Copies = 2
		v.Delay[1] = c.packetDelay(d)
	}
	return v
}

// delayBits is the resolution of a delay draw.
const delayBits = 16

// packetDelay is the latency plus a tail: half of the packets get less than half of Jitter extra, one
// in 256 gets between Jitter and TailFactor times Jitter.
func (c *Condition) packetDelay(d *LinkDraws) time.Duration {
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

// Degraded returns the condition with a link fault's effects added; no probability exceeds [Always].
func (c Condition) Degraded(f *Fault) Condition {
	c.Loss = min(c.Loss+f.Loss, Always)
	c.Duplicate = min(c.Duplicate+f.Duplicate, Always)
	c.Reorder = min(c.Reorder+f.Reorder, Always)
	c.Latency += f.Latency
	c.Jitter += f.Jitter
	return c
}

// FIFO keeps the packets of one line in order: a packet with a shorter delay does not overtake
// the ones before it, unless it was reordered on purpose or is a duplicate.
type FIFO struct{ lastArrival time.Duration }

// Arrivals returns when the copies of a packet that is sent now arrive.
func (p *FIFO) Arrivals(now time.Duration, v *Delivery) [2]time.Duration {
	at := [2]time.Duration{now + v.Delay[0], now + v.Delay[1]}
	if v.Copies > 0 && !v.Reordered {
		at[0] = max(at[0], p.lastArrival+1) // never at one instant: the order would be open
		p.lastArrival = at[0]
	}
	return at
}
