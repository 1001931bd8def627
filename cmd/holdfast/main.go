// Command holdfast runs scenarios, judges them and shows what came out. It never decides anything
// itself: see cmd/internal/cli for the commands, and the packages that it is given here for what
// they do.
package main

import (
	"context"
	"os"
	"reflect"
	"runtime/debug"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/cmd/internal/cli"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/scenarios/schema"
	"github.com/holdfast-sim/holdfast/sim"
)

// gcPercent lets twice as much garbage collect as Go would: a run makes little that lives long and
// much that does not.
const gcPercent = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(cli.Main(os.Args[1:], config()))
}

func config() cli.Config {
	return cli.Config{
		Kinds: scenarios.Kinds{pve.Kind: pve.Decode, register.Kind: register.Decode},
		Parts: parts(),
		Backends: []cli.Backend{
			{Name: "sim", About: "simulator", Runner: sim.Runner{}},
			{Name: chaos.Backend, About: "real nodes in network namespaces (root)", Runner: chaos.Runner{}, RealTime: true},
		},
		Doctor:     doctor,
		CleanUp:    chaos.CleanUp,
		Topologies: map[string]cli.Topology{pve.Kind: pve.Topology},
		Suites:     suites(),
	}
}

// parts describe what the subjects read from a scenario, for editors.
func parts() []schema.Part {
	return []schema.Part{
		{Kind: register.Kind, Type: reflect.TypeFor[struct{}]()},
		{Kind: pve.Kind, Type: reflect.TypeFor[pve.Spec](), Descriptions: map[string]string{
			"corosync_conf":     "A real corosync.conf to use, relative to this file. Its i-th node is the i-th machine.",
			"votes":             "The votes of machines that have other than one, for example {n1: 2}.",
			"token":             "How long the ring waits for the token, before the coefficient. Default 3s.",
			"token_coefficient": "What is added to token for every machine beyond the second. Default 650ms.",
			"store":             "The store's policy: strict.",
			"ha":                "Runs the HA manager on every node, with services, rules and what the operator does.",
		}},
	}
}

// doctor says what real nodes and the daemon find on this machine. Nothing of it is needed by the
// simulator.
func doctor(context.Context) []cli.Capability {
	var out []cli.Capability
	for _, c := range chaos.Doctor() {
		out = append(out, cli.Capability{Name: "real nodes: " + c.Name, OK: c.OK, Detail: c.Detail, Remedy: c.Remedy})
	}
	dog := host.InspectWatchdog(host.WatchdogDevice)
	return append(out, cli.Capability{Name: "holdfastd: watchdog", OK: dog.OK, Detail: dog.Detail, Remedy: dog.Remedy})
}
