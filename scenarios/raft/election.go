package raft

import "github.com/holdfast-sim/holdfast/engine/env"

// election is how a replica becomes leader, and how it helps others to.
type election struct {
	*Process
	votes []bool // of a candidate, by machine
}

// startElection makes the replica a candidate of the next term.
func (e *election) startElection() {
	e.role, e.leader = candidate, 0
	e.term, e.vote = e.term+1, uint64(e.self)+1
	if !e.saveTerm() {
		return
	}
	e.votes = make([]bool, e.machines)
	e.votes[e.self] = true
	e.setElectionTimer()
	if e.hasMajority() {
		e.becomeLeader()
		return
	}
	e.requestVotes()
	e.env.SetTimer(timerHeartbeat, heartbeat)
}

// requestVotes asks the machines that have not voted for this candidate.
func (e *election) requestVotes() {
	for to := range env.MachineID(e.machines) {
		if !e.votes[to] {
			e.send(to, &message{Kind: kindVoteRequest, Index: e.lastIndex(),
				LogTerm: e.termAt(e.lastIndex())})
		}
	}
}

// onVoteRequest grants one vote a term, to a candidate whose log is at least as complete as this one.
func (e *election) onVoteRequest(from env.MachineID, m *message) {
	last := e.lastIndex()
	isComplete := m.LogTerm > e.termAt(last) || m.LogTerm == e.termAt(last) && m.Index >= last
	isFree := e.vote == 0 || e.vote == uint64(from)+1
	grants := m.Term == e.term && isFree && isComplete
	if grants {
		e.vote = uint64(from) + 1
		if e.bug != BugForgottenVote && !e.saveTerm() {
			return
		}
		e.setElectionTimer()
	}
	e.send(from, &message{Kind: kindVoteReply, Success: grants})
}

func (e *election) onVoteReply(from env.MachineID, m *message) {
	if e.role != candidate || m.Term != e.term || !m.Success {
		return
	}
	e.votes[from] = true
	if e.hasMajority() {
		e.becomeLeader()
	}
}

func (e *election) hasMajority() bool {
	count := 0
	for _, has := range e.votes {
		if has {
			count++
		}
	}
	return count > e.machines/2
}

// becomeLeader begins the leadership of this term. The log gets no entry of its own for that: entries of
// earlier terms are committed with the first request.
func (e *election) becomeLeader() {
	e.role, e.leader = leader, uint64(e.self)+1
	e.replication.begin()
	e.env.StopTimer(timerElection)
	e.env.Emit(RoleChanged{Term: e.term, Leader: true})
	e.replication.sendEntriesToAll()
	e.env.SetTimer(timerHeartbeat, heartbeat)
}
