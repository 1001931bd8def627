package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/internal/faultdisk"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// The harness stands in for machines and cluster processes. A ring is a list of messages; each
// member reads it at its own pace, enters it when the test decides, and continues in it until it
// enters another one. A real ring allows less: the tests cover more than can happen.

type testRing struct {
	id      ring.ID
	members []ring.NodeID
	order   []cpg.Deliver
}

type testNode struct {
	t           testing.TB
	c           *testCluster
	id          ring.NodeID
	disk        *faultdisk.Disk
	plain       env.Disk // instead, if set
	opts        Options
	store       *Store
	up          bool
	incarnation uint64
	boot        uint64
	now         time.Duration
	timers      map[env.TimerID]time.Duration

	floor    uint64 // of rings entered, durable unless the disk is wiped
	reserved uint64 // of rings formed as representative
	ring     *testRing
	cursor   int
	pipe     []cpg.Message // from the cluster process to the store
	hello    bool
	reforms  int
	leaves   int
	busy     bool            // refuse multicasts
	rare     map[string]bool // sites that take their rare paths
	answers  map[env.OpID]*Response
	draws    uint64
	wiped    bool
	atEnd    []func()
	logLines func(string)
}

type testCluster struct {
	t       testing.TB
	nodes   []*testNode // index = id-1
	rings   []*testRing
	records []seenRecord
	probes  map[string]int
	errors  map[string]int // logged, by message
	nextOp  env.OpID

	answered int
	onRecord func(n *testNode, r env.Record)
	onAnswer func(n *testNode, op env.OpID, r *Response)
}

type seenRecord struct {
	node ring.NodeID
	env.Record
}

func newTestCluster(t testing.TB, votes ...uint32) *testCluster {
	c := &testCluster{t: t, probes: map[string]int{}, errors: map[string]int{}}
	var cfg []Vote
	for i, v := range votes {
		cfg = append(cfg, Vote{Node: ring.NodeID(i + 1), Votes: v})
	}
	for i := range votes {
		c.nodes = append(c.nodes, &testNode{t: t, c: c, id: ring.NodeID(i + 1), disk: faultdisk.New(),
			boot: 1, opts: Options{Node: ring.NodeID(i + 1), Nodes: cfg}, answers: map[env.OpID]*Response{}})
	}
	return c
}

func (c *testCluster) node(id int) *testNode { return c.nodes[id-1] }

func (c *testCluster) start() *testCluster {
	for _, n := range c.nodes {
		require.NoError(c.t, n.start())
	}
	return c
}

// start runs the store process on the machine, like a supervisor.
func (n *testNode) start() error {
	n.incarnation++
	n.store, n.up, n.timers = New(n.opts), true, map[env.TimerID]time.Duration{}
	n.hello, n.pipe = false, nil
	if err := n.store.Start(n); err != nil {
		n.up = false
		return err
	}
	n.step(env.LocalUp{Process: cpg.Process})
	return nil
}

type killed struct{}

// step hands an event to the store; a disk hook may kill it on the way.
func (n *testNode) step(ev env.Event) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			n.kill()
		}
	}()
	n.store.Step(ev)
}

// kill ends the store process; the cluster process of the machine lives on.
func (n *testNode) kill() {
	n.disk.Kill()
	n.up, n.hello, n.pipe = false, false, nil
	for _, release := range n.atEnd {
		release()
	}
	n.store, n.timers, n.atEnd = nil, nil, nil
}

// powerCut ends everything on the machine.
func (n *testNode) powerCut(choose func(int) int) {
	n.kill()
	n.disk.PowerCut(choose)
	n.boot++
	n.ring, n.cursor = nil, 0
}

// form makes a ring of nodes with a sequence number above all that its members persisted. No node
// enters the ring yet.
func (c *testCluster) form(ids ...int) *testRing {
	r := &testRing{}
	for _, id := range ids {
		r.members = append(r.members, ring.NodeID(id))
		r.id.Seq = max(r.id.Seq, c.node(id).floor, c.node(id).reserved)
	}
	r.id.Seq += 4
	slices.Sort(r.members)
	r.id.Rep = r.members[0]
	c.node(int(r.id.Rep)).reserved = r.id.Seq
	c.rings = append(c.rings, r)
	return r
}

// enter moves a node into a ring. For each message of the old ring that it had not read, late decides
// whether the message is lost, or is delivered after the transitional configuration, where Totem skips
// missing messages.
func (n *testNode) enter(r *testRing, late func() bool) {
	if r.id.Seq <= n.floor {
		n.t.Fatalf("node %d enters an old ring", n.id)
	}
	if n.ring != nil {
		n.pipe = append(n.pipe,
			cpg.Config{Kind: cpg.Transitional, Ring: r.id, Members: []ring.NodeID{n.id}})
		for ; late != nil && n.cursor < len(n.ring.order); n.cursor++ {
			if late() {
				n.pipe = append(n.pipe, n.ring.order[n.cursor])
			}
		}
	}
	n.floor, n.ring, n.cursor = r.id.Seq, r, 0
	if n.hello {
		n.pipe = append(n.pipe, cpg.Config{Kind: cpg.Regular, Ring: r.id, Members: r.members})
	}
}

// formAll makes a ring, has everybody enter it, and settles it.
func (c *testCluster) formAll(ids ...int) *testRing {
	r := c.form(ids...)
	for _, id := range ids {
		c.node(id).enter(r, nil)
	}
	c.settle()
	return r
}

// deliver hands the next thing from the cluster process to the store; false if there is none.
func (n *testNode) deliver() bool {
	if !n.up || !n.hello {
		return false
	}
	if len(n.pipe) > 0 {
		m := n.pipe[0]
		n.pipe = n.pipe[1:]
		n.receive(m)
		return true
	}
	if n.ring == nil || n.cursor >= len(n.ring.order) {
		return false
	}
	m := n.ring.order[n.cursor]
	n.cursor++
	n.receive(m)
	return true
}

// receive hands a message to the store; its bytes belong to the environment again afterwards.
func (n *testNode) receive(m cpg.Message) {
	payload := cpg.Encode(m)
	n.step(env.LocalMessage{From: cpg.Process, Payload: payload})
	for i := range payload {
		payload[i] = 0xee
	}
}

// fire lets the earliest timer that is due by the given wait fire; false if there is none.
func (n *testNode) fire(within time.Duration) bool {
	if !n.up {
		return false
	}
	var ids []env.TimerID
	for id, at := range n.timers {
		if at <= n.now+within {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return false
	}
	sort.Slice(ids, func(i, j int) bool {
		if n.timers[ids[i]] != n.timers[ids[j]] {
			return n.timers[ids[i]] < n.timers[ids[j]]
		}
		return ids[i] < ids[j]
	})
	n.now = max(n.now, n.timers[ids[0]])
	delete(n.timers, ids[0])
	n.step(env.TimerFired{ID: ids[0]})
	return true
}

// settle delivers and fires short timers until nothing moves.
func (c *testCluster) settle() {
	c.settleWithin(3 * time.Millisecond)
}

// settleWithin delivers messages and fires the timers that are due within a time, until nothing is left.
func (c *testCluster) settleWithin(due time.Duration) {
	for moved := true; moved; {
		moved = false
		for _, n := range c.nodes {
			for n.deliver() || n.fire(due) {
				moved = true
			}
		}
	}
}

// pass lets time go by on every node, in small steps.
func (c *testCluster) pass(d time.Duration) {
	const step = 50 * time.Millisecond
	for ; d > 0; d -= step {
		for _, n := range c.nodes {
			until := n.now + step
			for n.up && n.fire(until-n.now) {
			}
			n.now = until
		}
		c.settle()
	}
}

func (n *testNode) invoke(r Request) env.OpID {
	n.c.nextOp++
	op := n.c.nextOp
	if r.ID == "" {
		r.ID = fmt.Sprintf("r%d", op)
	}
	input := r.Encode()
	n.step(env.Invoked{Op: op, Input: input})
	clear(input)
	return op
}

// do invokes, settles and returns the answer, which must have come.
func (n *testNode) do(r Request) *Response {
	op := n.invoke(r)
	n.c.settle()
	require.NotNil(n.t, n.answers[op], "no answer to %s %s", r.Op, r.Path)
	return n.answers[op]
}

func (n *testNode) mustWrite(path, data string) uint64 {
	r := n.do(Request{Op: "write", Path: path, Data: []byte(data)})
	require.True(n.t, r.OK, "%+v", r)
	return r.Revision
}

func (n *testNode) mustRead(path string) string {
	r := n.do(Request{Op: OpRead, Path: path})
	require.True(n.t, r.OK, "%+v", r)
	return string(r.Entry.Data)
}

func (n *testNode) code(r Request) tree.Code { return n.do(r).Code }

// The rest implements env.Env.

// AtEnd implements env.EndNotifier.
func (n *testNode) AtEnd(release func()) { n.atEnd = append(n.atEnd, release) }

func (n *testNode) Self() env.Self {
	return env.Self{Machine: env.MachineID(n.id - 1), Name: fmt.Sprintf("n%d", n.id), Process: Process,
		Boot: n.boot, Incarnation: n.incarnation}
}
func (n *testNode) Mono() time.Duration { return n.now }
func (n *testNode) Wall() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(n.now)
}
func (n *testNode) SetTimer(id env.TimerID, after time.Duration) { n.timers[id] = n.now + after }
func (n *testNode) StopTimer(id env.TimerID)                     { delete(n.timers, id) }
func (n *testNode) Send(env.MachineID, env.LinkID, []byte)       { panic("the store sends no datagrams") }
func (n *testNode) Complete(op env.OpID, output []byte) {
	if n.answers[op] != nil {
		panic("answered twice")
	}
	n.c.answered++
	r, err := DecodeResponse(output)
	if err != nil {
		panic(err)
	}
	n.answers[op] = r
	if n.c.onAnswer != nil {
		n.c.onAnswer(n, op, r)
	}
}
func (n *testNode) Disk() env.Disk        { return n.disk }
func (n *testNode) Rand(string) env.Rand  { return n }
func (n *testNode) Uint64() uint64        { panic("not used") }
func (n *testNode) Log() *slog.Logger     { return slog.New(&lineHandler{n: n}) }
func (n *testNode) Probe(id string)       { n.c.probes[id]++ }
func (n *testNode) Buggify(s string) bool { return n.rare[s] }
func (n *testNode) Exit(reason error)     { panic(fmt.Sprintf("store exits: %v", reason)) }
func (n *testNode) Emit(r env.Record)     { n.c.emit(n, r) }
func (n *testNode) Fill(p []byte) {
	n.draws++
	copy(p, fmt.Sprintf("%03d-%03d-%08x", n.id, n.draws, n.boot))
}

// emit keeps a record as a file would: it must survive JSON.
func (c *testCluster) emit(n *testNode, r env.Record) {
	if _, err := json.Marshal(r); err != nil {
		panic(err)
	}
	c.records = append(c.records, seenRecord{node: n.id, Record: r})
	if c.onRecord != nil {
		c.onRecord(n, r)
	}
}

// Local is the cluster process of the machine.
func (n *testNode) Local(to string, payload []byte) error {
	if to != cpg.Process {
		return env.ErrLocalDown
	}
	m, err := cpg.Decode(bytes.Clone(payload))
	if err != nil {
		panic(err)
	}
	switch m := m.(type) {
	case cpg.Hello:
		n.hello = true
		if n.ring != nil {
			n.cursor = len(n.ring.order)
			n.pipe = append(n.pipe, cpg.Config{Kind: cpg.Regular, Ring: n.ring.id,
				Members: n.ring.members, Greeting: true})
		}
	case cpg.Reform:
		n.reforms++
	case cpg.Leave:
		n.leaves++
	case cpg.Multicast:
		if n.ring == nil || n.busy {
			n.pipe = append(n.pipe, cpg.Busy{Cookie: m.Cookie})
			return nil
		}
		r := n.ring
		r.order = append(r.order, cpg.Deliver{Ring: r.id, Seq: uint64(len(r.order) + 1), From: n.id,
			Payload: m.Payload})
	}
	return nil
}
