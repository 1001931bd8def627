package scenarios

import "github.com/holdfast-sim/holdfast/scenarios/fault"

func Expand(s *Scenario, judge Judge, choices func(stream, label string) fault.Chooser) []fault.Fault {
	return s.Faults
}
