package pve

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// started is how a process of a machine is made: the HA manager's may be held back.
func started(h *haspec.Spec, machine string, p node.Process) func() env.Process {
	byHand := slices.Contains(h.Disabled, machine)
	if !h.Prepared && !byHand || p.Name != haproc.CRMProcess && p.Name != haproc.LRMProcess {
		return p.New
	}
	var boot uint64 // the last one in which the machine has started it
	return func() env.Process {
		return &heldBack{process: p.New(), runs: func(s env.Self) bool {
			first := s.Boot != boot
			boot = s.Boot
			return !(byHand && first) && !(h.Prepared && s.Boot == 1)
		}}
	}
}

// heldBack is a process that runs only when it may.
type heldBack struct {
	process env.Process
	runs    func(env.Self) bool
	held    bool
}

// Start implements env.Process.
func (b *heldBack) Start(e env.Env) error {
	if b.held = !b.runs(e.Self()); b.held {
		e.Exit(env.ErrStopped)
		return nil
	}
	return b.process.Start(e)
}

// Step implements env.Process.
func (b *heldBack) Step(ev env.Event) {
	if !b.held {
		b.process.Step(ev)
	}
}

// specs are the processes of a machine for the simulator.
func (s *Subject) specs(m env.MachineID, processes []node.Process) []scenarios.ProcessSpec {
	specs := make([]scenarios.ProcessSpec, len(processes))
	for i, p := range processes {
		specs[i] = scenarios.ProcessSpec{Name: p.Name, New: p.New, Restart: p.Restart}
		if s.spec.HA != nil {
			specs[i].New = started(s.spec.HA, s.machines[m], p)
		}
	}
	if s.spec.HA != nil {
		specs = append(specs, s.operatorSpec(m))
	}
	return specs
}
