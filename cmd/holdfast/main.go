// Command holdfast runs scenarios, judges them and shows what came out. It never decides anything
// itself: see cmd/internal/cli for the commands, and the packages that it is given here for what
// they do.
package main

import (
	"os"

	"github.com/holdfast-sim/holdfast/cmd/internal/cli"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Config{
		Kinds:      scenarios.Kinds{pve.Kind: pve.Decode, register.Kind: register.Decode},
		Worlds:     []cli.World{{Name: "sim", About: "simulator", Runner: sim.Runner{}}},
		Topologies: map[string]cli.Topology{pve.Kind: pve.Topology},
	}))
}
