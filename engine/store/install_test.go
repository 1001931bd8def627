package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Node 3 is killed, with or without a power cut, at each disk call of the installation that brings
// it an acknowledged change. Whatever it reports afterwards, together with node 2, which never
// installed that epoch, must not lose the change.
func TestKilledAtEveryCallOfAnInstallation(t *testing.T) {
	for _, full := range []bool{false, true} {
		for _, power := range []bool{false, true} {
			at := 1
			for killedDuringInstallation(t, at, full, power) {
				at++
			}
			require.Greater(t, at, 4, "the installation has more disk calls than that")
		}
	}
}

func killedDuringInstallation(t *testing.T, at int, full, power bool) bool {
	c := newTestCluster(t, 1, 1, 1).start()
	watch(t, c)
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	n1.mustWrite("f", "old")
	if full { // a branch of its own: only a full copy helps
		r := c.form(1, 2)
		n1.enter(r, nil)
		n2.enter(r, nil)
		n3.invoke(Request{Op: "write", Path: "f", Data: []byte("branch")})
		c.settle()
	}
	c.formAll(1, 2)
	n1.mustWrite("f", "acknowledged")

	r := c.form(1, 2, 3)
	for _, n := range c.nodes {
		n.enter(r, nil)
	}
	lag := func() { // node 2 reports and then stands still: it never sees the decision
		for len(n2.pipe) > 0 {
			n2.deliver()
		}
	}
	lag()
	for n1.deliver() || n3.deliver() || n1.fire(time.Second) {
		if n3.store.catchUp.fetching {
			break
		}
	}
	require.True(t, n3.store.catchUp.fetching)
	left, hit := at, false
	n3.disk.Before = func(op, _ string) error {
		if op == "read" || op == "open" {
			return nil
		}
		if left--; left == 0 {
			hit = true
			n3.disk.Before = nil
			if power {
				n3.disk.PowerCut(func(int) int { return 0 })
				n3.boot++
			}
			panic(killed{})
		}
		return nil
	}
	for n1.fire(5*time.Millisecond) || n1.deliver() || n3.up && n3.deliver() {
	}
	n3.disk.Before = nil
	if n3.up {
		n3.kill()
	}
	require.NoError(t, n3.start())
	n1.kill()
	c.formAll(2, 3)
	c.pass(time.Second)
	require.Equal(t, "acknowledged", n3.mustRead("f"))
	for _, n := range []*testNode{n2, n3} {
		n.kill()
	}
	return hit
}

// A member that waits for its state has nothing durable in the epoch: what it hears of counts for
// nothing until it has installed.
func TestFetchingMemberDoesNotConfirm(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	watch(t, c)
	c.formAll(1, 2, 3)
	n1, n2, n3 := c.node(1), c.node(2), c.node(3)
	c.formAll(1, 2)
	n1.mustWrite("f", "old")
	r := c.form(1, 2, 3)
	for _, n := range c.nodes {
		n.enter(r, nil)
	}
	for len(n2.pipe) > 0 { // node 2 reports and stands still
		n2.deliver()
	}
	settle := func() {
		for n1.deliver() || n3.deliver() || n1.fire(time.Millisecond) || n3.fire(time.Millisecond) {
		}
	}
	for !n3.store.catchUp.fetching {
		require.True(t, n1.deliver() || n3.deliver() || n1.fire(time.Second))
	}
	delete(n1.timers, timerServe) // the state does not come yet
	settle()
	op := n1.invoke(Request{Op: "write", Path: "f", Data: []byte("new")})
	settle()
	require.Nil(t, n1.answers[op], "one vote of three is not enough")
	n1.SetTimer(timerServe, 0)
	settle()
	require.True(t, n1.answers[op].OK, "now node 3 has it")
}

// A wiped store gets no say, also not together with a store that missed what it had confirmed.
func TestWipedStoreDoesNotVote(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	watch(t, c)
	c.formAll(1, 2, 3)
	c.formAll(1, 3)
	c.node(1).mustWrite("f", "confirmed by 1 and 3")
	(&walk{t: t, c: c, wipes: 1}).wipe(c.node(3))
	require.NoError(t, c.node(3).start())
	c.formAll(2, 3)
	c.pass(time.Second)
	require.Equal(t, CodeNoQuorum, c.node(2).code(Request{Op: OpRead, Path: "f"}))
	require.Equal(t, CodeReadOnly, c.node(3).code(Request{Op: "write", Path: "f"}))
	c.formAll(1, 2, 3)
	require.Equal(t, "confirmed by 1 and 3", c.node(2).mustRead("f"))
}
