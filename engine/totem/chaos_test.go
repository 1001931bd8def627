package totem_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	. "github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/totem/evs"
)

// chaos is one random run: faults come and go, then they stop, and in the end there must be one
// ring again and a history without a breach.
type chaos struct {
	*cluster
	r       *rand.Rand
	check   *evs.Checker
	cut     [][]bool // cut[a][b]: nothing gets from a to b
	lossPct int
	slowMax time.Duration
	up      []bool
	paused  []bool
	count   int
	probes  map[string]int
	history []string
	settled time.Duration
}

func newChaos(tb testing.TB, seed uint64, n int) *chaos {
	c := &chaos{cluster: newCluster(tb, n), r: rand.New(rand.NewPCG(seed, 7)), check: evs.New(),
		up: make([]bool, n), paused: make([]bool, n), probes: map[string]int{}}
	for range n {
		c.cut = append(c.cut, make([]bool, n))
	}
	c.w.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool {
		return from == to || !c.cut[from][to] && c.r.IntN(100) >= c.lossPct
	}
	c.w.Delay = func(from, to env.MachineID, _ string, _ []byte) time.Duration {
		if c.slowMax == 0 || from == to {
			return 0
		}
		return time.Duration(c.r.Int64N(int64(c.slowMax)))
	}
	c.w.OnRecord = func(p *envtest.Proc, r env.Record) { c.check.Observe(p.Self().Machine, r) }
	c.w.OnProbe = func(_ *envtest.Proc, id string) { c.probes[id]++ }
	return c
}

func (c *chaos) note(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf("%v ", c.w.Now())+fmt.Sprintf(format, args...))
}

func (c *chaos) fault() {
	n := len(c.procs)
	i, j := c.r.IntN(n), c.r.IntN(n)
	switch c.r.IntN(12) {
	case 0:
		c.note("cut %d-%d", i+1, j+1)
		c.cut[i][j], c.cut[j][i] = true, true
	case 1:
		c.note("one-way cut %d>%d", i+1, j+1)
		c.cut[i][j] = true
	case 2, 3:
		c.note("heal")
		c.heal()
	case 4:
		if c.up[i] {
			c.note("kill %d", i+1)
			c.kill(i)
			c.up[i], c.paused[i] = false, false
		}
	case 5, 6:
		if !c.up[i] {
			c.note("start %d", i+1)
			if c.r.IntN(4) == 0 {
				c.note("wipe %d", i+1)
				c.w.WipeDisk(env.MachineID(i))
			}
			c.boot(i)
			c.up[i] = true
		}
	case 7:
		if c.up[i] && !c.paused[i] {
			c.note("pause %d", i+1)
			c.w.Pause(c.envs[i])
			c.paused[i] = true
		}
	case 8:
		c.resume()
	case 9:
		c.lossPct = []int{0, 1, 5, 20}[c.r.IntN(4)]
		c.note("loss %d%%", c.lossPct)
	case 10:
		c.slowMax = []time.Duration{0, time.Millisecond, 20 * time.Millisecond,
			200 * time.Millisecond}[c.r.IntN(4)]
		c.note("slow %v", c.slowMax)
	case 11:
		if c.up[i] {
			c.procs[i].node.Reform()
		}
	}
}

func (c *chaos) heal() {
	for i := range c.cut {
		clear(c.cut[i])
	}
}

func (c *chaos) resume() {
	for i := range c.paused {
		if c.paused[i] {
			c.note("resume %d", i+1)
			c.w.Resume(c.envs[i])
			c.paused[i] = false
		}
	}
}

func (c *chaos) traffic() {
	for range c.r.IntN(20) {
		i := c.r.IntN(len(c.procs))
		if !c.up[i] || c.paused[i] {
			continue
		}
		size := c.r.IntN(60)
		if c.r.IntN(10) == 0 {
			size = c.r.IntN(8000)
		}
		c.count++
		payload := append(fmt.Appendf(nil, "%d ", c.count), make([]byte, size)...)
		_ = c.procs[i].node.Multicast(cpg.Guarantee(c.r.IntN(2)), payload)
	}
}

// run lets faults happen for a number of steps, ends them, and waits for the full ring.
func (c *chaos) run(steps int) {
	for i := range c.procs {
		c.boot(i)
		c.up[i] = true
	}
	if c.r.IntN(2) == 0 {
		c.w.RunFor(time.Second)
	}
	for range steps {
		if c.r.IntN(3) == 0 {
			c.fault()
		}
		c.traffic()
		c.w.RunFor([]time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond,
			time.Second}[c.r.IntN(4)])
	}
	c.finishRun()
}

// finishRun ends all faults and waits for the full ring.
func (c *chaos) finishRun() {
	c.note("end of faults")
	c.heal()
	c.resume()
	c.lossPct, c.slowMax = 0, 0
	for i := range c.procs {
		if !c.up[i] {
			c.boot(i)
			c.up[i] = true
		}
	}
	began := c.w.Now()
	for !c.fullRing() && c.w.Now()-began < settleBound(DefaultTimers(testToken)) {
		c.w.RunFor(50 * time.Millisecond)
	}
	c.settled = c.w.Now() - began
	c.w.RunFor(2 * time.Second) // and it stays
}

func (c *chaos) fullRing() bool {
	all := make([]int, len(c.procs))
	for i := range all {
		all[i] = i
	}
	return c.oneRing(all...)
}

// settleBound is how long after the last fault there must be one ring of all: links that have failed again and
// again are held down for a while.
func settleBound(t Timers) time.Duration { return HealBound(t, 12, 9, time.Millisecond) }

func (c *chaos) verify() error {
	if !c.fullRing() {
		text := ""
		for _, p := range c.procs {
			text += fmt.Sprintf(" %v %v %v;", p.node.State(), p.node.Ring(), p.node.Members())
		}
		return fmt.Errorf("no full ring in time:%s", text)
	}
	if vs := c.check.Finish(); len(vs) > 0 {
		return fmt.Errorf("%d breaches, first %w", len(vs), vs[0])
	}
	return nil
}

var (
	firstSeed = flag.Uint64("seed", 0, "first seed of TestRandomFaults")
	seedCount = flag.Int("runs", 0, "runs of TestRandomFaults; 0 is the usual number")
)

func TestRandomFaults(t *testing.T) {
	runs := 150
	if !thorough.On() {
		runs = 40
	}
	if *seedCount > 0 {
		runs = *seedCount
	}
	probes := map[string]int{}
	worst := time.Duration(0)
	for seed := *firstSeed; seed < *firstSeed+uint64(runs); seed++ {
		c := newChaos(t, seed, 2+int(seed%4))
		c.run(60)
		if err := c.verify(); err != nil {
			t.Fatalf("%v\n%s\nagain: go test ./engine/totem -run TestRandomFaults -runs 1 -seed %d",
				err, strings.Join(c.history, "\n"), seed)
		}
		worst = max(worst, c.settled)
		for id, count := range c.probes {
			probes[id] += count
		}
	}
	ids := make([]string, 0, len(probes))
	for id := range probes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		t.Logf("%s: %d", id, probes[id])
	}
	t.Logf("longest way to the full ring: %v", worst)
}
