package scenarios

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// RoleServing is the role that every subject has: the machine that a client has called last.
const RoleServing = "serving"

// RoleJudge is implemented by a [Judge] that knows from the records which machine has which role, for example
// that of the leader. Faults can be aimed at such a role: see [fault.Fault.Role].
type RoleJudge interface {
	// Roles lists the roles.
	Roles() []string
	// WatchRoles begins to follow the roles of one run.
	WatchRoles(s *Scenario) RoleWatch
}

// RoleWatch follows which machine has which role during one run.
type RoleWatch interface {
	// Observe is called with each record, in the order of their times.
	Observe(r Stamped)
	// Holder returns the machine that has a role after the records so far; found is false if none has. Of
	// several machines it returns the last to get the role.
	Holder(role string) (m env.MachineID, found bool)
}

// RolesOf lists the roles that faults of a subject can be aimed at, sorted.
func RolesOf(subject Subject) []string {
	roles := []string{RoleServing}
	if j, is := subject.Judge().(RoleJudge); is {
		roles = append(roles, j.Roles()...)
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// WatchRoles begins to follow the roles of one run, apart from [RoleServing]. It returns nil if no fault of
// the schedule is aimed at one.
func WatchRoles(s *Scenario, subject Subject, schedule []fault.Fault) RoleWatch {
	j, is := subject.Judge().(RoleJudge)
	aimed := slices.ContainsFunc(schedule, func(f fault.Fault) bool {
		return f.IsAimed() && f.Role != RoleServing && f.Role != fault.RoleTriggering
	})
	if !is || !aimed {
		return nil
	}
	return j.WatchRoles(s)
}

// RoleTable holds which machine has which role. It is a [RoleWatch] once something calls Give and Take. The
// zero value is ready.
type RoleTable struct{ holders map[string]env.MachineID }

// Give gives a role to a machine, which takes it from any other.
func (t *RoleTable) Give(role string, m env.MachineID) {
	if t.holders == nil {
		t.holders = map[string]env.MachineID{}
	}
	t.holders[role] = m
}

// Take takes a role from a machine, if it has it.
func (t *RoleTable) Take(role string, m env.MachineID) {
	if have, is := t.holders[role]; is && have == m {
		delete(t.holders, role)
	}
}

// Holder implements [RoleWatch].
func (t *RoleTable) Holder(role string) (env.MachineID, bool) {
	m, found := t.holders[role]
	return m, found
}
