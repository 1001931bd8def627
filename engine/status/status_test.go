package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// rings represents the cluster processes of all machines. Each machine is in one ring, whose messages
// reach its members in one order.
type rings struct {
	t      testing.TB
	world  *envtest.World
	member [][]int // of each machine's ring
	seq    uint64
	local  []*cluster
	busy   bool // refuse everything
	sent   int
}

type cluster struct {
	rings   *rings
	machine int
	env     env.Env
	hello   bool
}

func (c *cluster) Start(e env.Env) error { c.env = e; return nil }

func (c *cluster) Step(ev env.Event) {
	m, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	message, err := cpg.Decode(m.Payload)
	require.NoError(c.rings.t, err)
	switch message := message.(type) {
	case cpg.Hello:
		c.hello = true
		c.config(true)
	case cpg.Multicast:
		if c.rings.busy {
			_ = c.env.Local(Process, cpg.Encode(cpg.Busy{Cookie: message.Cookie}))
			return
		}
		c.rings.sent++
		for _, to := range c.rings.member[c.machine] {
			other := c.rings.local[to]
			if other != nil && other.hello {
				_ = other.env.Local(Process, cpg.Encode(cpg.Deliver{From: nodeOf(c.machine),
					Payload: message.Payload}))
			}
		}
	}
}

func nodeOf(machine int) ring.NodeID { return ring.NodeID(machine + 1) }

func (c *cluster) config(greeting bool) {
	m := cpg.Config{Kind: cpg.Regular, Ring: ring.ID{Seq: c.rings.seq, Rep: 1}, Greeting: greeting}
	for _, machine := range c.rings.member[c.machine] {
		m.Members = append(m.Members, nodeOf(machine))
	}
	_ = c.env.Local(Process, cpg.Encode(m))
}

// form puts machines into rings.
func (r *rings) form(groups ...[]int) {
	r.seq += 4
	for _, g := range groups {
		for _, m := range g {
			r.member[m] = g
		}
	}
	for _, c := range r.local {
		if c != nil && c.hello {
			c.config(false)
		}
	}
}

// user is a process that publishes and reads values.
type user struct {
	env    env.Env
	tasks  *env.Tasks
	client *Client
}

func (u *user) Start(e env.Env) error {
	u.env, u.tasks, u.client = e, env.NewTasks(e, 1), NewClient(e)
	return nil
}

func (u *user) Step(ev env.Event) {
	if !u.tasks.Step(ev) {
		u.client.Step(ev)
	}
}

type fixture struct {
	*rings
	users  []*user
	server []*envtest.Proc
}

const nodes = 3

func newFixture(t testing.TB) *fixture {
	f := &fixture{rings: &rings{t: t, world: envtest.New(), member: make([][]int, nodes),
		local: make([]*cluster, nodes)},
		users: make([]*user, nodes), server: make([]*envtest.Proc, nodes)}
	f.form([]int{0, 1, 2})
	for m := range nodes {
		f.local[m] = &cluster{rings: f.rings, machine: m}
		f.start(m, cpg.Process, f.local[m])
		f.server[m] = f.start(m, Process, New(nodeOf(m)))
		f.users[m] = &user{}
		f.start(m, "user", f.users[m])
	}
	f.world.RunFor(2 * minSendInterval)
	return f
}

func (f *fixture) start(m int, name string, p env.Process) *envtest.Proc {
	proc, err := f.world.Start(env.MachineID(m), name, p)
	require.NoError(f.t, err)
	return proc
}

func (f *fixture) set(m int, key, value string) {
	require.NoError(f.t, f.users[m].client.Set(key, json.RawMessage(value)))
}

// get returns what a machine knows, as text.
func (f *fixture) get(m int, key string) string {
	text := "no answer"
	f.users[m].tasks.Go(func(t *env.Task) {
		got, err := f.users[m].client.Get(t, key, time.Second)
		if err != nil {
			text = err.Error()
			return
		}
		var parts []string
		for id := ring.NodeID(1); id <= nodes; id++ {
			if v := got[id]; v != nil {
				parts = append(parts, fmt.Sprintf("%d=%s", id, v))
			}
		}
		text = strings.Join(parts, " ")
	})
	f.world.RunFor(2 * time.Second)
	return text
}

func TestEverybodyHearsWhatANodeSays(t *testing.T) {
	f := newFixture(t)
	f.set(0, "load", `1`)
	f.set(1, "load", `2`)
	f.set(1, "other", `"x"`)
	f.world.RunFor(2 * minSendInterval)
	for m := range nodes {
		require.Equal(t, "1=1 2=2", f.get(m, "load"), "machine %d", m)
	}
	require.Equal(t, `2="x"`, f.get(0, "other"))
	f.set(0, "load", `5`)
	require.NoError(t, f.users[1].client.Set("load", nil))
	f.world.RunFor(2 * minSendInterval)
	require.Equal(t, "1=5", f.get(2, "load"))
}

func TestSayingTheSameAgainCostsNothing(t *testing.T) {
	f := newFixture(t)
	f.set(0, "load", `1`)
	f.world.RunFor(2 * minSendInterval)
	sent := f.sent
	for range 20 {
		f.set(0, "load", `1`)
		f.world.RunFor(minSendInterval)
	}
	require.Equal(t, sent, f.sent)
	for i := range 30 { // many changes at once cost one message per pace
		f.set(0, "load", fmt.Sprint(i))
		f.world.RunFor(minSendInterval / 10)
	}
	f.world.RunFor(2 * minSendInterval)
	require.LessOrEqual(t, f.sent-sent, 6)
	require.Equal(t, "1=29", f.get(1, "load"))
}

func TestWhatANodeSaidEndsWithItsRing(t *testing.T) {
	f := newFixture(t)
	for m := range nodes {
		f.set(m, "load", fmt.Sprint(m))
	}
	f.world.RunFor(2 * minSendInterval)
	f.form([]int{0, 1}, []int{2})
	f.world.RunFor(2 * minSendInterval)
	require.Equal(t, "1=0 2=1", f.get(0, "load"))
	require.Equal(t, "3=2", f.get(2, "load"))
	f.set(2, "load", `9`)
	f.form([]int{0, 1, 2})
	f.world.RunFor(2 * minSendInterval)
	require.Equal(t, "1=0 2=1 3=9", f.get(0, "load"))
	require.Equal(t, "1=0 2=1 3=9", f.get(2, "load"))
}

func TestAProcessThatBeginsAnewLearnsEverything(t *testing.T) {
	f := newFixture(t)
	for m := range nodes {
		f.set(m, "load", fmt.Sprint(m))
	}
	f.world.RunFor(2 * minSendInterval)
	f.world.Kill(f.server[0])
	require.Contains(t, f.get(0, "load"), "local process is down")
	f.server[0] = f.start(0, Process, New(nodeOf(0)))
	f.world.RunFor(3 * minSendInterval)
	require.Equal(t, "1=0 2=1 3=2", f.get(0, "load"), "the user repeats its own, the others theirs")
}

func TestWhatAProcessSaidEndsWithIt(t *testing.T) {
	f := newFixture(t)
	f.set(0, "load", `1`)
	f.world.RunFor(2 * minSendInterval)
	f.world.Kill(f.world.Find(0, "user"))
	f.world.RunFor(2 * minSendInterval)
	require.Empty(t, f.get(1, "load"))
}

func TestARefusedMessageIsSentAgain(t *testing.T) {
	f := newFixture(t)
	f.busy = true
	f.set(0, "load", `1`)
	f.world.RunFor(5 * minSendInterval)
	require.Empty(t, f.get(1, "load"))
	f.busy = false
	f.world.RunFor(2 * minSendInterval)
	require.Equal(t, "1=1", f.get(1, "load"))
}

func TestLimits(t *testing.T) {
	f := newFixture(t)
	c := f.users[0].client
	require.ErrorIs(t, c.Set("", json.RawMessage(`1`)), ErrMalformed)
	require.ErrorIs(t, c.Set("k", json.RawMessage(strings.Repeat("1", MaxValueBytes+1))), ErrMalformed)
	for i := range MaxKeys + 3 {
		f.set(0, fmt.Sprintf("k%02d", i), `1`)
	}
	f.world.RunFor(2 * minSendInterval)
	require.Equal(t, "1=1", f.get(1, fmt.Sprintf("k%02d", MaxKeys-1)))
	require.Empty(t, f.get(1, fmt.Sprintf("k%02d", MaxKeys)))
}

// Whatever rings form and end and whichever process restarts, in the end every node knows the last
// values of the members of its ring.
func TestEverybodyAgreesInTheEnd(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := newFixture(t)
		last := make([]string, nodes)
		for step := range rapid.IntRange(1, 25).Draw(r, "steps") {
			m := rapid.IntRange(0, nodes-1).Draw(r, "machine")
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0:
				last[m] = fmt.Sprint(step)
				f.set(m, "k", last[m])
			case 1:
				alone := []int{m}
				rest := slices.DeleteFunc([]int{0, 1, 2}, func(o int) bool { return o == m })
				f.form(alone, rest)
			case 2:
				f.form([]int{0, 1, 2})
			case 3:
				f.world.Kill(f.server[m])
				f.server[m] = f.start(m, Process, New(nodeOf(m)))
			}
			f.world.RunFor(time.Duration(rapid.IntRange(0, 1500).Draw(r, "ms")) * time.Millisecond)
		}
		f.world.RunFor(5 * minSendInterval)
		for m := range nodes {
			var want []string
			for _, o := range slices.Sorted(slices.Values(f.member[m])) {
				if last[o] != "" {
					want = append(want, fmt.Sprintf("%d=%s", nodeOf(o), last[o]))
				}
			}
			require.Equal(t, strings.Join(want, " "), f.get(m, "k"), "machine %d", m)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"ask":true,"values":{"load":{"cpu":1}}}`))
	f.Add([]byte(`{"id":3,"op":"get","key":"load"}`))
	f.Add([]byte(`{"op":"set","key":"load","value":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decodeAnnouncement(data); err == nil {
			again, err := decodeAnnouncement(env.EncodeJSON(s))
			require.NoError(t, err)
			require.Len(t, again.Values, len(s.Values))
		}
		if r, err := decodeRequest(data); err == nil {
			again, err := decodeRequest(env.EncodeJSON(r))
			require.NoError(t, err)
			require.Equal(t, r.Key, again.Key)
		}
	})
}
