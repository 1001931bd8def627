package reach

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testTiming = NewTiming(time.Second)

// probeLink probes a link for a while, as a monitor does, and returns the time afterwards. Answers come after
// half a probe interval, and answered decides which do.
func probeLink(l *link, from, length time.Duration, answered func(at time.Duration) bool) time.Duration {
	t := &testTiming
	lost := 0 // of the probes that are not judged yet
	var pending []bool
	for now := from; now < from+length; now += t.Ping {
		if len(pending) == int(t.answerWithin()/t.Ping) {
			if !pending[0] {
				l.lose()
				lost++
			}
			pending = pending[1:]
		}
		l.update(now, t)
		ok := answered(now)
		pending = append(pending, ok)
		if ok {
			l.answer(now+t.Ping/2, now, 1, t)
		}
	}
	return from + length
}

func always(time.Duration) bool { return true }
func never(time.Duration) bool  { return false }

// TestALinkComesUpAfterThreeAnswersAndGoesDownAfterToken, and with each flap it is held longer.
func TestALinkComesUpAfterThreeAnswersAndGoesDownAfterToken(t *testing.T) {
	l := newLink()
	now := probeLink(&l, 0, 2*testTiming.Ping, always)
	require.False(t, l.isUp, "two answers")
	now = probeLink(&l, now, testTiming.Ping, always)
	require.True(t, l.isUp, "three answers")
	now = probeLink(&l, now, testTiming.Token, never)
	require.True(t, l.isUp, "the last answer is not older than the token timeout")
	now = probeLink(&l, now, testTiming.Ping, never)
	require.False(t, l.isUp)
	require.Equal(t, 1, l.flaps)
	now = probeLink(&l, now, 3*testTiming.Ping, always)
	require.True(t, l.isUp, "a first outage is not punished")
	now = probeLink(&l, now, 2*testTiming.Token, never)
	now = probeLink(&l, now, testTiming.Hold(2)-testTiming.Ping, always)
	require.False(t, l.isUp, "the second one is")
	probeLink(&l, now, qualityRisePings*testTiming.Ping, always)
	require.True(t, l.isUp)
}

func TestHoldGrowsAndIsBounded(t *testing.T) {
	for flaps, want := range []time.Duration{250 * time.Millisecond, 250 * time.Millisecond, time.Second,
		4 * time.Second, 16 * time.Second, 16 * time.Second} {
		require.Equal(t, want, testTiming.Hold(flaps), "%d flaps", flaps)
	}
	require.Equal(t, HoldMax, NewTiming(3*time.Second).Hold(flapsMax))
}

// TestDampingDoesNotAddToALongOutage: a node that was cut off for some time, after other cuts, is back within
// HoldMax of the beginning of the cut, or as soon as its link works.
func TestDampingDoesNotAddToALongOutage(t *testing.T) {
	for _, outage := range []time.Duration{2 * time.Second, 17 * time.Second, 31 * time.Second, time.Minute} {
		l := newLink()
		now := time.Duration(0)
		for range 6 {
			now = probeLink(&l, now, 40*time.Second, always)
			now = probeLink(&l, now, 2*time.Second, never)
		}
		now = probeLink(&l, now, 40*time.Second, always)
		require.True(t, l.isUp)
		require.Greater(t, l.flaps, 4)
		from := now
		now = probeLink(&l, now, outage, never)
		require.False(t, l.isUp)
		for !l.isUp {
			now = probeLink(&l, now, testTiming.Ping, always)
			require.Less(t, now-from, max(HoldMax, outage)+4*testTiming.Ping, "%v", outage)
		}
		require.GreaterOrEqual(t, now-from, min(testTiming.Hold(4)+outage, HoldMax), "%v", outage)
	}
}

// TestFlapsAreForgotten while the link stays up.
func TestFlapsAreForgotten(t *testing.T) {
	l := newLink()
	now := time.Duration(0)
	for range 4 {
		now = probeLink(&l, now, 30*time.Second, always)
		now = probeLink(&l, now, 2*time.Second, never)
	}
	require.Equal(t, 4, l.flaps)
	now = probeLink(&l, now, testTiming.Hold(4)+testTiming.forget(4)-time.Second, always)
	require.Equal(t, 4, l.flaps)
	now = probeLink(&l, now, 2*time.Second, always)
	require.Equal(t, 3, l.flaps)
	probeLink(&l, now, 3*forgetAfter+time.Second, always)
	require.Equal(t, 0, l.flaps)
}

// TestARestartIsNoFlap: what ended the other process is no fault of the link.
func TestARestartIsNoFlap(t *testing.T) {
	l := newLink()
	now := probeLink(&l, 0, time.Second, always)
	for boot := uint64(2); boot < 9; boot++ {
		now = probeLink(&l, now, 5*time.Second, never)
		require.Equal(t, 1, l.flaps)
		l.answer(now, now, boot, &testTiming)
		require.Equal(t, 0, l.flaps)
		l.answer(now+testTiming.Ping, now+testTiming.Ping, boot, &testTiming)
		l.answer(now+2*testTiming.Ping, now+2*testTiming.Ping, boot, &testTiming)
		require.True(t, l.isUp)
	}
}

// TestALossyLinkSettles: a link that loses every second probe goes down and stays down; one that loses a
// tenth stays up.
func TestALossyLinkSettles(t *testing.T) {
	l := newLink()
	now := probeLink(&l, 0, time.Second, always)
	changes, was := 0, l.isUp
	for i := range 4000 {
		now = probeLink(&l, now, testTiming.Ping, func(time.Duration) bool { return i%5 < 2 })
		if l.isUp != was {
			changes, was = changes+1, l.isUp
		}
	}
	require.LessOrEqual(t, changes, 4, "of a link that loses three in five")
	l = newLink()
	now = probeLink(&l, now, time.Second, always)
	for i := range 4000 {
		now = probeLink(&l, now, testTiming.Ping, func(time.Duration) bool { return i%10 > 0 })
		require.True(t, l.isUp)
	}
}

// TestFlapsAreRare: whatever pattern a link flaps in with up times below HoldMax, its changes get rare.
func TestFlapsAreRare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		up := time.Duration(rapid.IntRange(200, 12000).Draw(t, "up ms")) * time.Millisecond
		down := time.Duration(rapid.IntRange(200, 12000).Draw(t, "down ms")) * time.Millisecond
		l := newLink()
		changes, was := 0, false
		now := time.Duration(0)
		for now < 10*time.Minute {
			now = probeLink(&l, now, testTiming.Ping, func(at time.Duration) bool {
				return at%(up+down) < up
			})
			if l.isUp != was {
				changes, was = changes+1, l.isUp
			}
		}
		require.LessOrEqual(t, changes, 40, "in ten minutes")
	})
}
