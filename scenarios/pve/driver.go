package pve

import (
	"encoding/json"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/pve/operator"
)

// Program is the command that runs a node of the engine on a real machine, and the names of the
// files that it reads beside its machine file.
const (
	Program  = "holdfastd"
	ConfFile = "corosync.conf"
	KeyFile  = "authkey"
	HAFile   = "ha.json"
)

// HAConfig is the content of HAFile. A machine with this file runs the HA manager.
type HAConfig struct {
	// Command is the program, with its arguments, of each service that names none. It gets the
	// service's id in the environment variable HOLDFAST_PROGRAM.
	Command []string `json:"command,omitempty"`
	// Commands are the programs that a service's configuration may name ("command: NAME"). The
	// replicated files cannot make this node run any other program.
	Commands map[string][]string `json:"commands,omitempty"`
}

// serviceCommand is a service on real nodes: it waits for SIGTERM.
var serviceCommand = []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"}

// Driver implements scenarios.Subject. With the HA manager, machines have power switches and
// watchdogs, services are real processes, and the operator works from the harness.
func (s *Subject) Driver() scenarios.Driver {
	if s.spec.LogKeep != 0 {
		return simulatedOnly{why: "log_keep: holdfastd remembers the usual number of revisions; run it in " +
			"the simulator"}
	}
	files := []scenarios.File{{Name: ConfFile, Data: s.text}, {Name: KeyFile, Data: simulationKey}}
	ha := s.spec.HA
	if ha != nil {
		data, err := json.Marshal(HAConfig{Command: serviceCommand})
		if err != nil {
			panic("pve: encoding a command: " + err.Error())
		}
		files = append(files, scenarios.File{Name: HAFile, Data: data})
	}
	d := &hostdriver.Driver{Program: Program, Powered: ha != nil,
		Extra: func(scenarios.Machine) ([]scenarios.File, error) { return files, nil }}
	if ha == nil {
		return d
	}
	return operator.New(ha, s.machines, s.warmup).Driver(d)
}

// simulatedOnly is the driver of a subject that asks for what real nodes do not carry out.
type simulatedOnly struct {
	scenarios.Driver
	why string
}

// Refuses implements the interface of drivers that refuse scenarios.
func (d simulatedOnly) Refuses() []string { return []string{d.why} }
