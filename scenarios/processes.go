package scenarios

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// CheckProcesses refuses faults of a process that one of their machines does not have: such a fault
// would hit nothing and count as injected. A subject without a builder does not list its processes;
// then the driver reports an unknown process when the fault begins.
//
// It also refuses faults that are aimed at a role, or wait for a trigger, which the subject does not have.
func CheckProcesses(s *Scenario, subject Subject) error {
	var problems strictyaml.Problems
	problems.Add(strictyaml.Problem{}, checkRoles(s, subject))
	problems.Add(strictyaml.Problem{}, checkTriggers(s, subject))
	builder := subject.Builder()
	if builder == nil {
		return problems.Err()
	}
	if s.Nemesis != nil {
		problems.Add(strictyaml.Problem{}, checkNemesis(s, builder))
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		if f.Process == "" {
			continue
		}
		for m, machine := range s.Machines {
			if !fault.Names(f.Targets(), machine) {
				continue
			}
			var names []string
			for _, p := range builder.Processes(env.MachineID(m)) {
				names = append(names, p.Name)
			}
			if !slices.Contains(names, f.Process) {
				problems.Add(strictyaml.Problem{}, s.Errorf(fmt.Sprintf("faults[%d].process", i),
					"%s has no process %q; %s, or leave the key out for all of them",
					machine, f.Process, strictyaml.SpellingAdvice(f.Process, names)))
				break // one machine that lacks it is enough
			}
		}
	}
	return problems.Err()
}

// checkNemesis refuses a nemesis that may hit a process which a machine does not have.
func checkNemesis(s *Scenario, builder Builder) error {
	var problems strictyaml.Problems
	for i, process := range s.Nemesis.Processes {
		for m, machine := range s.Machines {
			var names []string
			for _, p := range builder.Processes(env.MachineID(m)) {
				names = append(names, p.Name)
			}
			if !slices.Contains(names, process) {
				problems.Add(strictyaml.Problem{}, s.Errorf(fmt.Sprintf("nemesis.processes[%d]", i),
					"%s has no process %q; %s", machine, process, strictyaml.SpellingAdvice(process, names)))
				break
			}
		}
	}
	return problems.Err()
}
