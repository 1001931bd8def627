package pve

import (
	"bytes"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fencesim"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/internal/checksum"
	"github.com/holdfast-sim/holdfast/scenarios/pve/operator"
)

// simulationKey is the cluster's secret in the simulator and on namespace nodes, where no outsider
// listens.
var simulationKey = bytes.Repeat([]byte("holdfast simulated cluster key. "), 4)

// smallPageBytes is the size of the pages of the stores' databases in most runs of the simulator. SQLite's
// default of 4096 makes each commit write four times as much, most of which has not changed.
const smallPageBytes = 1024

// compose makes the engine's processes of a machine. Flaws are those of one run's guests.
func (s *Subject) compose(m env.MachineID, flaws *resource.Flaws) ([]node.Process, error) {
	o := node.Options{Cluster: s.conf, Machine: m, Key: simulationKey, LogKeep: s.spec.LogKeep}
	if !s.asInService {
		o.Cipher, o.PageBytes = checksum.Cipher, smallPageBytes
	}
	if ha := s.spec.HA; ha != nil {
		o.HA = &node.HA{Guests: ha.GuestOptions(s.machines[m], s.warmup, flaws),
			Self: ha.Self(s.machines[m]), MoveTimeout: ha.Migration.Timeout,
			IdleFactor: ha.IdleFactor}
	}
	return node.Compose(o)
}

// Builder implements scenarios.Subject.
func (s *Subject) Builder() scenarios.Builder {
	b := builder{subject: s}
	if ha := s.spec.HA; ha != nil {
		b.guestFlaws, b.operator = ha.GuestFlaws(), operator.New(ha, s.machines, s.warmup)
	}
	return b
}

// builder makes the processes of one run.
type builder struct {
	subject    *Subject
	guestFlaws *resource.Flaws    // of the run's guests
	operator   *operator.Operator // nil without HA
}

// Files implements scenarios.Builder: the configuration is given to the processes directly.
func (b builder) Files(env.MachineID) []scenarios.File { return nil }

// Processes implements scenarios.Builder.
func (b builder) Processes(m env.MachineID) []scenarios.ProcessSpec {
	processes, err := b.subject.compose(m, b.guestFlaws)
	if err != nil {
		panic("pve: a configuration that was accepted cannot be composed: " + err.Error())
	}
	ha := b.subject.spec.HA
	specs := make([]scenarios.ProcessSpec, len(processes), len(processes)+1)
	for i, p := range processes {
		specs[i] = scenarios.ProcessSpec{Name: p.Name, New: p.New, Restart: p.Restart}
		if ha != nil {
			specs[i].New = processMaker(ha, b.subject.machines[m], p)
		}
	}
	if ha != nil {
		specs = append(specs, b.operator.Process(m))
	}
	return specs
}

// ExternalDevices implements scenarios.ExternalDeviceBuilder.
func (b builder) ExternalDevices(w scenarios.ExternalDeviceHost) scenarios.ExternalDevices {
	s := b.subject
	if s.spec.HA == nil || s.spec.HA.Fence == "" {
		return nil
	}
	return fencesim.New(s.spec.HA,
		fencesim.Cluster{Machines: s.machines, Nodes: s.NodeNames(), Warmup: s.warmup}, w)
}

// processMaker returns how a process of a machine is made. The HA manager's do not run in a first boot that
// is for putting files into place, nor on a machine where the operator must start them first.
func processMaker(ha *haspec.Spec, machine string, p node.Process) func() env.Process {
	byHand := slices.Contains(ha.Disabled, machine)
	if !ha.Prepared && !byHand || p.Name != haproc.CRMProcess && p.Name != haproc.LRMProcess {
		return p.New
	}
	var boot uint64 // the last one in which the machine has started it
	return func() env.Process {
		return &heldBackProcess{process: p.New(), mayRun: func(s env.Self) bool {
			first := s.Boot != boot
			boot = s.Boot
			return !(byHand && first) && !(ha.Prepared && s.Boot == 1)
		}}
	}
}

// heldBackProcess is a process that stops at once unless it may run.
type heldBackProcess struct {
	process    env.Process
	mayRun     func(env.Self) bool
	isHeldBack bool
}

// Start implements env.Process.
func (b *heldBackProcess) Start(e env.Env) error {
	if b.isHeldBack = !b.mayRun(e.Self()); b.isHeldBack {
		e.Exit(env.ErrStopped)
		return nil
	}
	return b.process.Start(e)
}

// Step implements env.Process.
func (b *heldBackProcess) Step(ev env.Event) {
	if !b.isHeldBack {
		b.process.Step(ev)
	}
}
