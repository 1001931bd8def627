package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// A walk takes random steps in a cluster whose rings overlap, whose members lag as they like and
// whose processes and machines die at any disk call. The judge watches.

type walk struct {
	t     testing.TB
	rng   *rand.Rand
	c     *testCluster
	j     *judge
	wipes int // disks that may still be lost

	weights []int
	total   int
}

var (
	walkSeeds = flag.Int("walk.seeds", 60, "walks of each kind")
	walkFirst = flag.Uint64("walk.first", 1, "first seed of the walks")
	walkTrace = flag.Bool("walk.trace", false, "print the steps of the walks")
)

func (w *walk) pick(n int) int { return w.rng.IntN(n) }

func (w *walk) trace(format string, args ...any) {
	if *walkTrace {
		w.t.Logf(format, args...)
	}
}

func (w *walk) anyNode() *testNode { return w.c.nodes[w.pick(len(w.c.nodes))] }

// actions are what a walk can do; each walk draws its own weights, so that some walks do much of
// one thing and none of another.
var actions = []struct {
	name    string
	trouble bool
	weight  int
	do      func(w *walk, n *testNode)
}{
	{"deliver", false, 30, func(w *walk, n *testNode) {
		for k := w.pick(6); k >= 0 && n.deliver(); k-- {
		}
	}},
	{"fire", false, 15, func(w *walk, n *testNode) {
		n.fire(time.Duration(w.pick(3)) * 400 * time.Millisecond)
	}},
	{"progress", false, 8, func(w *walk, _ *testNode) {
		for _, m := range w.c.nodes {
			for k := 0; k < 40 && (m.deliver() || m.fire(time.Millisecond)); k++ {
			}
		}
	}},
	{"form", false, 6, func(w *walk, _ *testNode) { w.form() }},
	{"enter", false, 12, func(w *walk, n *testNode) { w.enter(n) }},
	{"kill", true, 1, func(w *walk, n *testNode) { w.die(n, n.kill) }},
	{"power", true, 1, func(w *walk, n *testNode) { w.die(n, func() { n.powerCut(w.pick) }) }},
	{"kill in call", true, 2, func(w *walk, n *testNode) { w.killInCall(n) }},
	{"wipe", true, 1, func(w *walk, n *testNode) { w.wipe(n) }},
	{"replace", true, 2, func(w *walk, n *testNode) { w.replace(n) }},
	{"disk error", true, 1, func(w *walk, n *testNode) { w.breakDisk(n) }},
	{"busy", true, 1, func(w *walk, n *testNode) { n.busy = !n.busy }},
	{"restart", false, 4, func(w *walk, n *testNode) {
		if !n.up {
			w.restart(n)
		}
	}},
	{"invoke", false, 18, func(w *walk, n *testNode) { w.invoke(n) }},
}

func (w *walk) drawWeights() {
	for _, a := range actions {
		factor := [...]int{1, 2, 2, 4, 12}[w.pick(5)]
		if a.trouble {
			factor = [...]int{0, 0, 1, 4, 10}[w.pick(5)]
		}
		w.weights = append(w.weights, a.weight*factor)
		w.total += w.weights[len(w.weights)-1]
	}
}

func (w *walk) step() {
	n := w.anyNode()
	at := w.pick(w.total)
	for i, weight := range w.weights {
		if at < weight {
			actions[i].do(w, n)
			return
		}
		at -= weight
	}
}

func (w *walk) form() {
	var ids []int
	for i := range w.c.nodes {
		if w.pick(4) > 0 {
			ids = append(ids, i+1)
		}
	}
	if len(ids) > 0 {
		w.c.form(ids...)
	}
}

// gaps decides which of the messages not yet read are delivered after the transitional
// configuration: none, or all but some.
func (w *walk) gaps() func() bool {
	if w.pick(2) == 0 {
		return func() bool { return false }
	}
	return func() bool { return w.pick(3) > 0 }
}

// enter moves a node into one of the last rings that list it.
func (w *walk) enter(n *testNode) {
	back := w.pick(3)
	for i := len(w.c.rings) - 1; i >= 0; i-- {
		r := w.c.rings[i]
		if r.id.Seq <= n.floor {
			return
		}
		for _, m := range r.members {
			if m == n.id {
				if back == 0 {
					w.trace("node %d enters %s %v", n.id, r.id, r.members)
					n.enter(r, w.gaps())
					return
				}
				back--
			}
		}
	}
}

func (w *walk) die(n *testNode, how func()) {
	if n.up {
		w.trace("node %d dies", n.id)
		how()
	}
}

// killInCall kills a process in the middle of one of its next disk calls, and perhaps cuts the
// power with it.
func (w *walk) killInCall(n *testNode) {
	for _, m := range w.c.nodes { // the moment of installing a state is short: aim at it
		if m.up && m.store.catchUp.fetching && w.pick(2) == 0 {
			n = m
		}
	}
	if !n.up {
		return
	}
	left, power := w.pick(12), w.pick(2) == 0
	n.disk.Before = func(op, _ string) error {
		if op == "read" || op == "open" {
			return nil
		}
		if left--; left < 0 {
			w.trace("node %d dies in a disk call", n.id)
			n.disk.Before = nil
			if power {
				n.disk.PowerCut(w.pick)
				n.boot++
				n.ring, n.cursor = nil, 0
			}
			panic(killed{})
		}
		return nil
	}
}

func (w *walk) wipe(n *testNode) {
	if w.wipes == 0 || !n.up {
		return
	}
	w.trace("node %d loses its disk", n.id)
	w.wipes--
	n.wiped = true
	n.kill()
	n.disk.Wipe()
	n.ring, n.cursor, n.floor, n.reserved = nil, 0, 0, 0
	n.boot++
}

// replace has an operator give a wiped node's vote to its new store.
func (w *walk) replace(n *testNode) {
	for _, m := range w.c.nodes {
		if !m.wiped || !m.up || m.store.disk.replica == nil || !n.up {
			continue
		}
		w.c.nextOp++
		op := w.c.nextOp
		req := Request{ID: fmt.Sprintf("r%d", op), Op: OpReplaceMember, Node: m.id,
			Incarnation: m.store.disk.replica.Incarnation.String()}
		w.trace("node %d: %s replaces node %d", n.id, req.ID, m.id)
		w.j.begin(op, req)
		n.step(env.Invoked{Op: op, Input: req.Encode()})
	}
}

// breakDisk makes a few of the next changes fail; what a failed sync leaves can be read but is not
// on the medium.
func (w *walk) breakDisk(n *testNode) {
	if !n.up {
		return
	}
	after, times := w.pick(4), 1+w.pick(3)
	cause := []error{env.ErrIO, env.ErrNoSpace}[w.pick(2)]
	n.disk.Before = func(op, name string) error {
		if op == "read" || op == "open" {
			return nil
		}
		if after--; after >= 0 {
			return nil
		}
		if times--; times < 0 {
			n.disk.Before = nil
			return nil
		}
		if op == "sync" {
			n.disk.LoseDirty(name)
		}
		w.trace("node %d: %s of %s fails: %v", n.id, op, name, cause)
		return cause
	}
}

func (w *walk) restart(n *testNode) {
	n.disk.Before = nil
	if err := n.start(); err != nil {
		w.t.Fatalf("node %d does not start: %v", n.id, err)
	}
}

func (w *walk) invoke(n *testNode) {
	if !n.up {
		return
	}
	w.c.nextOp++
	op := w.c.nextOp
	req := Request{ID: fmt.Sprintf("r%d", op), Path: []string{"a", "b", "d/c"}[w.pick(3)]}
	switch w.pick(8) {
	case 0, 1:
		req.Op = OpRead
	case 2, 3, 4:
		req.Op, req.Data = "write", fmt.Appendf(nil, "v%d", op)
	case 5:
		req.Op, req.Data = "cas", fmt.Appendf(nil, "v%d", op)
		req.Expect = uint64(w.pick(6))
	case 6:
		req.Op = "delete"
	case 7:
		req.Op, req.Path = "mkdir", "d"
	}
	w.trace("node %d: %s %s %s", n.id, req.ID, req.Op, req.Path)
	w.j.begin(op, req)
	n.step(env.Invoked{Op: op, Input: req.Encode()})
}

// heal ends all trouble and demands that the store serves again.
func (w *walk) heal() {
	var all []int
	for i, n := range w.c.nodes {
		n.disk.Before, n.busy = nil, false
		if !n.up {
			w.restart(n)
		}
		all = append(all, i+1)
	}
	w.c.pass(6 * time.Second) // stores with disk errors try again
	w.c.formAll(all...)
	w.c.pass(4 * time.Second)
	for _, n := range w.c.nodes {
		if n.wiped && n.store.disk.role() != RoleVoter {
			w.replace(w.c.nodes[w.pick(len(w.c.nodes))])
			w.c.pass(4 * time.Second)
		}
	}
}

// runWalks takes one walk for each seed. A failure names the seed: run it alone with -walk.first
// and -walk.seeds=1, and with -walk.trace to see its steps.
func runWalks(t *testing.T, wipes, steps int, votes ...uint32) {
	seeds := *walkSeeds
	if !thorough.On() {
		seeds /= 8
	}
	for seed := *walkFirst; seed < *walkFirst+uint64(seeds); seed++ {
		if !t.Run(fmt.Sprintf("seed=%d", seed),
			func(t *testing.T) { runWalk(t, seed, wipes, steps, votes) }) {
			return
		}
	}
}

// TestWalksRepeat: the same steps make the same records, whatever SQLite's salts and Go's maps do.
func TestWalksRepeat(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		first := runWalk(t, seed, 1, 300, []uint32{1, 1, 1})
		require.NotEmpty(t, first)
		require.Equal(t, first, runWalk(t, seed, 1, 300, []uint32{1, 1, 1}), "seed %d", seed)
	}
}

func runWalk(t *testing.T, seed uint64, wipes, steps int, votes []uint32) []seenRecord {
	c := newTestCluster(t, votes...)
	w := &walk{t: t, rng: rand.New(rand.NewPCG(seed, uint64(len(votes)))), c: c, j: watch(t, c), wipes: wipes}
	for _, n := range c.nodes {
		require.NoError(t, n.start())
		defer n.kill()
		if *walkTrace {
			n.logLines = func(line string) { t.Log(line) }
		}
	}
	w.drawWeights()
	w.heal()
	for range steps/2 + w.pick(steps/2) {
		w.step()
	}
	w.heal()
	op := env.OpID(1 << 40)
	n := c.nodes[0]
	req := Request{ID: "last", Op: "write", Path: "last", Data: []byte("x")}
	w.j.begin(op, req)
	n.step(env.Invoked{Op: op, Input: req.Encode()})
	c.pass(time.Second)
	if r := n.answers[op]; r == nil || !r.OK {
		t.Fatalf("the store does not serve at the end: %+v, status %+v", r, n.store.status())
	}
	for _, never := range []string{"undecodable message", "undecodable snapshot", "decision refused",
		"critical: snapshot refused", "critical: this store belongs to another cluster and keeps its data"} {
		require.Zero(t, c.errors[never], never)
	}
	w.j.conclude(n)
	for id, times := range c.probes {
		walkProbes[id] += times
	}
	return c.records
}

// walkProbes counts what all walks reached.
var walkProbes = map[string]int{}

func TestWalkTwo(t *testing.T)         { runWalks(t, 0, 200, 1, 1) }
func TestWalkThree(t *testing.T)       { runWalks(t, 0, 300, 1, 1, 1) }
func TestWalkFour(t *testing.T)        { runWalks(t, 0, 300, 1, 1, 1, 1) }
func TestWalkFive(t *testing.T)        { runWalks(t, 0, 400, 1, 1, 1, 1, 1) }
func TestWalkWeighted(t *testing.T)    { runWalks(t, 0, 300, 3, 1, 1, 0) }
func TestWalkLosingADisk(t *testing.T) { runWalks(t, 1, 300, 1, 1, 1) }
func TestWalkLosingDisks(t *testing.T) { runWalks(t, 2, 400, 1, 1, 1, 1, 1) }

// One disk of two is lost, or the disk of the node that has half of the votes: its vote is missing for
// quorum, so a decision must give it back.
func TestWalkTwoLosingADisk(t *testing.T)  { runWalks(t, 1, 300, 1, 1) }
func TestWalkHalfLosingADisk(t *testing.T) { runWalks(t, 1, 300, 2, 1, 1) }

// TestWalksReachTheRarePaths runs after the walks and fails when they have become too tame. What
// it does not name has a test of its own.
func TestWalksReachTheRarePaths(t *testing.T) {
	if !thorough.On() || *walkSeeds < 60 || len(walkProbes) == 0 {
		t.Skip("rare paths need all walks of all kinds, at least 60 of each: run make thorough")
	}
	for _, id := range []string{"change-sent-again", "failed", "fetch-retried",
		"message-of-another-ring", "multicast-busy", "outcome-unknown", "proposed-without-silent-member",
		"recovered", "reform-asked", "report-after-decision", "ring-entered-late"} {
		require.Positive(t, walkProbes["store/"+id], "no walk reached store/%s", id)
	}
}
