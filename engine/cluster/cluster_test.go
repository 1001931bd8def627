package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// majority is quorate with more than half of the nodes.
type majority struct{ nodes int }

func (m majority) Info(totem.Configuration) []byte { return []byte("info") }

func (m majority) Done(_ totem.Configuration, infos []NodeInfo) cpg.Quorum {
	return cpg.Quorum{Quorate: 2*len(infos) > m.nodes, Votes: uint32(len(infos)), Expected: uint32(m.nodes),
		QuorumVotes: uint32(m.nodes/2 + 1)}
}

// testClient records what it is told; it says Hello when the cluster process is there.
type testClient struct {
	env  env.Env
	got  []cpg.Message
	busy int
}

func (c *testClient) Start(e env.Env) error { c.env = e; return nil }

func (c *testClient) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == cpg.Process {
			_ = c.env.Local(cpg.Process, cpg.Encode(cpg.Hello{}))
		}
	case env.LocalMessage:
		m, err := cpg.Decode(append([]byte(nil), ev.Payload...))
		if err != nil {
			panic(err)
		}
		if _, ok := m.(cpg.Busy); ok {
			c.busy++
			return
		}
		c.got = append(c.got, m)
	}
}

func (c *testClient) multicast(text string) {
	m := cpg.Multicast{Payload: []byte(text)}
	if err := c.env.Local(cpg.Process, cpg.Encode(m)); err != nil {
		panic(err)
	}
}

func (c *testClient) texts() []string {
	var out []string
	for _, m := range c.got {
		switch m := m.(type) {
		case cpg.Config:
			out = append(out, fmt.Sprintf("config %d %v %v greeting=%v", m.Kind, m.Ring, m.Members, m.Greeting))
		case cpg.Quorum:
			out = append(out, fmt.Sprintf("quorum %v %v", m.Ring, m.Quorate))
		case cpg.Deliver:
			out = append(out, fmt.Sprintf("%v %d: %s", m.Ring, m.From, m.Payload))
		}
	}
	return out
}

type world struct {
	*envtest.World
	t       *testing.T
	procs   []*Process
	clients []*testClient
}

func newWorld(t *testing.T, n int) *world {
	w := &world{World: envtest.New(), t: t}
	for i := range n {
		cfg := totem.Config{Node: ring.NodeID(i + 1), Key: make([]byte, 32), MTUBytes: 1400,
			Timers: totem.DefaultTimers(time.Second), StateFile: "cluster/ring"}
		for m := range n {
			cfg.Peers = append(cfg.Peers, totem.Peer{ID: ring.NodeID(m + 1), Machine: env.MachineID(m)})
		}
		p, err := New(cfg, majority{nodes: n})
		require.NoError(t, err)
		c := &testClient{}
		w.procs, w.clients = append(w.procs, p), append(w.clients, c)
		_, err = w.Start(env.MachineID(i), "store", c)
		require.NoError(t, err)
		_, err = w.Start(env.MachineID(i), Name, p)
		require.NoError(t, err)
	}
	return w
}

func TestClientsShareOneOrder(t *testing.T) {
	w := newWorld(t, 3)
	w.RunFor(2 * time.Second)
	for i, c := range w.clients {
		c.got = nil
		c.multicast(fmt.Sprintf("from %d", i+1))
	}
	w.RunFor(time.Second)
	require.Len(t, w.clients[0].texts(), 3)
	require.Equal(t, w.clients[0].texts(), w.clients[1].texts())
	require.Equal(t, w.clients[0].texts(), w.clients[2].texts())
}

func TestConfigThenQuorumThenMessages(t *testing.T) {
	w := newWorld(t, 3)
	w.RunFor(2 * time.Second)
	c := w.clients[1]
	c.got = nil
	c.multicast("before")
	w.RunFor(100 * time.Millisecond)
	w.Kill(w.Find(0, Name))
	w.RunFor(3 * time.Second)
	texts := c.texts()
	require.Equal(t, []string{"1.8 2: before", "config 0 1.8 [2 3] greeting=false",
		"config 1 2.c [2 3] greeting=false", "quorum 2.c true"}, texts)
	// Its own processes see the cluster process go; the store there says Hello to the next one.
	require.Equal(t, 0, c.busy)
}
