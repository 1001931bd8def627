package store

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// damage overwrites a node's database and its log with text, while its store does not run.
func (n *testNode) damage() {
	for _, name := range []string{"store/config.db", "store/config.db-wal"} {
		f, err := n.disk.Open(name, env.Create)
		require.NoError(n.t, err)
		require.NoError(n.t, f.Truncate(0))
		_, err = f.WriteAt(bytes.Repeat([]byte("text "), 2000), 0)
		require.NoError(n.t, err)
		require.NoError(n.t, f.Sync())
		require.NoError(n.t, f.Close())
	}
}

// A damaged database is named once, with what to do about it, and is looked at again from time to time. An
// operator who moves it away need not restart anything.
func TestDamagedDatabase(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	c.formAll(1, 2, 3)
	c.node(1).mustWrite("a", "1")
	n := c.node(3)
	n.kill()
	n.damage()
	n.opts.DiskDir = "/var/lib/holdfast/disk"
	lines := 0
	n.logLines = func(line string) {
		if strings.Contains(line, "unusable") {
			lines++
		}
	}
	require.NoError(t, n.start(), "the process runs and reports what is wrong")
	c.pass(10 * time.Minute)
	require.Equal(t, 1, lines, "one message, however often it is tried")
	st := n.do(Request{Op: OpStatus}).Status
	require.Equal(t, PhaseFailed, st.Phase)
	require.Contains(t, st.Reason, "/var/lib/holdfast/disk/store/config.db")
	require.Contains(t, st.Reason, "move the directory /var/lib/holdfast/disk/store away")
	require.Contains(t, st.Reason, "holdfastd replace-member 3")
	r := n.do(Request{Op: OpRead, Path: "a"})
	require.Equal(t, CodeFailed, r.Code)
	require.Contains(t, r.Message, "move the directory")
	c.formAll(1, 2)
	c.node(1).mustWrite("a", "2")

	for _, name := range []string{"store/config.db", "store/config.db-wal"} {
		if there, err := n.disk.Exists(name); err == nil && there {
			require.NoError(t, n.disk.Remove(name))
		}
	}
	c.pass(2 * time.Minute)
	c.formAll(1, 2, 3)
	require.Equal(t, RoleLearner, n.do(Request{Op: OpStatus}).Status.Role)
	require.Equal(t, "2", n.mustRead("a"))
}

// TestNewStoreAnswersNoClient: what a store without a history holds is not what the cluster holds. A client's
// local read gets no answer from it, before and after its node had another disk.
func TestNewStoreAnswersNoClient(t *testing.T) {
	c := newTestCluster(t, 1, 1, 1).start()
	read := Request{Op: OpRead, Path: "a", Local: true}
	require.Equal(t, CodeTryAgain, c.node(3).code(read))
	c.formAll(1, 2, 3)
	c.node(1).mustWrite("a", "1")
	c.settle()
	require.True(t, c.node(3).do(read).OK)
	n := c.node(3)
	n.kill()
	for _, name := range []string{"store/config.db", "store/config.db-wal"} {
		if there, err := n.disk.Exists(name); err == nil && there {
			require.NoError(t, n.disk.Remove(name))
		}
	}
	require.NoError(t, n.start())
	r := n.do(read)
	require.Equal(t, CodeTryAgain, r.Code, "not the answer that there is no such file")
	require.Contains(t, r.Message, "has not been in a cluster yet")
}
