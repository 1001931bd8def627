package reach

import "time"

// Timing holds the times by which links are judged.
type Timing struct {
	Token time.Duration // the ring's token timeout: a link without an answer for this long is down
	Ping  time.Duration // interval between two probes of a link
	// isWaived means that no link is held for its flaps, see [Monitor.MarkQuorum].
	isWaived bool
}

const (
	// Settle is for how long a decision must be the same before a ring is formed on it. It is more than the
	// time in which rows spread, and what the two ends of a link notice at different times becomes one
	// change.
	Settle = 50 * time.Millisecond
	// RowEvery is the least time between two new rows of a node.
	RowEvery = 50 * time.Millisecond
	// HoldMax is the longest time for which damping keeps a link down, counted from the last answer before
	// its last outage: a link that was silent for longer is up again after three answers. It must be well
	// below the time of a watchdog (60 s), also together with what rings and agents need to go on:
	// otherwise an outage that a machine would have survived resets it. It is more than half a minute, so
	// that a link that flaps evenly with a period of up to that settles.
	HoldMax = 32 * time.Second
	// flapsMax bounds the count of flaps of a link.
	flapsMax = 12
	// forgetAfter is the least time after which a link that stays up has one flap less.
	forgetAfter = 60 * time.Second
	// pingMin is the shortest interval between probes that a usual token timeout leads to.
	pingMin = 20 * time.Millisecond
)

// NewTiming derives the times from the token timeout. Eight probes go into it, so that losing some of them
// does not bring a link down.
func NewTiming(token time.Duration) Timing {
	return Timing{Token: token, Ping: max(token/8, min(pingMin, token/4))}
}

// Hold returns for how long a link must work before it is up, after a number of flaps. A first outage is not
// punished: three answers in a row are enough.
func (t Timing) Hold(flaps int) time.Duration {
	if flaps < 2 {
		return 2 * t.Ping
	}
	return min(t.Token<<(2*min(flaps-2, 2)), HoldMax)
}

// forget returns how long a link must be up until it has one flap less.
func (t Timing) forget(flaps int) time.Duration { return max(forgetAfter, 8*t.Hold(flaps)) }

// answerWithin is the age at which an answer counts as lost.
func (t Timing) answerWithin() time.Duration { return t.Token / 2 }

// CutBound bounds the time from the last change of a cut network to the rings that remain, for nodes of which
// none is more than hops hops of a latency away: the link is noticed to be down, the rows spread, the
// decision stands, and the ring forms, for which forming is allowed.
func (t Timing) CutBound(hops int, latency, forming time.Duration) time.Duration {
	return t.Token + 2*t.Ping + RowEvery + time.Duration(hops)*latency + Settle + forming
}

// HealBound bounds the time from the end of the last fault to the ring of all, for links that have at most a
// number of flaps.
func (t Timing) HealBound(flaps, hops int, latency, forming time.Duration) time.Duration {
	held := t.Hold(flaps)
	if flaps >= 2 {
		held = min(held+qualityRisePings*t.Ping, max(HoldMax, t.Hold(0)))
	}
	return held + 2*t.Ping + RowEvery + time.Duration(hops)*latency + Settle + forming
}
