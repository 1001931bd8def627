package fault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func linkDraws(seed uint64) *fault.LinkDraws {
	list := func(label string) draw.Chooser { return draw.NewList(seed, "link", label) }
	return &fault.LinkDraws{Loss: list("loss"), Duplicate: list("duplicate"), Reorder: list("reorder"),
		Delay: list("delay"), Corrupt: list("corrupt")}
}

var oneToTwo = fault.Fault{From: []string{"n1"}, To: []string{"n2"}}

func limited(f fault.Fault) *fault.Fault {
	f.From, f.To = oneToTwo.From, oneToTwo.To
	return &f
}

// TestBandwidthQueuesAndDrops: 100 bytes take 100 ms at 1000 bytes a second, and 300 bytes may wait.
func TestBandwidthQueuesAndDrops(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	n.Begin(limited(fault.Fault{Kind: fault.Bandwidth, BytesPerSecond: 1000, QueueBytes: 300}))
	var q fault.Queue
	var waits []time.Duration
	for range 6 {
		v := fault.Delivery{Copies: 1}
		n.Shape(0, 1, linkDraws(1), &q, 0, 100, 72, &v)
		if v.Copies > 0 {
			waits = append(waits, v.Waits/time.Millisecond)
		}
	}
	require.Equal(t, []time.Duration{100, 200, 300, 400}, waits,
		"the fourth waits behind 300 bytes, the fifth is dropped")
	v := fault.Delivery{Copies: 1}
	n.Shape(0, 1, linkDraws(1), &q, time.Second, 100, 72, &v)
	require.Equal(t, 100*time.Millisecond, v.Waits, "the queue has drained")
}

func TestMTUDropsWhatIsTooLarge(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	f, other := limited(fault.Fault{Kind: fault.MTU, MTUBytes: 600}),
		limited(fault.Fault{Kind: fault.MTU, MTUBytes: 900})
	n.Begin(f)
	n.Begin(other)
	copies := func(bytes int) int {
		v := fault.Delivery{Copies: 1}
		n.CountPacket(0, 1)
		n.Shape(0, 1, linkDraws(1), &fault.Queue{}, 0, bytes, bytes, &v)
		return v.Copies
	}
	require.Equal(t, 1, copies(600))
	require.Zero(t, copies(601))
	require.False(t, n.Condition(0, 1).Passes())
	n.End(f)
	require.Equal(t, 1, copies(601), "the other one is wider")
	n.End(other)
	require.EqualValues(t, 1, n.Hits(f), "only what was too large counts")
	require.Zero(t, n.Hits(other))
	require.True(t, n.Condition(0, 1).Passes())
}

func TestCorruptFlipsBits(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	n.Begin(limited(fault.Fault{Kind: fault.Corrupt, Share: fault.Always / 2}))
	draws, corrupted := linkDraws(1), 0
	for range 1000 {
		v, packet := fault.Delivery{Copies: 1}, make([]byte, 10)
		n.Shape(0, 1, draws, &fault.Queue{}, 0, 38, len(packet), &v)
		require.Equal(t, 1, v.Copies)
		fault.Flip(packet, v.Flipped)
		for _, bit := range v.Flipped {
			require.Less(t, bit, 8*len(packet))
		}
		if len(v.Flipped) > 0 {
			corrupted++
		}
	}
	require.InDelta(t, 500, corrupted, 80)
	fault.Flip([]byte{1}, []int{8, 80}) // beyond the end
	v := fault.Delivery{Copies: 1}
	n.Shape(0, 1, draws, &fault.Queue{}, 0, 28, 0, &v)
	require.Empty(t, v.Flipped, "there is nothing to flip")
}

func TestFreedLinksAreReported(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	freed := 0
	n.OnFreed(func(from, to int) {
		require.False(t, n.Condition(from, to).Clogged)
		freed++
	})
	first, second := limited(fault.Fault{Kind: fault.Clog, OneWay: true}),
		limited(fault.Fault{Kind: fault.Clog})
	n.Begin(first)
	n.Begin(second)
	n.End(second)
	require.Equal(t, 1, freed, "n2 to n1; the first still clogs n1 to n2")
	n.End(first)
	require.Equal(t, 2, freed)
	narrow := limited(fault.Fault{Kind: fault.Bandwidth, BytesPerSecond: 1, OneWay: true})
	n.Begin(narrow)
	n.End(narrow)
	require.Equal(t, 3, freed)
}

func TestBaseOfSinglePairs(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{Latency: time.Millisecond})
	n.SetBase(func(from, to int, c *fault.Condition) { c.Latency += time.Duration(from+to) * time.Second })
	require.Equal(t, 3*time.Second+time.Millisecond, n.Condition(1, 2).Latency)
	require.Zero(t, *n.Condition(1, 1))
	f := limited(fault.Fault{Kind: fault.Link, Latency: time.Minute})
	n.Begin(f)
	n.End(f)
	require.Equal(t, time.Second+time.Millisecond, n.Condition(0, 1).Latency)
}

func TestAimedFaults(t *testing.T) {
	for kind, want := range map[fault.Kind]fault.Fault{
		fault.Partition: {Groups: [][]string{{"n2"}}}, fault.Clog: {From: []string{"n2"}},
		fault.Kill: {Machines: []string{"n2"}},
	} {
		f := fault.Fault{Kind: kind, Role: "leader"}
		require.True(t, f.IsAimed())
		aimed := f.AimedAt("n2")
		require.False(t, aimed.IsAimed())
		want.Kind, want.Role = kind, "leader"
		require.Equal(t, want, aimed)
		require.True(t, f.IsAimed(), "the fault itself stays as it is")
	}
}
