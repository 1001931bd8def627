package pve

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// deadWatch looks for services that live on machines without power. Others may start them at any
// moment, so it does not matter whether anybody has done so yet.
type deadWatch struct {
	off        map[env.MachineID]scenarios.Stamped
	told       map[placedLife]bool
	violations []linearizability.Violation
}

// placedLife is a service on a machine that is off.
type placedLife struct {
	name    string
	machine env.MachineID
}

func (w *deadWatch) record(s *scenarios.Scenario, r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case scenarios.Power:
		if w.off == nil {
			w.off = map[env.MachineID]scenarios.Stamped{}
		}
		delete(w.off, r.Machine)
		w.told = map[placedLife]bool{}
		if !rec.On {
			w.off[r.Machine] = r
		}
	case host.ProgramHeartbeat:
		since, off := w.off[r.Machine]
		life := placedLife{rec.Name, r.Machine}
		if !off || w.told[life] {
			return
		}
		w.told[life] = true
		w.violations = append(w.violations, linearizability.Violation{Kind: linearizability.DoubleRun, Explain: fmt.Sprintf(
			"at %v service %s shows life on %s, which was switched off at %v by a %s", r.At, rec.Name,
			s.Machines[r.Machine], since.At, since.Record.(scenarios.Power).Cause)})
	}
}
