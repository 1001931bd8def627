// Command holdfast runs scenarios, judges them and shows what came out. It never decides anything
// itself: see cmd/internal/cli for the commands, and the packages that it is given here for what
// they do.
package main

import (
	"context"
	"os"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/cmd/internal/cli"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Config{
		Kinds: scenarios.Kinds{pve.Kind: pve.Decode, register.Kind: register.Decode},
		Worlds: []cli.World{
			{Name: "sim", About: "simulator", Runner: sim.Runner{}},
			{Name: chaos.World, About: "real nodes in network namespaces (root)", Runner: chaos.Runner{}},
		},
		Doctor:     doctor,
		CleanUp:    chaos.CleanUp,
		Topologies: map[string]cli.Topology{pve.Kind: pve.Topology},
	}))
}

// doctor says what real nodes find on this machine. Nothing of it is needed by the simulator.
func doctor(context.Context) []cli.Capability {
	var out []cli.Capability
	for _, c := range chaos.Doctor() {
		out = append(out, cli.Capability{Name: "real nodes: " + c.Name, OK: c.OK, Detail: c.Detail, Remedy: c.Remedy})
	}
	return out
}
