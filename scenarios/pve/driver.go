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

// Driver implements scenarios.Subject. With HA there is none: the daemon has neither a watchdog nor
// resources of its own yet, and a run without them would judge nothing.
func (s *Subject) Driver() scenarios.Driver {
	if s.spec.HA != nil {
		return nil
	}
	return &hosted.Driver{Program: Program, Extra: func(scenarios.Machine) ([]scenarios.File, error) {
		return []scenarios.File{{Name: ConfFile, Data: s.text}, {Name: KeyFile, Data: simulationKey}}, nil
	}}
}
