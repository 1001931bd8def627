package totem_test

import (
	"fmt"
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

const testToken = 1000 * time.Millisecond

var testKey = []byte("0123456789abcdef0123456789abcdef")

// testProc hosts one node and opens every ring at once.
type testProc struct {
	cfg    Config
	node   *Node
	env    env.Env
	onConf func(Configuration)
	onMsg  func(Delivery)
}

func (p *testProc) Start(e env.Env) error {
	p.env = e
	n, err := New(p.cfg, p)
	if err != nil {
		return err
	}
	p.node = n
	return n.Start(e)
}

func (p *testProc) Step(ev env.Event) { p.node.Step(ev) }

func (p *testProc) Deliver(d Delivery) {
	if p.onMsg != nil {
		p.onMsg(d)
	}
}

func (p *testProc) Configure(c Configuration) {
	if c.Kind == cpg.Regular {
		p.node.Open()
		p.node.MarkQuorum(2*len(c.Members) > len(p.cfg.Peers))
	}
	if p.onConf != nil {
		p.onConf(c)
	}
}

// cluster is a set of nodes in a test world; node ids are machine ids plus one.
type cluster struct {
	tb    testing.TB
	w     *envtest.World
	procs []*testProc
	envs  []*envtest.Proc
	tune  func(*Config)
	setup func(i int, p *testProc)
}

func newCluster(tb testing.TB, n int) *cluster {
	c := &cluster{tb: tb, w: envtest.New()}
	c.procs, c.envs = make([]*testProc, n), make([]*envtest.Proc, n)
	return c
}

func (c *cluster) config(i int) Config {
	cfg := Config{Node: ring.NodeID(i + 1), Key: testKey, Timers: DefaultTimers(testToken),
		MTUBytes: 1400, FirstTimer: 100, StateFile: "cluster/ring"}
	for m := range c.procs {
		cfg.Peers = append(cfg.Peers, Peer{ID: ring.NodeID(m + 1), Machine: env.MachineID(m)})
	}
	if c.tune != nil {
		c.tune(&cfg)
	}
	return cfg
}

func (c *cluster) boot(i int) {
	p := &testProc{cfg: c.config(i)}
	if c.setup != nil {
		c.setup(i, p)
	}
	c.procs[i] = p
	var err error
	c.envs[i], err = c.w.Start(env.MachineID(i), "cluster", p)
	require.NoError(c.tb, err)
}

func (c *cluster) bootAll() {
	for i := range c.procs {
		c.boot(i)
	}
}

func (c *cluster) kill(i int) { c.w.Kill(c.envs[i]) }

// oneRing reports whether the given nodes form one operational ring of exactly them.
func (c *cluster) oneRing(nodes ...int) bool {
	for _, i := range nodes {
		p := c.procs[i].node
		if p.State() != Operational || p.Ring() != c.procs[nodes[0]].node.Ring() ||
			len(p.Members()) != len(nodes) {
			return false
		}
	}
	return true
}

func TestBootOfThreeAndLossOfOne(t *testing.T) {
	c := newCluster(t, 3)
	got := make([][]string, 3)
	c.setup = func(i int, p *testProc) {
		p.onMsg = func(d Delivery) {
			got[i] = append(got[i], fmt.Sprintf("%v/%d %s", d.Ring, d.Ordinal,
				d.Payload))
		}
	}
	c.w.Logger = func(p *envtest.Proc) *slog.Logger {
		return slog.New(slog.NewTextHandler(testWriter{t, p}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c.bootAll()
	c.w.RunFor(2 * time.Second)
	require.True(t, c.oneRing(0, 1, 2))
	for i := range 30 {
		require.NoError(t, c.procs[i%3].node.Multicast(cpg.Guarantee(i%2), fmt.Appendf(nil, "m%d", i)))
	}
	c.w.RunFor(time.Second)
	require.Len(t, got[0], 30)
	require.Equal(t, got[0], got[1])
	require.Equal(t, got[0], got[2])
	c.kill(0)
	c.w.RunFor(5 * time.Second)
	require.True(t, c.oneRing(1, 2))
	c.boot(0)
	c.w.RunFor(5 * time.Second)
	require.True(t, c.oneRing(0, 1, 2))
}

type testWriter struct {
	t *testing.T
	p *envtest.Proc
}

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%v %s %s", w.p.Mono(), w.p.Self().Name, b)
	return len(b), nil
}
