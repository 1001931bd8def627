package haproc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// crash ends the CRM of n1 at its nth request that concerns the commands or the status, just before
// the store carries the request out or just after.
type crash struct {
	nth   int
	after bool
}

func (c crash) String() string {
	if c.after {
		return fmt.Sprintf("after request %d", c.nth)
	}
	return fmt.Sprintf("before request %d", c.nth)
}

// concernsCommands reports whether a request belongs to taking, recording or removing commands.
func concernsCommands(req *store.Request) bool {
	if strings.HasPrefix(req.Path, CommandsPath) {
		return true
	}
	return req.Path == ManagerStatusPath && req.Op == "cas"
}

// TestCommandsAreCarriedOutOnceWhicheverMasterDies ends the master at every request around a batch of
// commands. A second execution would show: disarming a disarmed cluster is refused. A lost command
// would show in the status of the next master.
func TestCommandsAreCarriedOutOnceWhicheverMasterDies(t *testing.T) {
	crashed := 0
	for nth := 1; ; nth++ {
		ended := 0
		for _, c := range []crash{{nth, false}, {nth, true}} {
			t.Run(c.String(), func(t *testing.T) {
				if runCrash(t, c) {
					ended++
				}
			})
		}
		crashed += ended
		if ended == 0 {
			break // the round with the commands has fewer requests
		}
		require.Less(t, nth, 50, "a round with one batch has a handful of such requests")
	}
	require.GreaterOrEqual(t, crashed, 8, "rename, read, status and removal, each before and after")
}

// runCrash reports whether the master of the first round came to the request of the crash.
func runCrash(t *testing.T, c crash) (crashed bool) {
	b := newBench(t, 2)
	b.service("vm:1", "n1")
	b.startCRM(0)
	b.world.RunFor(30 * time.Second)
	require.Equal(t, "n1", b.managerStatus().MasterNode)
	b.startCRM(1)
	b.world.RunFor(time.Second)

	seen := 0
	strike := func(after bool) func(int, string, *store.Request) bool {
		return func(node int, from string, req *store.Request) bool {
			if node != 0 || from != CRMProcess || !concernsCommands(req) || crashed {
				return false
			}
			if !after {
				seen++
			}
			if seen != c.nth || after != c.after {
				return false
			}
			crashed = true
			b.kill("n1/crm")
			return true
		}
	}
	b.put(CommandsPath, "disarm-ha freeze\n")
	b.before, b.after = strike(false), strike(true)
	b.world.RunFor(15 * time.Second) // one round of the master
	b.before, b.after = nil, nil
	if !crashed {
		b.kill("n1/crm")
	}
	b.world.RunFor(5 * time.Minute) // the lock expires, and n2 follows

	status := b.managerStatus()
	require.Equal(t, "n2", status.MasterNode)
	require.NotNil(t, status.Disarm, "the command is not lost")
	require.Empty(t, recordsOf[CommandRefused](b), "the command is not carried out twice")
	require.Empty(t, b.get(CommandsPath))
	for _, path := range b.tree.Paths() {
		require.False(t, strings.HasPrefix(path, batchPrefix), "batch %s stays", path)
	}
	taken := map[bool]int{}
	for _, r := range recordsOf[CommandsTaken](b) {
		require.Equal(t, []string{"disarm-ha freeze"}, r.Lines)
		taken[r.Before]++
	}
	require.LessOrEqual(t, taken[false], 1)
	uids := map[string]bool{}
	for _, r := range recordsOf[CommandAccepted](b) {
		require.Equal(t, ha.CommandDisarm, r.Verb)
		uids[r.UID] = true
	}
	require.Len(t, uids, 1, "every master that accepts it knows it by the same id")
	return crashed
}

// TestAFailedStatusWriteLeavesTheCommands covers the window in which the master continues to run.
func TestAFailedStatusWriteLeavesTheCommands(t *testing.T) {
	b := newBench(t, 2)
	b.service("vm:1", "n1")
	b.startCRM(0)
	b.world.RunFor(30 * time.Second)
	b.put(CommandsPath, "disarm-ha freeze\n")
	lost := 0
	b.before = func(_ int, _ string, req *store.Request) bool {
		if req.Path == ManagerStatusPath && req.Op == "cas" && lost == 0 {
			lost++
			return true // no answer: the master cannot know whether it was written
		}
		return false
	}
	b.world.RunFor(40 * time.Second)
	require.Equal(t, 1, lost)
	require.NotNil(t, b.managerStatus().Disarm)
	require.NotEmpty(t, recordsOf[CommandsTaken](b))
	require.Empty(t, b.get(CommandsPath))
}
