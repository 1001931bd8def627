package raft

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// ProcessName is the name of the process on every machine.
const ProcessName = "raft"

// The timers, as in the paper.
const (
	electionMin  = 150 * time.Millisecond
	electionSpan = 150 * time.Millisecond // on top, drawn for each election
	heartbeat    = 50 * time.Millisecond
	// restartAfter is how long the service manager waits before it starts a replica again.
	restartAfter = 20 * time.Millisecond
)

// Limits.
const (
	maxLogEntries = 1 << 20
	maxSessions   = 1 << 12
	maxCalls      = 1 << 10
)

// Ids of timers.
const (
	timerElection env.TimerID = 1 + iota
	timerHeartbeat
	timerRetry
)

type role uint8

const (
	follower role = iota
	candidate
	leader
)

// Process is one replica. It also carries the requests of its machine's clients to the leader.
type Process struct {
	machines int
	bug      Bug
	env      env.Env
	self     env.MachineID
	disk     journal

	// Durable.
	term uint64
	vote uint64  // for whom in this term: the machine's number plus 1; 0 for none
	log  []entry // entry i of the paper is log[i-1]

	role   role
	leader uint64 // of this term: the machine's number plus 1; 0 when it is not known

	election    election
	replication replication
	gateway     gateway
}

// New makes the process of one machine.
func New(machines int, bug Bug) *Process { return &Process{machines: machines, bug: bug} }

// Start implements env.Process.
func (p *Process) Start(e env.Env) error {
	p.env, p.self = e, e.Self().Machine
	p.disk.syncsLater = p.bug == BugAckBeforeSync
	saved, err := p.disk.open(e.Disk())
	if err != nil {
		return err
	}
	p.term, p.vote, p.log = saved.term, saved.vote, saved.log
	p.election, p.replication, p.gateway = election{Process: p}, newReplication(p), newGateway(p)
	p.setElectionTimer()
	if p.disk.syncsLater {
		e.SetTimer(timerHeartbeat, heartbeat)
	}
	return nil
}

// Step implements env.Process.
func (p *Process) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked:
		p.gateway.onInvoked(ev)
	case env.Received:
		p.onReceived(ev)
	case env.TimerFired:
		p.onTimer(ev.ID)
	}
}

func (p *Process) onTimer(id env.TimerID) {
	switch id {
	case timerElection:
		p.election.startElection()
	case timerHeartbeat:
		p.onHeartbeat()
	case timerRetry:
		p.gateway.retryCalls()
	}
}

// onHeartbeat repeats what the others may have lost: a leader's entries, a candidate's requests.
func (p *Process) onHeartbeat() {
	if p.disk.syncsLater && !p.saved(p.disk.sync()) {
		return
	}
	switch p.role {
	case leader:
		p.replication.sendEntriesToAll()
	case candidate:
		p.election.requestVotes()
	case follower:
		if !p.disk.syncsLater {
			return
		}
	}
	p.env.SetTimer(timerHeartbeat, heartbeat)
}

func (p *Process) onReceived(ev env.Received) {
	m, err := decode(ev.Payload)
	if err != nil || int(ev.From) >= p.machines || ev.From < 0 || ev.From == p.self {
		return // not ours: a datagram can hold anything
	}
	switch m.Kind {
	case kindForward:
		p.gateway.onForward(origin{ev.From, m.Number}, m.Command)
		return
	case kindAnswer:
		p.gateway.onAnswer(m.Number, m.Answer)
		return
	}
	if m.Term > p.term && !p.enterTerm(m.Term) {
		return
	}
	switch m.Kind {
	case kindVoteRequest:
		p.election.onVoteRequest(ev.From, &m)
	case kindVoteReply:
		p.election.onVoteReply(ev.From, &m)
	case kindAppendRequest:
		p.replication.onAppendRequest(ev.From, &m)
	case kindAppendReply:
		p.replication.onAppendReply(ev.From, &m)
	}
}

// saved ends the process after a failed disk call and reports whether it goes on. Nothing may be assumed
// about the disk after a failure; the next start reads what is there.
func (p *Process) saved(err error) bool {
	if err == nil {
		return true
	}
	if !errors.Is(err, env.ErrDead) {
		p.env.Exit(fmt.Errorf("writing the journal: %w", err))
	}
	return false
}

func (p *Process) saveTerm() bool { return p.saved(p.disk.saveTerm(p.term, p.vote)) }

// enterTerm makes the replica a follower in a later term. It reports whether the replica goes on.
func (p *Process) enterTerm(term uint64) bool {
	p.term, p.vote = term, 0
	if !p.saveTerm() {
		return false
	}
	p.becomeFollower()
	return true
}

func (p *Process) becomeFollower() {
	if p.role == leader {
		p.env.Emit(RoleChanged{Term: p.term})
		p.setElectionTimer()
	}
	p.role, p.leader = follower, 0
}

func (p *Process) setElectionTimer() {
	draw := time.Duration(p.env.Rand("election").Uint64() % uint64(electionSpan))
	p.env.SetTimer(timerElection, electionMin+draw)
}

// lastIndex is the index of the last entry; 0 when there is none.
func (p *Process) lastIndex() uint64 { return uint64(len(p.log)) }

// termAt is the term of the entry at an index; 0 before the first and after the last.
func (p *Process) termAt(index uint64) uint64 {
	if index == 0 || index > p.lastIndex() {
		return 0
	}
	return p.log[index-1].Term
}

func (p *Process) send(to env.MachineID, m *message) {
	m.Term = p.term
	p.env.Send(to, 0, m.encode())
}

// RoleChanged is the record of a replica that became leader or stopped to be it.
type RoleChanged struct {
	Term   uint64 `json:"term"`
	Leader bool   `json:"leader"`
}

// RecordKind implements env.Record.
func (RoleChanged) RecordKind() string { return "raft-role" }
