// Command holdfast runs scenarios of the engine and of the toy register, judges them and shows the
// results. It never decides anything itself: package cmd/cli has the commands, and the packages that are
// put into its configuration here do the work.
package main

import (
	"context"

	"github.com/holdfast-sim/holdfast/cmd/cli"
	"github.com/holdfast-sim/holdfast/cmd/internal/version"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/raft"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

func main() {
	sim.TuneCollector()
	cli.Main(config())
}

func config() cli.Config {
	return cli.Config{
		Name: "holdfast", Version: version.Text(),
		Kinds: []cli.Kind{
			{Name: pve.Kind, Decode: pve.Decode, Topology: pve.Topology, Etc: pve.EtcPVE,
				Spec: pve.Spec{}, Descriptions: pveKeys},
			{Name: register.Kind, Decode: register.Decode},
			{Name: raft.Kind, Decode: raft.Decode, Spec: raft.Spec{}, Descriptions: map[string]string{
				"bug": "A classic bug that the replicas have. Default: none.",
			}},
		},
		Library:  library.Files(),
		Backends: []cli.Backend{cli.Simulator(), cli.RealNodes()},
		Suites:   suites(),
		Doctor:   doctor,
	}
}

// pveKeys describe the engine's part of a scenario, for editors.
var pveKeys = map[string]string{
	"corosync_conf":  "A corosync.conf, relative to this file. Its i-th node is the i-th machine.",
	"votes":          "The votes of machines that have other than one, for example {n1: 2}.",
	"expected_votes": "The votes that votequorum expects of the whole cluster. Default: their sum.",
	"token":          "How long the ring waits for the token, before the coefficient. Default 3s.",
	"log_keep": "How many revisions the store remembers the requests of, so that one that comes again is " +
		"carried out once. Default 16384.",
	"token_coefficient": "What is added to token for every machine beyond the second. Default 650ms.",
	"relay":             "Machines without a link reach each other over a third: auto or off. Default auto.",
	"store":             "The store's policy: strict.",
	"ha":                "The HA manager of every node: services, rules and commands of the operator.",
	"random":            "Draws all of this, the workload and the kinds of faults from the seed.",
}

// doctor checks what holdfastd finds on this machine.
func doctor(context.Context) []cli.Capability {
	watchdog := hostwatchdog.Inspect(hostwatchdog.DevicePath)
	return []cli.Capability{{Name: "holdfastd: watchdog", OK: watchdog.OK, Detail: watchdog.Detail,
		Remedy: watchdog.Remedy}}
}
