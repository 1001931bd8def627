package raft

import "github.com/holdfast-sim/holdfast/scenarios"

// RoleLeader is the role of the machine that became leader last and still is, as far as it knows.
const RoleLeader = "leader"

// roles follows which machine leads.
type roles struct{ scenarios.RoleTable }

// Observe implements scenarios.RoleWatch.
func (r *roles) Observe(record scenarios.Stamped) {
	switch rec := record.Record.(type) {
	case RoleChanged:
		if rec.Leader {
			r.Give(RoleLeader, record.Machine)
		} else {
			r.Take(RoleLeader, record.Machine)
		}
	case scenarios.Power:
		if !rec.On {
			r.Take(RoleLeader, record.Machine)
		}
	}
}
