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
		Delay: &scripted{}, Corrupt: &scripted{}}
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

// datagram makes a UDP frame with a payload; its checksum is 0xffff.
func datagram(to, from MAC, payload []byte) []byte {
	ip := make([]byte, minIPBytes+udpHeaderBytes)
	ip[0], ip[9] = 0x45, protocolUDP
	ip[minIPBytes+udpChecksumAt], ip[minIPBytes+udpChecksumAt+1] = 0xff, 0xff
	b := append(append(to[:len(to):len(to)], from[:]...), 0x08, 0x00)
	return append(append(b, ip...), payload...)
}

// delivered returns the frames that are due.
func delivered(t *deliverySchedule, now time.Duration) (frames [][]byte) {
	t.deliverDue(now, func(_ int, data []byte) bool {
		frames = append(frames, append([]byte(nil), data...))
		return true
	})
	return frames
}

func from1To2(f fault.Fault) *fault.Fault {
	f.From, f.To = []string{"n1"}, []string{"n2"}
	return &f
}

func TestCorruptDatagramsReachTheReceiver(t *testing.T) {
	net := fault.NewNet(names, fault.Condition{})
	tb := newDeliverySchedule(3, net, func(int, int) fault.LinkDraws {
		draws := tame(0, 0)
		draws.Corrupt = &scripted{draws: []uint64{uint64(fault.Always), 1, 0, 17}}
		return draws
	})
	net.Begin(from1To2(fault.Fault{Kind: fault.Corrupt, Share: fault.Always}))
	sent := datagram(MachineMAC(1), MachineMAC(0), []byte{0, 0, 0, 0})
	tb.acceptFrame(0, 0, sent)
	got := delivered(tb, 0)[0]
	body := headerBytes + minIPBytes + udpHeaderBytes
	require.Equal(t, []byte{1, 0, 2, 0}, got[body:], "two bits flip, in the payload")
	require.Equal(t, []byte{0, 0}, got[body-udpHeaderBytes+udpChecksumAt:][:2],
		"the kernel would drop it otherwise")
	require.Equal(t, sent[:body-2], got[:body-2])

	arp := append(append([]byte{}, sent[:12]...), 0x08, 0x06, 1, 2, 3)
	tb.acceptFrame(0, 0, arp)
	require.Equal(t, arp, delivered(tb, 0)[0], "what is not IPv4 stays as it is")
}

func TestCloggedFramesAreDeliveredInOrder(t *testing.T) {
	net := fault.NewNet(names, fault.Condition{Latency: time.Millisecond})
	tb := newDeliverySchedule(3, net, tame)
	now := time.Duration(0)
	net.OnFreed(func(from, to int) { tb.freeLink(now, from, to) })
	clog := from1To2(fault.Fault{Kind: fault.Clog, OneWay: true})
	net.Begin(clog)
	for i := range 5 {
		tb.acceptFrame(0, 0, ethernet(MachineMAC(1), MachineMAC(0), byte(i)))
	}
	tb.acceptFrame(0, 1, ethernet(MachineMAC(0), MachineMAC(1), 9))
	require.Equal(t, []delivery{{0, 9}}, arrived(tb, time.Hour), "the other way is free")
	_, waiting := tb.nextDue()
	require.False(t, waiting)
	now = time.Hour
	net.End(clog)
	require.Empty(t, arrived(tb, now))
	require.Equal(t, []delivery{{1, 0}, {1, 1}, {1, 2}, {1, 3}, {1, 4}}, arrived(tb, now+time.Millisecond))
	require.Zero(t, tb.heldCount)
}

func TestLimitedBandwidthDelaysUntilItIsFreed(t *testing.T) {
	net := fault.NewNet(names, fault.Condition{})
	tb := newDeliverySchedule(3, net, tame)
	now := time.Duration(0)
	net.OnFreed(func(from, to int) { tb.freeLink(now, from, to) })
	narrow := from1To2(fault.Fault{Kind: fault.Bandwidth, BytesPerSecond: 1, QueueBytes: 2})
	net.Begin(narrow)
	for i := range 4 {
		tb.acceptFrame(0, 0, ethernet(MachineMAC(1), MachineMAC(0), byte(i))) // one byte behind the header
	}
	require.EqualValues(t, 1, tb.stats.Dropped, "two bytes may wait behind the first")
	require.Equal(t, []delivery{{1, 0}}, arrived(tb, time.Second))
	now = 1500 * time.Millisecond
	net.End(narrow)
	require.Equal(t, []delivery{{1, 1}, {1, 2}}, arrived(tb, now))
}
