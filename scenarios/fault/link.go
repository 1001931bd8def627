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

	// Clogged holds every packet back; see [Net.OnFreed].
	Clogged bool
	// Shaped is set if one of the next fields is: only then a backend must call Shape.
	Shaped         bool
	Corrupt        PPM
	MTUBytes       int   // 0: no limit
	BytesPerSecond int64 // 0: no limit
	QueueBytes     int64 // of the queue of a limited bandwidth
}

// Passes reports whether packets of every size can arrive in time.
func (c *Condition) Passes() bool {
	return !c.Cut && !c.Clogged && c.Loss < Always && c.Corrupt < Always && c.MTUBytes == 0 &&
		c.BytesPerSecond == 0
}

// TailFactor is how many times Jitter the longest extra delay is.
const TailFactor = 8

// LinkDraws are the lists that decide on the packets of a link, one for each question, so that adding
// one fault leaves the answers to the other questions as they were.
type LinkDraws struct {
	Loss, Duplicate, Reorder, Delay, Corrupt draw.Chooser
}

// Delivery is the decision on one packet: how many copies arrive, and after which delays.
type Delivery struct {
	Copies int // 0: dropped
	Delay  [2]time.Duration
	// Reordered means that the first copy may be overtaken by later packets.
	Reordered bool
	// Waits is how long the packet waits for the line before it is sent, unless the line gets free earlier;
	// see [Net.OnFreed].
	Waits time.Duration
	// Flipped are the bits that arrive flipped, counted from the first bit of the packet.
	Flipped []int
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

// HeaderBytes are the IP and UDP headers of a datagram, which the limits of a link count.
const HeaderBytes = 28

// DefaultQueueBytes is the queue of a bandwidth fault unless it is given: what a small switch has for a port.
const DefaultQueueBytes = 64 << 10

// maxFlips is how many bits of a corrupted packet flip at most.
const maxFlips = 3

// Queue is the queue in front of one ordered pair's line while its bandwidth is limited. The zero value is
// empty.
type Queue struct{ freeAt time.Duration }

// Shape applies the limits of a link to a packet that Deliver lets pass: it drops it, delays it or flips some
// of its bits. bytes is the packet's length with IP and UDP headers, corruptible how many of its bytes may
// flip.
func (c *Condition) Shape(d *LinkDraws, q *Queue, now time.Duration, bytes, corruptible int, v *Delivery) {
	if c.MTUBytes > 0 && bytes > c.MTUBytes {
		*v = Delivery{}
		return
	}
	if c.BytesPerSecond > 0 && v.Copies > 0 {
		if v.Waits = q.add(c, now, bytes); v.Waits == 0 {
			*v = Delivery{}
			return
		}
	}
	if c.Corrupt > 0 && v.Copies > 0 && corruptible > 0 && c.Corrupt.Hit(d.Corrupt.Choose(uint64(Always))) {
		for range 1 + d.Corrupt.Choose(maxFlips) {
			v.Flipped = append(v.Flipped, int(d.Corrupt.Choose(uint64(corruptible)*8)))
		}
	}
}

// add returns how long a packet waits for those before it and for its own length; 0 if there is no room.
func (q *Queue) add(c *Condition, now time.Duration, bytes int) time.Duration {
	waits := max(q.freeAt-now, 0)
	takes := func(bytes int64) time.Duration {
		return time.Duration(bytes) * time.Second / time.Duration(c.BytesPerSecond)
	}
	if waits > takes(c.QueueBytes) {
		return 0
	}
	waits += max(takes(int64(bytes)), 1)
	q.freeAt = now + waits
	return waits
}

// Flip flips bits of a packet; those beyond its end are ignored.
func Flip(packet []byte, bits []int) {
	for _, bit := range bits {
		if bit/8 < len(packet) {
			packet[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// Limited returns the condition with the limit of a bandwidth, mtu or corrupt fault: of two limits the
// tighter one, and no share above [Always].
func (c Condition) Limited(f *Fault) Condition {
	c.Shaped = true
	c.Corrupt = min(c.Corrupt+f.Share, Always)
	if f.MTUBytes > 0 && (c.MTUBytes == 0 || f.MTUBytes < c.MTUBytes) {
		c.MTUBytes = f.MTUBytes
	}
	if f.BytesPerSecond > 0 && (c.BytesPerSecond == 0 || f.BytesPerSecond < c.BytesPerSecond) {
		c.BytesPerSecond, c.QueueBytes = f.BytesPerSecond, f.QueueBytes
		if c.QueueBytes == 0 {
			c.QueueBytes = DefaultQueueBytes
		}
	}
	return c
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
