package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// mustWrite writes a file through a node.
func (l *lab) mustWrite(node int, path, text string) {
	l.t.Helper()
	c := l.client(node)
	defer c.CloseIdleConnections()
	var r *store.Response
	var err error
	l.until("a write", func() bool {
		r, err = callStore(c, store.Request{ID: path + "=" + text, Op: "write", Path: path,
			Data: []byte(text), Retry: true})
		return err == nil && r.Code != store.CodeTryAgain && r.Code != store.CodeUnknown
	})
	require.NoError(l.t, err)
	require.True(l.t, r.OK, "%+v", r)
}

// read returns a file as a node reads it from the cluster, "" for a missing one.
func (l *lab) read(node int, path string) string {
	c := l.client(node)
	defer c.CloseIdleConnections()
	text := ""
	l.until("a read", func() bool {
		r, err := callStore(c, store.Request{ID: "read", Op: store.OpRead, Path: path})
		if err != nil || !r.OK && r.Code != "not_found" {
			return false
		}
		if r.OK {
			text = string(r.Entry.Data)
		}
		return true
	})
	return text
}

// metrics returns a node's metrics as text.
func (l *lab) metrics(node int) string {
	l.t.Helper()
	c := l.client(node)
	defer c.CloseIdleConnections()
	answer, err := c.Get("http://node" + hostapi.PathMetrics)
	require.NoError(l.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(l.t, err)
	require.Equal(l.t, http.StatusOK, answer.StatusCode)
	return string(text)
}

// voteless reports whether a node knows that another one has no vote and can get it back.
func (l *lab) voteless(at, node int) bool {
	s := l.status(at)
	return s != nil && len(s.Config) == len(l.nodes) && s.Config[node].VotelessSinceMS != 0 &&
		s.Config[node].Present != "" && s.Config[node].Present != s.Config[node].Incarnation
}

// damages are what happens to a disk while its machine is off.
var damages = map[string]func(l *lab, node int, yesterday string) error{
	"wiped": func(l *lab, node int, _ string) error {
		return os.RemoveAll(l.path(node, "disk"))
	},
	"put back to yesterday": func(l *lab, node int, yesterday string) error {
		if err := os.RemoveAll(l.path(node, "disk")); err != nil {
			return err
		}
		return os.CopyFS(l.path(node, "disk"), os.DirFS(yesterday))
	},
	"cut short": func(l *lab, node int, _ string) error {
		return os.Truncate(l.path(node, filepath.Join("disk", "store", "config.db-wal")), 0)
	},
}

// TestDisksThatForget: a disk is wiped, put back to an older state or cut short, on each node in turn.
// Nothing is lost, every node reports that the vote is missing, and one command gives it back.
func TestDisksThatForget(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for a minute")
	l := newLab(t, labSettings{machine: `, "timescale": "1/4"`})
	for name, damage := range damages {
		for node := range l.nodes {
			others := othersThan(node)
			yesterday := filepath.Join(t.TempDir(), "disk")
			l.terminate(node)
			require.NoError(t, os.CopyFS(yesterday, os.DirFS(l.path(node, "disk"))))
			l.start(node)
			l.untilWritable(0, 1, 2)
			value := fmt.Sprintf("%s %d", name, node)
			l.mustWrite(others[0], "precious", value)
			l.kill(node)
			require.NoError(t, damage(l, node, yesterday))
			l.start(node)
			l.until("the missing vote is seen", func() bool {
				return l.voteless(others[0], node) && l.voteless(node, node)
			})
			require.Equal(t, value, l.read(node, "precious"), name)

			var out, errs bytes.Buffer
			args := []string{"--api", l.path(others[1], "api.sock"), fmt.Sprintf("n%d", node+1)}
			require.Equal(t, nodemain.ExitOK, replaceMain(args, &out, &errs), "%s", &errs)
			require.Contains(t, out.String(), fmt.Sprintf("node n%d has its vote back", node+1))
			require.Equal(t, nodemain.ExitInternal, replaceMain(args, &out, &errs))
			require.Contains(t, errs.String(), "has its vote: nothing is to be replaced")
			l.terminate(others[1])
			l.mustWrite(node, "precious", value+" again") // its vote is needed
			l.start(others[1])
			l.untilWritable(0, 1, 2)
		}
	}
}

// TestANewDiskOfTwo: in a cluster of two, a node's disk is wiped, put back or cut short under load. The other
// node has everything that was acknowledged, and one command gives the vote and with it the quorum back.
func TestANewDiskOfTwo(t *testing.T) {
	thorough.Only(t, "a cluster of two daemons works for half a minute")
	l := newLab(t, labSettings{machine: `, "timescale": "1/4"`, size: 2})
	for name, damage := range damages {
		for node := range l.nodes {
			other := 1 - node
			yesterday := filepath.Join(t.TempDir(), "disk")
			l.terminate(node)
			require.NoError(t, os.CopyFS(yesterday, os.DirFS(l.path(node, "disk"))))
			l.start(node)
			l.untilWritable(0, 1)
			load := startLoad([]int{0, 1}, l.client, put)
			time.Sleep(300 * time.Millisecond)
			l.kill(node)
			load.stop(time.Now())
			require.NotEmpty(t, load.lastAcked)
			require.NoError(t, damage(l, node, yesterday))
			l.start(node)
			hasLostNothing := false // the cut log was empty, because the database had just taken it over
			l.until("the missing vote is seen", func() bool {
				s := l.status(other)
				hasLostNothing = name == "cut short" && s != nil && s.Quorate
				return hasLostNothing || l.voteless(other, node)
			})
			t.Logf("n%d, %s: lost nothing %v", node+1, name, hasLostNothing)
			if !hasLostNothing {
				require.False(t, l.status(other).Quorate)
				l.giveVoteBack(other, node)
			}
			l.untilWritable(0, 1)
			for key, n := range load.lastAcked {
				require.GreaterOrEqual(t, l.number(node, key), n, "%s: %s", name, key)
			}
			l.mustWrite(node, "later", name)
		}
	}
}

// giveVoteBack runs holdfastd replace-member through a node.
func (l *lab) giveVoteBack(at, node int) {
	l.t.Helper()
	var out, errs bytes.Buffer
	args := []string{"--api", l.path(at, "api.sock"), fmt.Sprintf("n%d", node+1)}
	require.Equal(l.t, nodemain.ExitOK, replaceMain(args, &out, &errs), "%s", &errs)
	require.Contains(l.t, out.String(), fmt.Sprintf("node n%d has its vote back", node+1))
}

// number returns the number that a file holds, as a node reads it from the cluster; -1 for none.
func (l *lab) number(node int, path string) int {
	n, err := strconv.Atoi(l.read(node, path))
	if err != nil {
		return -1
	}
	return n
}

// TestALateWitnessOfARealDisk: where no node that is there can know that a disk was put back, a node that
// returns later reports the loss and keeps what it had.
func TestALateWitnessOfARealDisk(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for half a minute")
	l := newLab(t, labSettings{machine: `, "timescale": "1/4"`})
	l.mustWrite(2, "known to all", "0")
	time.Sleep(time.Second) // until no store writes any longer
	// The third node remembers the epochs of the others, so the image is one of a running node: any later
	// one would do, and any earlier one would be noticed.
	yesterday := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.CopyFS(yesterday, os.DirFS(l.path(1, "disk"))))
	l.terminate(2)
	l.untilWritable(0, 1)
	l.mustWrite(0, "acknowledged", "1")
	l.terminate(0)
	l.kill(1)
	require.NoError(t, damages["put back to yesterday"](l, 1, yesterday))
	l.start(1)
	l.start(2)
	l.untilWritable(1, 2)
	require.Empty(t, l.read(1, "acknowledged"), "no node knows")
	l.mustWrite(1, "later", "2")
	l.start(0)
	l.untilWritable(0, 1, 2)
	losses := l.status(0).Losses
	require.Len(t, losses, 1)
	require.Contains(t, l.log(0), "acknowledged changes are lost")
	require.Contains(t, l.metrics(0), "\nholdfast_store_losses 1\n")
	require.Contains(t, l.metrics(1), "\nholdfast_store_losses 0\n")
	kept, err := os.ReadFile(l.path(0, filepath.Join("disk", losses[0].File)))
	require.NoError(t, err)
	require.Contains(t, string(kept), `"path": "acknowledged"`)
}

func TestReplaceMemberSaysWhatIsWrong(t *testing.T) {
	t.Setenv(nodeapi.AddressVariable, "")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":     {[]string{"--help"}, nodemain.ExitOK, "Never start the old disk again"},
		"no node":  {nil, nodemain.ExitUsage, "it takes one node, not 0 arguments"},
		"no api":   {[]string{"n1"}, nodemain.ExitUsage, "set HOLDFAST_API"},
		"no flag":  {[]string{"--force", "n1"}, nodemain.ExitUsage, "unknown flag"},
		"no reply": {[]string{"--api", "/nonexistent.sock", "n1"}, nodemain.ExitInternal, "asking the node"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			require.Equal(t, c.code, replaceMain(c.args, &out, &errs))
			require.Contains(t, errs.String(), c.want)
		})
	}
	members := &store.Status{Config: []store.MemberStatus{
		{Node: 1, Name: "n1", Incarnation: "a", Present: "a"},
		{Node: 2, Name: "n2", Incarnation: "b", Present: "c"}, {Node: 3, Incarnation: "d"},
		{Node: 4, Name: "n4", Incarnation: "e", Present: "e", VotelessSinceMS: 1}}}
	for node, want := range map[string]string{"n1": "has its vote", "1": "has its vote",
		"3": "does not take part", "n4": "new identity", "n9": "it has n1, n2, 3, n4"} {
		_, err := findVoteless(members, node)
		require.ErrorIs(t, err, errReplace)
		require.ErrorContains(t, err, want)
	}
	for _, node := range []string{"2", "n2"} {
		m, err := findVoteless(members, node)
		require.NoError(t, err)
		require.Equal(t, "c", m.Present)
	}
	_, err := findVoteless(&store.Status{}, "n1")
	require.ErrorContains(t, err, "in no cluster")
}

// TestAReplacementOfUnknownOutcome: a try that may have succeeded is looked at again, and is no error if it
// has.
func TestAReplacementOfUnknownOutcome(t *testing.T) {
	m := store.MemberStatus{Node: 2, Name: "n2", Incarnation: "old", Present: "new"}
	for name, voter := range map[string]string{"it succeeded": "new", "another store has the vote": "other"} {
		asked := 0
		answer := func(_ context.Context, r store.Request) (*store.Response, error) {
			if r.Op == store.OpStatus {
				return &store.Response{OK: true, Status: &store.Status{Config: []store.MemberStatus{m}}}, nil
			}
			asked++
			m.Incarnation, m.Present = voter, voter
			return &store.Response{Code: store.CodeUnknown}, nil
		}
		text, err := replaceMember(t.Context(), answer, "n2")
		require.Equal(t, 1, asked, name)
		if voter == "new" {
			require.NoError(t, err)
			require.Contains(t, text, "node n2 has its vote back, with the store new")
		} else {
			require.ErrorIs(t, err, errReplace)
		}
		m.Incarnation, m.Present = "old", "new"
	}
}

// TestADamagedDatabaseIsSaidOnce: the other nodes go on, the log has one line with the path and the remedy,
// and the remedy works.
func TestADamagedDatabaseIsSaidOnce(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for a quarter of a minute")
	l := newLab(t, labSettings{machine: `, "timescale": "1/10"`})
	l.mustWrite(0, "precious", "1")
	l.kill(2)
	dir := l.path(2, filepath.Join("disk", "store"))
	text := bytes.Repeat([]byte("text "), 2000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.db"), text, 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "config.db-wal")))
	require.NoError(t, os.Truncate(l.path(2, "log"), 0))
	l.start(2)
	l.until("the damage is seen", func() bool {
		s := l.status(2)
		return s != nil && s.Phase == store.PhaseFailed
	})
	time.Sleep(13 * time.Second) // two retries
	require.Equal(t, 1, strings.Count(l.log(2), "unusable"), l.log(2))
	require.Contains(t, l.log(2), "the database is "+filepath.Join(dir, "config.db"))
	require.NoError(t, os.Rename(dir, dir+".damaged"))
	l.until("the node joins with a new disk", func() bool { return l.voteless(0, 2) })
	require.Equal(t, "1", l.read(2, "precious"))
}
