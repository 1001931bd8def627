// Command registerd runs the toy register of scenarios/register on a real machine, so that the
// harness can be tried on real nodes without the engine. It is no database.
package main

import (
	"os"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/register"
)

func main() {
	os.Exit(nodemain.Main("registerd", "registerd runs one replica of the toy register.",
		os.Args[1:], os.Stderr, processes))
}

// processes makes a machine's processes exactly as the simulator does.
func processes(m nodemain.Machine) ([]host.Process, error) {
	subject, err := register.Decode(&scenarios.Scenario{Machines: scenarios.Count(m.Machines())})
	if err != nil {
		return nil, err
	}
	return nodemain.FromSpecs(subject.Builder().Processes(m.File.Machine), m.Timescale), nil
}
