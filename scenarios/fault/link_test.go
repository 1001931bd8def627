package fault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// drawn is a chooser whose values rapid generates.
type drawn struct{ t *rapid.T }

func (d drawn) Choose(n uint64) uint64 { return rapid.Uint64Range(0, n-1).Draw(d.t, "draw") }

func drawsOf(c draw.Chooser) *fault.LinkDraws {
	return &fault.LinkDraws{Loss: c, Duplicate: c, Reorder: c, Delay: c}
}

type zero struct{}

func (zero) Choose(uint64) uint64 { return 0 }

func anyPPM(t *rapid.T, name string) fault.PPM {
	return fault.PPM(rapid.Uint32Range(0, uint32(fault.Always)).Draw(t, name))
}

func anyCondition(t *rapid.T) fault.Condition {
	return fault.Condition{Cut: rapid.Bool().Draw(t, "cut"), Loss: anyPPM(t, "loss"),
		Duplicate: anyPPM(t, "duplicate"), Reorder: anyPPM(t, "reorder"),
		Latency: time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "latency")),
		Jitter:  time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "jitter"))}
}

func TestNoPacketIsEarlierThanTheLatency(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCondition(t)
		v := c.Deliver(drawsOf(drawn{t}))
		require.LessOrEqual(t, v.Copies, 2)
		for _, delay := range v.Delay[:v.Copies] {
			require.GreaterOrEqual(t, delay, c.Latency)
			require.LessOrEqual(t, delay, 2*c.Latency+(fault.TailFactor+1)*c.Jitter)
		}
	})
}

func TestACutDropsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCondition(t)
		c.Cut = true
		require.Zero(t, c.Deliver(drawsOf(drawn{t})))
		c.Cut, c.Loss = false, fault.Always
		require.Zero(t, c.Deliver(drawsOf(drawn{t})))
	})
}

// TestZeroDrawsAreTheTamest: a draw of 0 never loses, doubles, reorders or delays, unless that is
// certain.
func TestZeroDrawsAreTheTamest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCondition(t)
		c.Cut, c.Loss = false, min(c.Loss, fault.Always-1)
		c.Duplicate, c.Reorder = min(c.Duplicate, fault.Always-1), min(c.Reorder, fault.Always-1)
		require.Equal(t, fault.Delivery{Copies: 1, Delay: [2]time.Duration{c.Latency}},
			c.Deliver(drawsOf(zero{})))
	})
}

func TestProbabilitiesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPPM(t, "p")
		hits := 0
		for _, d := range []uint64{0, uint64(fault.Always - max(p, 1)), uint64(fault.Always - p),
			uint64(fault.Always) - 1} {
			if d < uint64(fault.Always) && p.Hit(d) {
				hits++
			}
		}
		require.Equal(t, p > 0, hits > 0)
		require.False(t, fault.PPM(0).Hit(uint64(fault.Always)-1))
		require.True(t, fault.Always.Hit(0))
		var again fault.PPM
		text, err := p.MarshalText()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, p, again)
	})
}

func FuzzPPM(f *testing.F) {
	for _, text := range []string{"5%", "0.25%", "200ppm", "100%", "101%", "-1%", "1.00001%", "%", "ppm"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p, again fault.PPM
		if p.UnmarshalText([]byte(text)) != nil {
			return
		}
		require.LessOrEqual(t, p, fault.Always)
		require.NoError(t, again.UnmarshalText([]byte(p.String())))
		require.Equal(t, p, again)
	})
}

func TestWorseNeverImprovesALink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, add := anyCondition(t), anyCondition(t)
		w := c.Degraded(&fault.Fault{Kind: fault.Link, Loss: add.Loss, Duplicate: add.Duplicate,
			Reorder: add.Reorder,
			Latency: add.Latency, Jitter: add.Jitter})
		require.Equal(t, c.Cut, w.Cut)
		for _, p := range [][2]fault.PPM{{c.Loss, w.Loss}, {c.Duplicate, w.Duplicate},
			{c.Reorder, w.Reorder}} {
			require.GreaterOrEqual(t, p[1], p[0])
			require.LessOrEqual(t, p[1], fault.Always)
		}
		require.GreaterOrEqual(t, w.Latency, c.Latency)
		require.GreaterOrEqual(t, w.Jitter, c.Jitter)
	})
}

// TestPaceKeepsTheOrder: packets that were not reordered arrive one after the other.
func TestPaceKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCondition(t)
		c.Cut, c.Loss = false, 0
		var p fault.FIFO
		var now, last time.Duration
		for range 10 {
			now += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "wait"))
			v := c.Deliver(drawsOf(drawn{t}))
			at := p.Arrivals(now, &v)
			require.GreaterOrEqual(t, at[0], now+c.Latency)
			if !v.Reordered {
				require.Greater(t, at[0], last)
				last = at[0]
			}
		}
	})
}
