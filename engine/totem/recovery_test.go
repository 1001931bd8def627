package totem_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// inRecovery reports whether any running node exchanges old packets now.
func (c *chaos) inRecovery() bool {
	for i := range c.procs {
		if c.up[i] && c.procs[i].node.State() == Recovery {
			return true
		}
	}
	return false
}

// untilRecovery runs until a node is in Recovery, in steps of half a hop.
func (c *chaos) untilRecovery() bool {
	for range 20000 {
		if c.inRecovery() {
			return true
		}
		c.w.RunFor(250 * time.Microsecond)
	}
	return false
}

// TestRandomFaultsInRecovery aims at the narrowest place: a ring breaks with packets that only some
// have and a gap in between, and the exchange that follows is itself cut at a random point, with
// some having installed the new ring and others not; up to three times in a row.
func TestRandomFaultsInRecovery(t *testing.T) {
	runs := uint64(400)
	if !thorough.On() {
		runs = 60
	}
	if *seedCount > 0 {
		runs = uint64(*seedCount)
	}
	probes := map[string]int{}
	for seed := *firstSeed; seed < *firstSeed+runs; seed++ {
		c := newChaos(t, seed, 4+int(seed%2))
		c.cutRecoveries()
		if err := c.verify(); err != nil {
			t.Fatalf("%v\n%s\nagain: go test ./engine/totem -run TestRandomFaultsInRecovery -runs 1 -seed %d",
				err, strings.Join(c.history, "\n"), seed)
		}
		for id, count := range c.probes {
			probes[id] += count
		}
	}
	for _, id := range []string{"totem/owed", "totem/recovery-gap", "totem/recovery-discard",
		"totem/token-lost-in-recovery"} {
		if *seedCount == 0 && thorough.On() && probes[id] == 0 {
			t.Errorf("no run reached %s", id)
		}
		t.Logf("%s: %d", id, probes[id])
	}
}

func (c *chaos) cutRecoveries() {
	n := len(c.procs)
	for i := range c.procs {
		c.boot(i)
		c.up[i] = true
	}
	c.w.RunFor(time.Second)
	// Packets of the victim reach a random part of the others, those of the rest reach all.
	victim := c.r.IntN(n)
	lossy := true
	before := c.w.Deliver
	c.w.Deliver = func(from, to env.MachineID, p string, payload []byte) bool {
		if lossy && int(from) == victim && len(payload) > 300 && c.r.IntN(3) > 0 {
			return false
		}
		return before(from, to, p, payload)
	}
	for i := range 3 * n {
		size := c.r.IntN(30)
		if i%n == victim {
			size = 300
		}
		_ = c.procs[i%n].node.Multicast(cpg.Guarantee(c.r.IntN(2)), make([]byte, size))
	}
	c.w.RunFor(time.Duration(c.r.IntN(12)) * 500 * time.Microsecond)
	c.note("kill %d", victim+1)
	c.kill(victim)
	c.up[victim], lossy = false, false
	for range 1 + c.r.IntN(3) {
		if !c.untilRecovery() {
			break
		}
		c.w.RunFor(time.Duration(c.r.IntN(40)) * 250 * time.Microsecond)
		lone := c.r.IntN(n)
		c.note("cut %d off", lone+1)
		for i := range n {
			c.cut[lone][i], c.cut[i][lone] = true, true
		}
		c.w.RunFor(time.Duration(c.r.IntN(4)) * 500 * time.Millisecond)
	}
	c.w.RunFor(time.Duration(c.r.IntN(4)) * time.Second)
	c.finishRun()
}

// TestFirstRingBreaksAtAnyInstant: a node that was in no ring since its start loses the token of its first
// ring, at any instant. It owes nothing to an old ring, because there was none, and joins the others later.
func TestFirstRingBreaksAtAnyInstant(t *testing.T) {
	brokeInRecovery := 0
	for step := range 40 {
		c := newChaos(t, uint64(step), 3)
		for i := range c.procs[1:] {
			c.boot(i + 1)
			c.up[i+1] = true
		}
		c.w.RunFor(time.Second)
		deaf, before := false, c.w.Deliver
		c.w.Deliver = func(from, to env.MachineID, p string, payload []byte) bool {
			return !(deaf && to == 0) && before(from, to, p, payload)
		}
		c.boot(0)
		c.up[0] = true
		for range 20000 {
			if c.procs[0].node.State() == Recovery {
				break
			}
			c.w.RunFor(100 * time.Microsecond)
		}
		c.w.RunFor(time.Duration(step) * 100 * time.Microsecond)
		if c.procs[0].node.State() == Recovery {
			brokeInRecovery++
		}
		deaf = true
		c.w.RunFor(DefaultTimers(testToken).Token * 2)
		deaf = false
		c.finishRun()
		require.NoError(t, c.verify(), "broken after %d steps of recovery", step)
	}
	require.Greater(t, brokeInRecovery, 10)
}
