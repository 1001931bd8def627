package pve

import (
	"fmt"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Topology makes a scenario run on the nodes of a real corosync.conf: as many machines, with the
// nodes' names and votes. Faults that name the scenario's i-th machine then mean the i-th node.
func Topology(s *scenarios.Scenario, file string, data []byte) error {
	conf, _, err := corosync.Parse(file, data)
	if err != nil {
		return err
	}
	if s.Subject.Kind != Kind {
		return fmt.Errorf("%s describes a cluster of kind %s, the scenario %s is about %s", file, Kind, s.Name, s.Subject.Kind)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("finding %s: %w", file, err)
	}
	names := make(scenarios.Machines, len(conf.Nodes))
	for i, n := range conf.Nodes {
		names[i] = n.Name
		if n.Name == "" {
			names[i] = fmt.Sprintf("node%d", n.ID)
		}
	}
	rename := renaming{file: file, to: map[string]string{fault.All: fault.All}}
	for i, old := range s.Machines {
		if i < len(names) {
			rename.to[old] = names[i]
		}
	}
	for i := range s.Faults {
		if err := rename.fault(&s.Faults[i]); err != nil {
			return err
		}
	}
	s.Machines = names
	s.Subject.Node, s.Subject.Value = nil, Spec{CorosyncConf: path}
	return nil
}

// renaming gives the machines that faults name their nodes' names.
type renaming struct {
	file string
	to   map[string]string
}

func (r *renaming) fault(f *fault.Fault) error {
	for _, list := range append([][]string{f.From, f.To, f.Machines}, f.Groups...) {
		for i, old := range list {
			name, ok := r.to[old]
			if !ok {
				return fmt.Errorf("%s has no node for machine %s of a %s fault: it has fewer nodes than the scenario needs",
					r.file, old, f.Kind)
			}
			list[i] = name
		}
	}
	return nil
}
