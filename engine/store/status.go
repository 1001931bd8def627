package store

import "errors"

// status returns what this store is doing, for operators and for the processes of this machine.
func (s *Store) status() *Status {
	st := &Status{Phase: phaseOf(s), Role: s.disk.role(), Node: s.node(), Ring: s.ring.id.String(),
		Members: s.ring.members, Quorate: s.writable(), Pending: s.ops.unansweredCount}
	if s.disk.failure != nil {
		st.Reason = s.disk.failure.Error()
	} else if s.epoch.noDecisionReason != nil && s.ring.decision == nil {
		st.Reason = s.epoch.noDecisionReason.Error()
	}
	if v := s.ring.votes; v != nil {
		st.Votes = &VotesStatus{Quorate: v.Quorate, Votes: v.Votes, Expected: v.Expected,
			Needed: v.QuorumVotes}
	}
	if reason := s.epoch.differenceReason(); reason != nil {
		st.Difference = reason.Error()
	}
	if reason := s.votesReason(); st.Reason == "" && errors.Is(reason, errVotesTooLow) {
		st.Reason = reason.Error()
	}
	replica := s.disk.replica
	if replica == nil {
		return st
	}
	st.Incarnation = replica.Incarnation.String()
	st.Epoch, st.Revision = replica.Epoch.String(), replica.Revision()
	if c := replica.Config; c != nil {
		for _, m := range c.Members {
			ms := MemberStatus{Node: m.Node, Votes: m.Votes, Incarnation: m.Incarnation.String(),
				VotelessSinceMS: replica.Memory.VotelessSince(m.Node)}
			for _, v := range s.opts.Nodes {
				if v.Node == m.Node {
					ms.Name = v.Name
				}
			}
			if r := s.epoch.reportOf(m.Node); r != nil {
				ms.Present = r.Incarnation.String()
			}
			st.Config = append(st.Config, ms)
		}
	}
	for _, l := range replica.Memory.Losses {
		st.Losses = append(st.Losses, LossStatus{AtMS: l.AtMS, From: l.From, To: l.To, Confirmed: l.Confirmed,
			File: l.File})
	}
	return st
}

func phaseOf(s *Store) Phase {
	switch {
	case s.disk.failure != nil:
		return PhaseFailed
	case !s.ring.seenFromStart:
		return PhaseDetached
	case s.ring.installed:
		return PhaseServing
	case s.catchUp.fetching:
		return PhaseFetching
	}
	return PhaseExchange
}
