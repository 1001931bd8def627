package totem_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// bareWorld is a world of nothing but a datagram queue: what is measured on it is the protocol.
type bareWorld struct {
	queue []bareDatagram
	head  int
	envs  []*bareEnv
	free  [][]byte
	now   time.Duration
}

type bareDatagram struct {
	from, to env.MachineID
	payload  []byte
}

type bareEnv struct {
	w    *bareWorld
	self env.MachineID
	disk *envtest.Disk
	node *Node
	seed uint64
}

func (e *bareEnv) Self() env.Self                      { return env.Self{Machine: e.self} }
func (e *bareEnv) Mono() time.Duration                 { return e.w.now }
func (e *bareEnv) Wall() time.Time                     { return time.Time{} }
func (e *bareEnv) SetTimer(env.TimerID, time.Duration) {}
func (e *bareEnv) StopTimer(env.TimerID)               {}
func (e *bareEnv) Local(string, []byte) error          { return nil }
func (e *bareEnv) Complete(env.OpID, []byte)           {}
func (e *bareEnv) Disk() env.Disk                      { return e.disk }
func (e *bareEnv) Rand(string) env.Rand                { return e }
func (e *bareEnv) Log() *slog.Logger                   { return slog.New(slog.DiscardHandler) }
func (e *bareEnv) Emit(env.Record)                     {}
func (e *bareEnv) Probe(string)                        {}
func (e *bareEnv) Exit(error)                          {}
func (e *bareEnv) Uint64() uint64                      { e.seed += 0x9e3779b97f4a7c15; return e.seed }
func (e *bareEnv) Deliver(Delivery)                    {}
func (e *bareEnv) Configure(Configuration)             { e.node.Open() }
func (e *bareEnv) Send(to env.MachineID, _ env.LinkID, payload []byte) {
	w := e.w
	var b []byte
	if n := len(w.free); n > 0 {
		b, w.free = w.free[n-1][:0], w.free[:n-1]
	}
	w.queue = append(w.queue, bareDatagram{from: e.self, to: to, payload: append(b, payload...)})
}

func (e *bareEnv) Fill(p []byte) {
	for i := range p {
		p[i] = byte(e.Uint64() >> 32)
	}
}

// step delivers the next datagram; it reports false when there is none.
func (w *bareWorld) step() bool {
	if w.head == len(w.queue) {
		return false
	}
	d := w.queue[w.head]
	w.head++
	if w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
	}
	w.envs[d.to].node.Step(env.Received{From: d.from, Payload: d.payload})
	w.free = append(w.free, d.payload)
	return true
}

// newBareRing forms a ring of n nodes that never rests.
func newBareRing(tb testing.TB, n int, tune func(*Config)) *bareWorld {
	w := &bareWorld{}
	for i := range n {
		cfg := Config{Node: ring.NodeID(i + 1), Key: testKey, Timers: DefaultTimers(time.Second),
			MTUBytes: 1400, StateFile: "ring", Quiet: true}
		cfg.Timers.SeqnoUnchanged = 1 << 20
		for m := range n {
			cfg.Peers = append(cfg.Peers, Peer{ID: ring.NodeID(m + 1), Machine: env.MachineID(m)})
		}
		if tune != nil {
			tune(&cfg)
		}
		e := &bareEnv{w: w, self: env.MachineID(i), disk: envtest.NewDisk(), seed: uint64(i)}
		var err error
		e.node, err = New(cfg, e)
		require.NoError(tb, err)
		w.envs = append(w.envs, e)
	}
	for _, e := range w.envs {
		require.NoError(tb, e.node.Start(e))
	}
	for len(w.envs[0].node.Members()) < n { // there are no timers here: find the others by hand
		for range 200 {
			w.step()
		}
		w.now += 125 * time.Millisecond
		for _, e := range w.envs {
			const timerReach, timerJoin, timerSettle = 3, 4, 8
			for _, id := range []env.TimerID{timerReach, timerJoin, timerSettle} {
				e.node.Step(env.TimerFired{ID: id})
			}
		}
	}
	require.Len(tb, w.envs[0].node.Members(), n)
	return w
}

// BenchmarkTokenHop is one hop of the token of an idle ring of three, sealing included.
func BenchmarkTokenHop(b *testing.B) {
	w := newBareRing(b, 3, nil)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if !w.step() {
			w.envs[0].node.MulticastFirst([]byte("x")) // it came to rest after a million rotations
		}
	}
}

// BenchmarkMessage is one small message ordered on a ring of three and delivered by all.
func BenchmarkMessage(b *testing.B) {
	w := newBareRing(b, 3, nil)
	payload := make([]byte, 100)
	b.ReportAllocs()
	b.ResetTimer()
	delivered := w.envs[0].node.Stats().Delivered
	sent := uint64(0)
	for b.Loop() {
		for w.envs[0].node.Multicast(cpg.Agreed, payload) != nil {
			w.step()
		}
		sent++
		if sent%8 == 0 {
			for w.envs[0].node.Stats().Delivered < delivered+sent {
				w.step()
			}
		}
	}
}
