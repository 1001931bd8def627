package wire_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/wire"
)

var key = []byte("0123456789abcdef0123456789abcdef")

func sealer(tb testing.TB, node ring.NodeID, count uint64, salt byte) *Sealer {
	s, err := NewSealer(key, node, Boot{Count: count, ID: BootID{salt}})
	require.NoError(tb, err)
	return s
}

func opener(tb testing.TB, nodes ...ring.NodeID) *Opener {
	o, err := NewOpener(key, nodes)
	require.NoError(tb, err)
	return o
}

func TestRoundTrip(t *testing.T) {
	s, o := sealer(t, 7, 1, 1), opener(t, 7)
	for _, text := range []string{"", "x", "a longer payload that spans several cipher blocks, to be sure"} {
		packet := s.Seal(nil, []byte(text))
		require.Len(t, packet, len(text)+OverheadBytes)
		from, got, err := o.Open(nil, packet)
		require.NoError(t, err)
		require.Equal(t, ring.NodeID(7), from)
		require.Equal(t, text, string(got))
	}
}

func TestAlteredPacketsChangeNothing(t *testing.T) {
	s, o := sealer(t, 7, 1, 1), opener(t, 7)
	good := s.Seal(nil, []byte("payload"))
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			_, _, err := o.Open(nil, bad)
			require.ErrorIs(t, err, ErrForeign, "byte %d bit %d", i, bit)
		}
	}
	for i := range good {
		_, _, err := o.Open(nil, good[:i])
		require.ErrorIs(t, err, ErrForeign)
	}
	require.Zero(t, o.Stats().Accepted)
	_, _, err := o.Open(nil, good)
	require.NoError(t, err, "the genuine packet still counts")
}

func TestForeignNodesAndKeys(t *testing.T) {
	o := opener(t, 7)
	_, _, err := o.Open(nil, sealer(t, 8, 1, 1).Seal(nil, []byte("x")))
	require.ErrorIs(t, err, ErrForeign)
	other, err := NewSealer(bytes.Repeat([]byte{9}, 32), 7, Boot{Count: 1})
	require.NoError(t, err)
	_, _, err = o.Open(nil, other.Seal(nil, []byte("x")))
	require.ErrorIs(t, err, ErrForeign)
	_, err = NewOpener([]byte("short"), nil)
	require.ErrorIs(t, err, ErrKey)
	_, err = NewSealer(make([]byte, MaxKeyBytes+1), 1, Boot{})
	require.ErrorIs(t, err, ErrKey)
}

func TestOlderBootsAreRefusedOnceANewerOneWasHeard(t *testing.T) {
	o := opener(t, 7)
	first, second := sealer(t, 7, 1, 1), sealer(t, 7, 2, 2)
	recorded := first.Seal(nil, []byte("a"))
	_, _, err := o.Open(nil, first.Seal(nil, []byte("b")))
	require.NoError(t, err)
	_, _, err = o.Open(nil, second.Seal(nil, []byte("c")))
	require.NoError(t, err)
	from, got, err := o.Open(nil, recorded)
	require.ErrorIs(t, err, ErrStaleBoot)
	require.Equal(t, ring.NodeID(7), from)
	require.Empty(t, got)
	// The same count with another random part is a wiped node: it has to take a higher count.
	_, _, err = o.Open(nil, sealer(t, 7, 2, 3).Seal(nil, []byte("d")))
	require.ErrorIs(t, err, ErrStaleBoot)
	boot, ok := o.Newest(7)
	require.True(t, ok)
	require.Equal(t, Boot{Count: 2, ID: BootID{2}}, boot)
}

// TestWindow holds the window against the plain meaning of it: a set of what was accepted.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := NewSealer(key, 7, Boot{Count: 1})
		require.NoError(t, err)
		o, err := NewOpener(key, []ring.NodeID{7})
		require.NoError(t, err)
		var packets [][]byte
		seen := map[int]bool{}
		highest := -1
		for range rapid.IntRange(1, 60).Draw(t, "rounds") {
			for range rapid.SampledFrom([]int{1, 3, 700, WindowPackets + 3}).Draw(t, "sent") {
				packets = append(packets, s.Seal(nil, nil))
			}
			at := len(packets) - 1 - rapid.IntRange(0, min(len(packets)-1, WindowPackets+5)).Draw(t, "back")
			_, _, err := o.Open(nil, packets[at])
			if seen[at] || at <= highest-WindowPackets {
				require.ErrorIs(t, err, ErrReplayed)
				continue
			}
			require.NoError(t, err)
			seen[at] = true
			highest = max(highest, at)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{})
	f.Add(sealer(f, 7, 1, 1).Seal(nil, []byte("payload")))
	f.Add(sealer(f, 7, 2, 1).Seal(nil, nil))
	f.Add(sealer(f, 8, 1, 1).Seal(nil, []byte("payload")))
	genuine := [][]byte{}
	s := sealer(f, 7, 1, 1)
	for range 3 {
		genuine = append(genuine, s.Seal(nil, []byte("payload")))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		o := opener(t, 7)
		_, _, err := o.Open(nil, genuine[0])
		require.NoError(t, err)
		before := bytes.Clone(packet)
		_, got, err := o.Open(nil, packet)
		require.Equal(t, before, packet, "the packet was written to")
		if err != nil {
			require.Empty(t, got)
			boot, _ := o.Newest(7)
			require.Equal(t, Boot{Count: 1, ID: BootID{1}}, boot)
			_, _, err = o.Open(nil, genuine[1])
			require.NoError(t, err, "a refused packet changed something")
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	for _, size := range []int{64, 1400} {
		name := map[int]string{64: "token", 1400: "packet"}[size]
		b.Run(name, func(b *testing.B) {
			s, o := sealer(b, 7, 1, 1), opener(b, 5, 6, 7)
			payload, packet, plain := make([]byte, size), []byte(nil), []byte(nil)
			b.ReportAllocs()
			for b.Loop() {
				packet = s.Seal(packet[:0], payload)
				_, out, err := o.Open(plain[:0], packet)
				if err != nil {
					b.Fatal(err)
				}
				plain = out
			}
		})
	}
}
