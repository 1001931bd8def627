package raft

import "github.com/holdfast-sim/holdfast/engine/env"

// replication brings the leader's log to the followers, commits and applies it.
type replication struct {
	*Process
	commit     uint64
	nextIndex  []uint64 // of a leader, by machine
	matchIndex []uint64
	// waiting are the callers that wait for an entry that this replica wrote as a leader, by index;
	// waitingIndex is the index at which a request waits.
	waiting      map[uint64]origin
	waitingIndex map[origin]uint64
	state        stateMachine
}

// origin is the machine of a client and its number of the request.
type origin struct {
	machine env.MachineID
	number  uint64
}

func newReplication(p *Process) replication {
	return replication{Process: p, waiting: map[uint64]origin{}, waitingIndex: map[origin]uint64{},
		state: newStateMachine()}
}

// begin begins the work of a new leader, which does not know yet what its followers have.
func (r *replication) begin() {
	r.nextIndex, r.matchIndex = make([]uint64, r.machines), make([]uint64, r.machines)
	for m := range r.nextIndex {
		r.nextIndex[m] = r.lastIndex() + 1
	}
}

// propose appends a request to the leader's log and sends it to the others.
func (r *replication) propose(from origin, c command) {
	if _, waits := r.waitingIndex[from]; waits {
		return // sent again; the first one is in the log
	}
	if r.lastIndex() >= maxLogEntries {
		r.gateway.answerOrigin(from, answer{Status: statusUnknown}) // another leader may have it in its log
		return
	}
	e := entry{Term: r.term, Command: c}
	if !r.saved(r.disk.saveLog(appendEntryChange(nil, &e))) {
		return
	}
	r.log = append(r.log, e)
	r.waiting[r.lastIndex()] = from
	r.waitingIndex[from] = r.lastIndex()
	r.sendEntriesToAll()
	r.advanceCommit()
}

func (r *replication) sendEntriesToAll() {
	for to := range env.MachineID(r.machines) {
		if to != r.self {
			r.sendEntries(to)
		}
	}
}

// sendEntries sends a follower the entries that it lacks; none is a heartbeat.
func (r *replication) sendEntries(to env.MachineID) {
	before := r.nextIndex[to] - 1
	m := message{Kind: kindAppendRequest, Index: before, LogTerm: r.termAt(before), Commit: r.commit}
	sizeBytes := 0
	for _, e := range r.log[before:] {
		sizeBytes += len(e.Command.Key) + len(e.Command.Value) + len(e.Command.Session) + 32
		if len(m.Entries) == maxEntries || sizeBytes > maxMessageBytes {
			break
		}
		m.Entries = append(m.Entries, e)
	}
	r.send(to, &m)
}

func (r *replication) onAppendRequest(from env.MachineID, m *message) {
	if m.Term < r.term {
		r.send(from, &message{Kind: kindAppendReply, Index: r.lastIndex()})
		return
	}
	if r.role == candidate {
		r.becomeFollower()
	}
	if r.role == leader {
		return // the leader of this term is this replica
	}
	r.setElectionTimer()
	r.leader = uint64(from) + 1
	if m.Index > r.lastIndex() || r.termAt(m.Index) != m.LogTerm {
		r.send(from, &message{Kind: kindAppendReply, Index: r.lastIndex()})
		return
	}
	r.acceptEntries(from, m)
}

// acceptEntries makes the log equal to the leader's up to the last entry of the message.
func (r *replication) acceptEntries(from env.MachineID, m *message) {
	match := m.Index + uint64(len(m.Entries))
	fresh, keep := m.Entries, m.Index
	if r.bug != BugStaleTruncate {
		// What is there already stays: an old message must not remove the entries of later ones.
		for len(fresh) > 0 && r.termAt(keep+1) == fresh[0].Term {
			fresh, keep = fresh[1:], keep+1
		}
		if len(fresh) == 0 {
			keep = r.lastIndex()
		}
	}
	var changes []byte
	if keep < r.lastIndex() {
		changes = appendTruncateChange(changes, keep+1)
	}
	for i := range fresh {
		changes = appendEntryChange(changes, &fresh[i])
	}
	if len(changes) > 0 {
		if !r.saved(r.disk.saveLog(changes)) {
			return
		}
		r.forgetWaiting(keep)
		r.log = append(r.log[:keep], fresh...)
	}
	r.applyUpTo(min(m.Commit, match))
	r.send(from, &message{Kind: kindAppendReply, Success: true, Index: match})
}

func (r *replication) onAppendReply(from env.MachineID, m *message) {
	if r.role != leader || m.Term != r.term {
		return
	}
	if !m.Success {
		r.nextIndex[from] = max(1, min(r.nextIndex[from]-1, m.Index+1))
		r.sendEntries(from)
		return
	}
	if m.Index > r.lastIndex() {
		return // no follower of this term has more than the leader
	}
	r.matchIndex[from] = max(r.matchIndex[from], m.Index)
	r.nextIndex[from] = max(r.nextIndex[from], r.matchIndex[from]+1)
	r.advanceCommit()
	if r.nextIndex[from]+maxEntries <= r.lastIndex() {
		r.sendEntries(from)
	}
}

// advanceCommit commits what a majority has. An entry of an earlier term is committed only together with
// one of this term: a later leader may lack it otherwise (figure 8 of the paper).
func (r *replication) advanceCommit() {
	for index := r.lastIndex(); index > r.commit; index-- {
		if r.termAt(index) != r.term && r.bug != BugCommitOfOldTerm {
			return
		}
		count := 1
		for m := range r.matchIndex {
			if env.MachineID(m) != r.self && r.matchIndex[m] >= index {
				count++
			}
		}
		if count > r.machines/2 {
			r.applyUpTo(index)
			return
		}
	}
}

// applyUpTo commits and applies the log up to an index, and answers the callers that wait.
func (r *replication) applyUpTo(index uint64) {
	for r.commit < index {
		r.commit++
		e := &r.log[r.commit-1]
		result := r.state.apply(&e.Command)
		if from, waits := r.waiting[r.commit]; waits {
			delete(r.waiting, r.commit)
			delete(r.waitingIndex, from)
			r.gateway.answerOrigin(from, result)
		}
	}
}

// forgetWaiting forgets the callers that wait for the entries that are removed from the log; they ask again.
func (r *replication) forgetWaiting(keep uint64) {
	for index := keep + 1; index <= r.lastIndex(); index++ {
		if from, waits := r.waiting[index]; waits {
			delete(r.waiting, index)
			delete(r.waitingIndex, from)
		}
	}
}
