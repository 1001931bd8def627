package reach

import "time"

// The quality of a link is the moving average of its answered probes, from 0 to qualityFull.
const (
	qualityFull  = 1 << 16
	qualityShift = 4                    // a probe has a weight of 1/16
	qualityDown  = qualityFull * 4 / 10 // below it a link is down
	qualityUp    = qualityFull * 3 / 4  // a link with more than one flap is up only above it
	// qualityRisePings is after how many answers the quality has come from nothing to qualityUp.
	qualityRisePings = 22
)

// link is the state of one direction of reachability: whether this node's probes of another node are
// answered.
type link struct {
	isUp    bool
	flaps   int    // grows with each outage, and falls with time
	quality uint32 // see qualityFull
	boot    uint64 // of the other node, from its last answer; 0 before the first

	isAnswering  bool          // an answer came, and the run of answers since streakFrom is not broken
	answeredAt   time.Duration // when the last answer came
	answeredSent time.Duration // when the probe that it answers was sent
	streakFrom   time.Duration // when the first probe of the run was sent
	silentFrom   time.Duration // when the last answer before the run came
	isLossy      bool          // it was lost probes that brought the link down, and it was not silent since
	forgetFrom   time.Duration // since when the link is up, or has lost its last flap
}

func newLink() link { return link{quality: qualityFull} }

// answer takes an answer to the probe that was sent at a time. It is late if the probe counts as lost.
func (l *link) answer(now, sent time.Duration, boot uint64, t *Timing) {
	if boot != l.boot {
		l.restarted(boot)
	}
	l.quality += (qualityFull - l.quality) >> qualityShift
	if !l.isAnswering || sent-l.answeredSent > t.answerWithin() {
		l.isAnswering, l.streakFrom, l.silentFrom = true, sent, l.answeredAt
		l.isLossy = l.isLossy && now-l.answeredAt < t.Token
	}
	l.answeredAt, l.answeredSent = now, max(sent, l.answeredSent)
	l.update(now, t)
}

// restarted notes that another process of the other node answers. What ended the last one was no fault of the
// link, so it does not count as a flap.
func (l *link) restarted(boot uint64) {
	if l.boot != 0 {
		l.quality = qualityFull
		if !l.isUp {
			l.flaps = max(l.flaps-1, 0)
		}
	}
	l.boot = boot
}

// lose takes the loss of a probe.
func (l *link) lose() { l.quality -= l.quality >> qualityShift }

// update brings the link up or down if it is time to.
func (l *link) update(now time.Duration, t *Timing) {
	if l.isUp {
		switch {
		case now-l.answeredAt >= t.Token || l.quality < qualityDown:
			l.isLossy = now-l.answeredAt < t.Token
			l.down()
			l.flaps = min(l.flaps+1, flapsMax)
		case l.flaps > 0 && now-l.forgetFrom >= t.forget(l.flaps):
			l.flaps--
			l.forgetFrom = now
		}
		return
	}
	if l.isAnswering && now-l.answeredAt < 2*t.Ping && l.answeredSent-l.streakFrom >= l.hold(now, t) &&
		(l.flaps < 2 || l.quality > qualityUp || l.outlasts(now)) {
		// A first outage is forgiven: its lost probes would bring the link down again.
		l.isUp, l.forgetFrom, l.quality = true, now, max(l.quality, qualityUp)
	}
}

// hold returns for how long the link must work before it is up.
func (l *link) hold(now time.Duration, t *Timing) time.Duration {
	if t.isWaived || l.outlasts(now) {
		return t.Hold(0)
	}
	return t.Hold(l.flaps)
}

// outlasts reports whether the last outage began so long ago that damping must not add to it: what a node can
// bear counts from when it was cut off, and not from when its link works again.
func (l *link) outlasts(now time.Duration) bool { return !l.isLossy && now-l.silentFrom >= HoldMax }

// down brings the link down without counting a flap: the other node left, or this node is at fault.
func (l *link) down() { l.isUp, l.isAnswering = false, false }
