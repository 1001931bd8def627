package pve

import (
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hosted"
)

// Program is the command that runs a node of the engine on a real machine, and the names of the
// files that it reads beside its machine file.
const (
	Program  = "holdfastd"
	ConfFile = "corosync.conf"
	KeyFile  = "authkey"
)

// Driver implements scenarios.Subject.
func (s *Subject) Driver() scenarios.Driver {
	return &hosted.Driver{Program: Program, Extra: func(scenarios.Machine) ([]scenarios.File, error) {
		return []scenarios.File{{Name: ConfFile, Data: s.text}, {Name: KeyFile, Data: simulationKey}}, nil
	}}
}
