package totem_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// traffic is what three nodes really say to each other, opened: the seeds of the fuzzing.
func traffic(tb testing.TB) [][]byte {
	w := newBareRing(tb, 3, nil)
	o, err := wire.NewOpener(testKey, []ring.NodeID{1, 2, 3})
	require.NoError(tb, err)
	var out [][]byte
	kinds := map[byte]int{}
	drop := 0
	for i := range 600 {
		switch i {
		case 20:
			require.NoError(tb, w.envs[0].node.Multicast(cpg.Safe, make([]byte, 3000)))
		case 60:
			w.envs[1].node.Reform()
		}
		if w.head < len(w.queue) {
			if _, plain, err := o.Open(nil, w.queue[w.head].payload); err == nil && kinds[plain[0]] < 8 {
				kinds[plain[0]]++
				out = append(out, plain)
			}
		}
		if i > 20 && i < 60 && w.head < len(w.queue) && w.queue[w.head].to == 2 && drop < 2 &&
			len(w.queue[w.head].payload) > 500 {
			drop++ // a lost packet makes for a retransmit list and a recovery with old packets
			w.head++
			continue
		}
		w.step()
	}
	return out
}

// FuzzBehindTheSeal feeds a node messages that carry the cluster's key and are otherwise anything.
// The node may refuse, gather or be fooled into a ring; it must not crash, and once the liar is
// silent the ring must form again.
func FuzzBehindTheSeal(f *testing.F) {
	seeds := traffic(f)
	for i, s := range seeds {
		f.Add(s, seeds[(i+1)%len(seeds)], seeds[(i*7+3)%len(seeds)], uint8(i))
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte, when uint8) {
		w := newBareRing(t, 3, nil)
		if when%3 == 1 {
			w.envs[0].node.Reform()
		}
		for range when {
			w.step()
		}
		liar, err := wire.NewSealer(testKey, 2, wire.Boot{Count: 1000})
		require.NoError(t, err)
		target := w.envs[when%2*2].node
		for _, m := range [][]byte{a, b, c} {
			if len(m) > env.MaxDatagramBytes-wire.OverheadBytes {
				return
			}
			target.Step(env.Received{From: 1, Payload: liar.Seal(nil, m)})
			w.step()
			w.step()
		}
		for id := range NumTimers {
			target.Step(env.TimerFired{ID: id})
		}
		for range 100 {
			w.step()
		}
	})
}
