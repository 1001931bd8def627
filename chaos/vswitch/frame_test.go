package vswitch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// scripted gives the draws that a test wrote down, then zeros.
type scripted struct{ draws []uint64 }

func (s *scripted) Choose(n uint64) uint64 {
	if len(s.draws) == 0 {
		return 0
	}
	draw := s.draws[0]
	s.draws = s.draws[1:]
	return min(draw, n-1)
}

func tame(int, int) fault.LinkDraws {
	return fault.LinkDraws{Loss: &scripted{}, Duplicate: &scripted{}, Reorder: &scripted{},
		Delay: &scripted{}}
}

var names = []string{"n1", "n2", "n3"}

// ethernet makes a frame; the byte is its content.
func ethernet(to, from MAC, content byte) []byte {
	b := append(append(to[:len(to):len(to)], from[:]...), 0x08, 0x00)
	return append(b, content)
}

type delivery struct {
	to      int
	content byte
}

// arrived delivers what is due and returns it.
func arrived(t *deliverySchedule, now time.Duration) []delivery {
	var out []delivery
	t.deliverDue(now, func(to int, data []byte) bool {
		out = append(out, delivery{to, data[len(data)-1]})
		return true
	})
	return out
}

func TestFramesGoWhereTheyShallInTheirOrder(t *testing.T) {
	net := fault.NewNet(names, fault.Condition{Latency: time.Millisecond})
	tb := newDeliverySchedule(3, net, tame)
	for i := range 5 {
		tb.acceptFrame(0, 0, ethernet(MachineMAC(1), MachineMAC(0), byte(i)))
	}
	require.Empty(t, arrived(tb, time.Millisecond-1))
	due, waiting := tb.nextDue()
	require.True(t, waiting)
	require.Equal(t, time.Millisecond, due)
	require.Equal(t, []delivery{{1, 0}, {1, 1}, {1, 2}, {1, 3}, {1, 4}}, arrived(tb, time.Millisecond))

	tb.acceptFrame(0, 2, ethernet(MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MachineMAC(2), 9))
	require.Equal(t, []delivery{{0, 9}, {1, 9}}, arrived(tb, time.Second), "to everybody else")
	require.EqualValues(t, 2, tb.stats.Late)

	tb.acceptFrame(0, 0, ethernet(MAC{2, 2, 2, 2, 2, 2}, MachineMAC(0), 1))
	tb.acceptFrame(0, 0, []byte("short"))
	tb.acceptFrame(0, 0, ethernet(MachineMAC(0), MachineMAC(0), 1))
	require.Empty(t, arrived(tb, time.Hour))
	require.EqualValues(t, 3, tb.stats.Malformed)
	require.EqualValues(t, 9, tb.stats.Received)
}

func TestConditionsAreThoseOfOrderedPairs(t *testing.T) {
	net := fault.NewNet(names, fault.Condition{})
	tb := newDeliverySchedule(3, net, tame)
	net.Begin(&fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"n2"}, OneWay: true})
	slow := &fault.Fault{Kind: fault.Link, From: []string{"n1"}, To: []string{"n3"}, OneWay: true,
		Latency: time.Second}
	net.Begin(slow)
	for from, to := range map[int]int{0: 1, 1: 0} {
		tb.acceptFrame(0, from, ethernet(MachineMAC(to), MachineMAC(from), byte(from)))
	}
	tb.acceptFrame(0, 0, ethernet(MachineMAC(2), MachineMAC(0), 7))
	require.Equal(t, []delivery{{0, 1}}, arrived(tb, 0), "the other way is open")
	require.EqualValues(t, 1, tb.stats.Dropped)
	net.End(slow)
	tb.acceptFrame(0, 0, ethernet(MachineMAC(2), MachineMAC(0), 8))
	require.Equal(t, []delivery{{2, 8}}, arrived(tb, 0), "what waits keeps waiting")
	require.Equal(t, []delivery{{2, 7}}, arrived(tb, time.Second))
}

func TestLossDuplicationAndReordering(t *testing.T) {
	always := uint64(fault.Always) - 1
	net := fault.NewNet(names, fault.Condition{Loss: 1, Duplicate: 1, Reorder: 1, Latency: time.Millisecond})
	tb := newDeliverySchedule(3, net, func(int, int) fault.LinkDraws {
		return fault.LinkDraws{Loss: &scripted{[]uint64{always}}, Duplicate: &scripted{[]uint64{0, always}},
			Reorder: &scripted{[]uint64{always}}, Delay: &scripted{}}
	})
	for i := range 3 { // the first is lost, the second late, the third comes twice
		tb.acceptFrame(0, 0, ethernet(MachineMAC(1), MachineMAC(0), byte(i)))
	}
	require.Equal(t, []delivery{{1, 2}, {1, 2}, {1, 1}}, arrived(tb, time.Second))
}

func TestQueueIsBounded(t *testing.T) {
	net := fault.NewNet(names, fault.Condition{Latency: time.Hour})
	tb := newDeliverySchedule(3, net, tame)
	for range MaxQueuedFrames + 5 {
		tb.acceptFrame(0, 0, ethernet(MachineMAC(1), MachineMAC(0), 0))
	}
	require.EqualValues(t, 5, tb.stats.Overflowed)
	require.Len(t, tb.dueFrames, MaxQueuedFrames)
}

func TestRefusedFramesAreCounted(t *testing.T) {
	tb := newDeliverySchedule(3, fault.NewNet(names, fault.Condition{}), tame)
	tb.acceptFrame(0, 0, ethernet(MachineMAC(1), MachineMAC(0), 0))
	tb.deliverDue(0, func(int, []byte) bool { return false })
	require.EqualValues(t, 1, tb.stats.Refused)
	require.Zero(t, tb.stats.Delivered)
}
