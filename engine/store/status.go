package store

// status returns what this store is doing, for operators and for the processes of this machine.
func (s *Store) status() *Status {
	st := &Status{Phase: s.phase(), Role: s.disk.role(), Node: s.node(), Ring: s.ring.id.String(),
		Members: s.ring.members, Quorate: s.writable(), Pending: s.ops.live}
	if s.disk.failed != nil {
		st.Reason = s.disk.failed.Error()
	} else if s.epoch.refusal != nil && s.ring.decision == nil {
		st.Reason = s.epoch.refusal.Error()
	}
	replica := s.disk.replica
	if replica == nil {
		return st
	}
	st.Incarnation = replica.Incarnation.String()
	st.Epoch, st.Revision = replica.Epoch.String(), replica.Revision()
	if c := replica.Config; c != nil {
		for _, m := range c.Members {
			ms := MemberStatus{Node: m.Node, Votes: m.Votes, Incarnation: m.Incarnation.String()}
			if r := s.epoch.reportOf(m.Node); r != nil {
				ms.Present = r.Incarnation.String()
			}
			st.Config = append(st.Config, ms)
		}
	}
	return st
}

func (s *Store) phase() Phase {
	switch {
	case s.disk.failed != nil:
		return PhaseFailed
	case !s.ring.present:
		return PhaseDetached
	case s.ring.installed:
		return PhaseServing
	case s.catchUp.fetching:
		return PhaseFetching
	}
	return PhaseExchange
}
