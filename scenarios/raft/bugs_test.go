package raft

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim"
)

// scripted is another machine: the test sends in its name and looks at what it receives.
type scripted struct {
	t        *testing.T
	received []message
}

func (s *scripted) Start(env.Env) error { return nil }

func (s *scripted) Step(ev env.Event) {
	if ev, ok := ev.(env.Received); ok {
		m, err := decode(ev.Payload)
		require.NoError(s.t, err)
		s.received = append(s.received, m)
	}
}

// stage is one replica, machine 0, among scripted machines 1 and 2.
type stage struct {
	t       *testing.T
	world   *envtest.World
	bug     Bug
	replica *envtest.Proc
	others  []*scripted // by machine; machine 0 is nil
	procs   []*envtest.Proc
	calls   []string // of the disk, since the replica's start
}

func newStage(t *testing.T, bug Bug) *stage {
	s := &stage{t: t, world: envtest.New(), bug: bug, others: []*scripted{nil}, procs: []*envtest.Proc{nil}}
	for m := env.MachineID(1); m <= 2; m++ {
		s.others = append(s.others, &scripted{t: t})
		p, err := s.world.Start(m, ProcessName, s.others[m])
		require.NoError(t, err)
		s.procs = append(s.procs, p)
	}
	s.restart()
	return s
}

func (s *stage) restart() {
	if s.replica != nil {
		s.world.Kill(s.replica)
	}
	var err error
	s.replica, err = s.world.Start(0, ProcessName, New(3, s.bug))
	require.NoError(s.t, err)
	s.calls = nil
	s.world.DiskOf(0).Fail = func(op, _ string) error { s.calls = append(s.calls, op); return nil }
}

// exchange sends a message to the replica and returns what that machine received last soon after.
func (s *stage) exchange(from env.MachineID, m message) message {
	s.procs[from].Send(0, 0, m.encode())
	s.world.RunFor(3 * time.Millisecond)
	require.NotEmpty(s.t, s.others[from].received)
	return s.others[from].received[len(s.others[from].received)-1]
}

func anEntry(term uint64, value string) entry {
	return entry{Term: term, Command: command{Function: write, Key: "k", Value: value, Session: "c1",
		Serial: term}}
}

// eachBug runs a test with every bug and without one. The test reports whether the replica made the mistake.
func eachBug(t *testing.T, mistake Bug, makes func(s *stage) bool) {
	for _, bug := range append(Bugs(), BugNone) {
		t.Run(fmt.Sprintf("%q", bug), func(t *testing.T) {
			require.Equal(t, bug == mistake, makes(newStage(t, bug)))
		})
	}
}

func TestVoteSurvivesARestart(t *testing.T) {
	eachBug(t, BugForgottenVote, func(s *stage) bool {
		require.True(t, s.exchange(1, message{Kind: kindVoteRequest, Term: 5}).Success)
		require.False(t, s.exchange(2, message{Kind: kindVoteRequest, Term: 5}).Success)
		s.restart()
		require.True(t, s.exchange(1, message{Kind: kindVoteRequest, Term: 5}).Success, "the same vote again")
		s.restart()
		return s.exchange(2, message{Kind: kindVoteRequest, Term: 5}).Success
	})
}

func TestEntriesAreSyncedBeforeTheAnswer(t *testing.T) {
	eachBug(t, BugAckBeforeSync, func(s *stage) bool {
		s.exchange(1, message{Kind: kindAppendRequest, Term: 1})
		s.calls = nil
		require.True(t, s.exchange(1, message{Kind: kindAppendRequest, Term: 1,
			Entries: []entry{anEntry(1, "a")}}).Success)
		answered := s.calls
		s.world.RunFor(heartbeat)
		require.Equal(t, []string{"write", "sync"}, s.calls)
		return len(answered) == 1
	})
}

func TestAnOldMessageRemovesNothing(t *testing.T) {
	eachBug(t, BugStaleTruncate, func(s *stage) bool {
		a, b := anEntry(1, "a"), anEntry(1, "b")
		s.exchange(1, message{Kind: kindAppendRequest, Term: 1, Entries: []entry{a, b}})
		old := message{Kind: kindAppendRequest, Term: 1, Entries: []entry{a}}
		require.True(t, s.exchange(1, old).Success)
		stays := s.exchange(1, message{Kind: kindAppendRequest, Term: 1, Index: 2, LogTerm: 1}).Success
		conflict := s.exchange(2, message{Kind: kindAppendRequest, Term: 2, Index: 1, LogTerm: 1,
			Entries: []entry{anEntry(2, "c")}})
		require.True(t, conflict.Success, "another leader's entry replaces it")
		replaced := message{Kind: kindAppendRequest, Term: 2, Index: 2, LogTerm: 1}
		require.False(t, s.exchange(2, replaced).Success)
		return !stays
	})
}

func TestALeaderCommitsItsOwnTerm(t *testing.T) {
	eachBug(t, BugCommitOfOldTerm, func(s *stage) bool {
		s.exchange(1, message{Kind: kindAppendRequest, Term: 1, Entries: []entry{anEntry(1, "a")}})
		s.world.RunFor(electionMin + electionSpan)
		request := s.others[1].received[len(s.others[1].received)-1]
		require.Equal(t, kindVoteRequest, request.Kind)
		s.exchange(1, message{Kind: kindVoteReply, Term: request.Term, Success: true})
		s.exchange(1, message{Kind: kindAppendReply, Term: request.Term, Success: true, Index: 1})
		s.world.RunFor(heartbeat)
		beat := s.others[2].received[len(s.others[2].received)-1]
		require.Equal(t, kindAppendRequest, beat.Kind)
		commitsEarly := beat.Commit == 1
		s.exchange(1, message{Kind: kindForward, Number: 1, Command: anEntry(9, "b").Command})
		s.exchange(1, message{Kind: kindAppendReply, Term: request.Term, Success: true, Index: 2})
		answer := s.others[1].received[len(s.others[1].received)-1]
		require.Equal(t, kindAnswer, answer.Kind, "the entry of this term commits the earlier one with it")
		return commitsEarly
	})
}

// TestPowerLossOfAllFindsAckBeforeSync: the power of the whole cluster fails again and again.
func TestPowerLossOfAllFindsAckBeforeSync(t *testing.T) {
	b := scenarios.New("power").Story("The power fails everywhere.").Machines(3).Warmup(time.Second).
		Duration(10*time.Second).Quiescence(2*time.Second).Subject(Kind, nil).
		Workload(workload.Spec{Clients: 5, Operations: 300, Keys: 3})
	for at := time.Second; at < 9*time.Second; at += 997 * time.Millisecond {
		b.At(at).PowerCut(fault.All).For(100 * time.Millisecond)
	}
	s := b.MustBuild()
	for bug, want := range map[Bug]linearizability.Validity{BugNone: linearizability.Valid,
		BugAckBeforeSync: linearizability.Invalid} {
		r, err := sim.Runner{}.Run(context.Background(), s, NewSubject(3, bug), scenarios.RunOptions{Seed: 1})
		require.NoError(t, err)
		require.Equal(t, want, r.Verdict(), "%q: %v", bug, r.Verdicts)
	}
}
