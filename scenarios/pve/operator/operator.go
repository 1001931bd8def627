package operator

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// timeout is how long the operator waits for the answer to a request.
const timeout = 10 * time.Second

// retryPause separates the operator's attempts. There is no limit on their number: the operator tries
// until the run ends, because a command that is lost would hide what the manager does with it.
const retryPause = time.Second

// Operator is what an ha: section makes the administrator do, ready to be carried out.
type Operator struct {
	spec     *haspec.Spec
	machines []string
	warmup   time.Duration
	commands []command
}

// command is one of the section's, in typed form.
type command struct {
	haspec.Command
	haspec.ParsedCommand
}

// New returns the operator of a section that haspec.Spec.Check has accepted for these machines.
func New(spec *haspec.Spec, machines []string, warmup time.Duration) *Operator {
	o := &Operator{spec: spec, machines: machines, warmup: warmup}
	for _, c := range spec.Commands {
		o.commands = append(o.commands, command{c, c.Parsed()})
	}
	return o
}

// Process returns the operator's process on a machine of the simulator. That of the first machine
// also puts the files into the store.
func (o *Operator) Process(m env.MachineID) scenarios.ProcessSpec {
	return scenarios.ProcessSpec{Name: haspec.OperatorProcess, Restart: retryPause, New: func() env.Process {
		return &process{operator: o, machine: o.machines[m], putsFiles: m == 0}
	}}
}

// Driver returns a driver of real nodes on which the operator does its work.
func (o *Operator) Driver(d *hostdriver.Driver) *Driver {
	return &Driver{Driver: d, operator: o, dial: d.Dial}
}
