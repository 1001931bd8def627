package cluster

import (
	"encoding/json"
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

// testClient records the messages that it receives. It sends Hello when the cluster process is up.
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
			out = append(out, fmt.Sprintf("config %d %v %v greeting=%v", m.Kind, m.Ring, m.Members,
				m.Greeting))
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
	return newWorldWith(t, n, func(int) Service { return &exchange{service: majority{nodes: n}} })
}

func newWorldWith(t *testing.T, n int, service func(i int) Service) *world {
	w := &world{World: envtest.New(), t: t}
	for i := range n {
		cfg := totem.Config{Node: ring.NodeID(i + 1), Key: make([]byte, 32), MTUBytes: 1400,
			Timers: totem.DefaultTimers(time.Second), StateFile: "cluster/ring"}
		for m := range n {
			cfg.Peers = append(cfg.Peers, totem.Peer{ID: ring.NodeID(m + 1), Machine: env.MachineID(m)})
		}
		p, err := NewWithService(cfg, service(i))
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
	// The processes of its machine see the cluster process end; the store sends Hello to the next one.
	require.Equal(t, 0, c.busy)
}

func TestMessagesQueuedEarlierWaitForTheExchange(t *testing.T) {
	w := newWorld(t, 2)
	w.RunFor(2 * time.Second)
	c := w.clients[0]
	c.got = nil
	w.procs[1].node.Reform()
	c.multicast("queued just before") // taken by the old ring, ordered in the new one
	w.RunFor(time.Second)
	texts := c.texts()
	require.Len(t, texts, 4)
	require.Contains(t, texts[0], "config 0")
	require.Contains(t, texts[1], "config 1")
	require.Contains(t, texts[2], "quorum")
	require.Contains(t, texts[3], "queued just before")
}

func TestBusyWhileTheRingIsFormed(t *testing.T) {
	w := newWorld(t, 2)
	w.RunFor(2 * time.Second)
	w.Kill(w.Find(1, Name))
	for range 1200 { // until the token is lost
		if w.procs[0].node.State() == totem.Gather {
			break
		}
		w.RunFor(time.Millisecond)
	}
	require.Equal(t, totem.Gather, w.procs[0].node.State())
	w.clients[0].multicast("now")
	w.RunFor(time.Millisecond)
	require.Equal(t, 1, w.clients[0].busy)
}

func TestReformIsLimitedInRateAndNotForgotten(t *testing.T) {
	w := newWorld(t, 2)
	w.RunFor(2 * time.Second)
	rings := func() uint64 { return w.procs[0].node.Stats().Rings }
	before := rings()
	for range 10 {
		require.NoError(t, w.clients[0].env.Local(cpg.Process, cpg.Encode(cpg.Reform{})))
	}
	w.RunFor(ReformEvery / 2)
	require.Equal(t, before+1, rings())
	w.RunFor(ReformEvery)
	require.Equal(t, before+2, rings())
	w.RunFor(3 * ReformEvery)
	require.Equal(t, before+2, rings())
}

func TestSlowClientIsGreetedAgain(t *testing.T) {
	w := newWorld(t, 2)
	w.RunFor(2 * time.Second)
	full := true
	w.LocalError = func(m env.MachineID, from, _ string) error {
		if full && m == 0 && from == Name {
			return env.ErrLocalFull
		}
		return nil
	}
	slow, other := w.clients[0], w.clients[1]
	slow.got, other.got = nil, nil
	other.multicast("one")
	w.RunFor(50 * time.Millisecond)
	full = false
	w.RunFor(50 * time.Millisecond)
	other.multicast("two")
	w.RunFor(50 * time.Millisecond)
	require.Equal(t, []string{"1.8 2: one", "1.8 2: two"}, other.texts())
	require.Equal(t, []string{"config 1 1.8 [1 2] greeting=true", "quorum 1.8 true", "1.8 2: two"},
		slow.texts())
}

func TestHelloIsGreetedAndTheRestartOfAClientToo(t *testing.T) {
	w := newWorld(t, 2)
	w.RunFor(2 * time.Second)
	again := &testClient{}
	w.Kill(w.Find(0, "store"))
	w.RunFor(10 * time.Millisecond)
	_, err := w.Start(0, "store", again)
	require.NoError(t, err)
	w.RunFor(10 * time.Millisecond)
	require.Equal(t, []string{"config 1 1.8 [1 2] greeting=true", "quorum 1.8 true"}, again.texts())
}

func TestLeaveOperation(t *testing.T) {
	w := newWorld(t, 3)
	w.RunFor(2 * time.Second)
	var answer string
	w.OnComplete = func(_ *envtest.Proc, _ env.OpID, output []byte) { answer = string(output) }
	w.Invoke(w.Find(2, Name), 1, []byte(OpLeave))
	w.RunFor(200 * time.Millisecond)
	require.Equal(t, OpDone, answer)
	require.False(t, w.Find(2, Name).Up())
	require.Equal(t, []ring.NodeID{1, 2}, w.procs[0].node.Members(), "no member waits for a timeout")
}

func TestRingOperation(t *testing.T) {
	w := newWorld(t, 3)
	w.RunFor(2 * time.Second)
	var answer string
	w.OnComplete = func(_ *envtest.Proc, _ env.OpID, output []byte) { answer = string(output) }
	ask := func(input string) string {
		answer = ""
		w.Invoke(w.Find(2, Name), 1, []byte(input))
		w.RunFor(10 * time.Millisecond)
		return answer
	}
	var s Status
	require.NoError(t, json.Unmarshal([]byte(ask(OpRing)), &s))
	require.Equal(t, Status{Node: 3, State: totem.Operational.String(), Ring: s.Decided, Decided: s.Decided,
		Members: []ring.NodeID{1, 2, 3}, Quorate: true, Votes: s.Votes, Expected: s.Expected,
		Required: s.Required, Rings: s.Rings, Tokens: s.Tokens, Sent: s.Sent, Delivered: s.Delivered}, s)
	require.NotZero(t, s.Rings)
	require.NotZero(t, s.Tokens)
	require.True(t, IsReadOnly([]byte(OpRing)))
	require.False(t, IsReadOnly([]byte(OpLeave)))
	require.Contains(t, ask("dance"), `the cluster process takes the operations`,
		"it is answered in any case")
}

// A local process that has ended its part has the node leave in the same way.
func TestLeaveMessage(t *testing.T) {
	w := newWorld(t, 3)
	w.RunFor(2 * time.Second)
	require.NoError(t, w.clients[2].env.Local(cpg.Process, cpg.Encode(cpg.Leave{})))
	w.RunFor(200 * time.Millisecond)
	require.False(t, w.Find(2, Name).Up())
	require.Equal(t, []ring.NodeID{1, 2}, w.procs[0].node.Members())
}

// The node looks for a ring when the client that it awaits sends Hello, or when the time is up.
func TestAwaitedClient(t *testing.T) {
	for name, c := range map[string]struct {
		client string
		after  time.Duration
	}{"it is there": {"store", 0}, "it never comes": {"another", 2 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			w := &world{World: envtest.New(), t: t}
			cfg := totem.Config{Node: 1, Peers: []totem.Peer{{ID: 1}}, Key: make([]byte, 32), MTUBytes: 1400,
				Timers: totem.DefaultTimers(time.Second), StateFile: "cluster/ring"}
			p, err := New(cfg, majority{nodes: 1})
			require.NoError(t, err)
			p.AwaitClient(c.client, 2*time.Second)
			_, err = w.Start(0, "store", &testClient{})
			require.NoError(t, err)
			_, err = w.Start(0, Name, p)
			require.NoError(t, err)
			if c.after > 0 {
				w.RunFor(c.after - time.Millisecond)
				require.Equal(t, totem.Stopped, p.node.State())
			}
			w.RunFor(500 * time.Millisecond)
			require.Equal(t, totem.Operational, p.node.State())
		})
	}
}

func TestExchangeGivesAllMembersTheSameInfos(t *testing.T) {
	var x exchange
	c := totem.Configuration{Ring: ring.ID{Seq: 4, Rep: 1}, Members: []ring.NodeID{1, 2, 3}}
	x.beginPhase(c)
	require.False(t, x.onBarrier(1), "a barrier before the infos is no end")
	require.False(t, x.onInfo(3, []byte("c")))
	require.False(t, x.onInfo(3, []byte("again")))
	require.False(t, x.onInfo(9, []byte("stranger")))
	require.False(t, x.onInfo(1, []byte("a")))
	require.True(t, x.onInfo(2, []byte("b")))
	require.Equal(t, []NodeInfo{{1, []byte("a")}, {2, []byte("b")}, {3, []byte("c")}}, x.infos)
	require.False(t, x.onBarrier(2))
	require.False(t, x.onBarrier(2))
	require.True(t, x.onBarrier(3))
	require.False(t, x.onBarrier(3), "it ends once")
	x.beginPhase(c)
	require.Empty(t, x.infos, "a new ring starts over")
}

func TestMalformedLocalMessagesAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	w.RunFor(time.Second)
	for _, bad := range [][]byte{{}, {99}, {2, 7}, cpg.Encode(cpg.Busy{})} {
		require.NoError(t, w.clients[0].env.Local(cpg.Process, bad))
	}
	w.RunFor(time.Second)
	require.True(t, w.Find(0, Name).Up())
}
