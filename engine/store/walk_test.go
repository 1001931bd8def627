package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// A walk takes random steps in a cluster whose rings overlap, whose members lag as they like and
// whose processes and machines die at any disk call. The judge watches.

type walk struct {
	t     testing.TB
	rng   *rand.Rand
	c     *testCluster
	j     *judge
	wipes int // disks that may still be lost
}

var (
	walkSeeds = flag.Int("walk.seeds", 60, "walks of each kind")
	walkFirst = flag.Uint64("walk.first", 1, "first seed of the walks")
	walkTrace = flag.Bool("walk.trace", false, "print the steps of the walks")
)

func (w *walk) pick(n int, _ string) int { return w.rng.IntN(n) }

func (w *walk) trace(format string, args ...any) {
	if *walkTrace {
		w.t.Logf(format, args...)
	}
}

func (w *walk) anyNode() *testNode { return w.c.nodes[w.pick(len(w.c.nodes), "node")] }

func (w *walk) step() {
	n := w.anyNode()
	switch a := w.pick(100, "action"); {
	case a < 35:
		for k := w.pick(6, "messages"); k >= 0 && n.deliver(); k-- {
		}
	case a < 50:
		n.fire(time.Duration(w.pick(3, "within")) * 400 * time.Millisecond)
	case a < 58:
		for _, m := range w.c.nodes {
			for k := 0; k < 40 && (m.deliver() || m.fire(time.Millisecond)); k++ {
			}
		}
	case a < 64:
		w.form()
	case a < 76:
		w.enter(n)
	case a < 79:
		w.die(n)
	case a < 82:
		if !n.up {
			w.restart(n)
		}
	default:
		w.invoke(n)
	}
}

func (w *walk) form() {
	var ids []int
	for i := range w.c.nodes {
		if w.pick(4, "member") > 0 {
			ids = append(ids, i+1)
		}
	}
	if len(ids) > 0 {
		w.c.form(ids...)
	}
}

// enter moves a node into one of the last rings that list it.
func (w *walk) enter(n *testNode) {
	back := w.pick(3, "ring")
	for i := len(w.c.rings) - 1; i >= 0; i-- {
		r := w.c.rings[i]
		if r.id.Seq <= n.floor {
			return
		}
		for _, m := range r.members {
			if m == n.id {
				if back == 0 {
					w.trace("node %d enters %s %v", n.id, r.id, r.members)
					n.enter(r, w.pick(2, "late") == 1)
					return
				}
				back--
			}
		}
	}
}

func (w *walk) die(n *testNode) {
	if !n.up {
		return
	}
	w.trace("node %d dies", n.id)
	switch w.pick(4, "death") {
	case 0:
		n.kill()
	case 1:
		n.powerCut(func(k int) int { return w.pick(k, "survives") })
	case 2: // in the middle of one of the next disk calls
		left := w.pick(12, "calls")
		n.disk.Before = func(op, _ string) error {
			if op == "read" || op == "open" {
				return nil
			}
			if left--; left < 0 {
				n.disk.Before = nil
				panic(killed{})
			}
			return nil
		}
	case 3:
		if w.wipes > 0 {
			w.wipes--
			n.kill()
			n.disk.Wipe()
			n.ring, n.cursor, n.floor, n.reserved = nil, 0, 0, 0
			n.boot++
		}
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
	req := Request{ID: fmt.Sprintf("r%d", op), Path: []string{"a", "b", "d/c"}[w.pick(3, "path")]}
	switch w.pick(8, "op") {
	case 0, 1:
		req.Op = OpRead
	case 2, 3, 4:
		req.Op, req.Data = "write", fmt.Appendf(nil, "v%d", op)
	case 5:
		req.Op, req.Data = "cas", fmt.Appendf(nil, "v%d", op)
		req.Expect = uint64(w.pick(6, "expect"))
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
		n.disk.Before = nil
		if !n.up {
			w.restart(n)
		}
		all = append(all, i+1)
	}
	w.c.formAll(all...)
	w.c.pass(4 * time.Second)
}

// runWalks takes one walk for each seed. A failure names the seed: run it alone with -walk.first
// and -walk.seeds=1, and with -walk.trace to see its steps.
func runWalks(t *testing.T, wipes, steps int, votes ...uint32) {
	seeds := *walkSeeds
	if testing.Short() {
		seeds /= 4
	}
	for seed := *walkFirst; seed < *walkFirst+uint64(seeds); seed++ {
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { runWalk(t, seed, wipes, steps, votes) }) {
			return
		}
	}
}

func runWalk(t *testing.T, seed uint64, wipes, steps int, votes []uint32) {
	c := newTestCluster(t, votes...)
	w := &walk{t: t, rng: rand.New(rand.NewPCG(seed, uint64(len(votes)))), c: c, j: watch(t, c), wipes: wipes}
	for _, n := range c.nodes {
		n := n
		require.NoError(t, n.start())
		defer n.kill()
		if *walkTrace {
			n.logLines = func(line string) { t.Log(line) }
		}
	}
	w.heal()
	for range steps/2 + w.pick(steps/2, "steps") {
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
		if wipes > 0 {
			return // whom a lost disk leaves without a quorum of known stores is right to refuse
		}
		t.Fatalf("the store does not serve at the end: %+v, status %+v", r, n.store.status())
	}
	w.j.conclude(n)
}

func TestWalkTwo(t *testing.T)         { runWalks(t, 0, 200, 1, 1) }
func TestWalkThree(t *testing.T)       { runWalks(t, 0, 300, 1, 1, 1) }
func TestWalkFour(t *testing.T)        { runWalks(t, 0, 300, 1, 1, 1, 1) }
func TestWalkFive(t *testing.T)        { runWalks(t, 0, 400, 1, 1, 1, 1, 1) }
func TestWalkWeighted(t *testing.T)    { runWalks(t, 0, 300, 3, 1, 1, 0) }
func TestWalkLosingADisk(t *testing.T) { runWalks(t, 1, 300, 1, 1, 1) }
