package simtest_test

import (
	"os"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// subject describes the keeper to the harness.
func subject(hasty bool) scenarios.Subject {
	return scenarios.Define(scenarios.Definition{
		Kind:      "keeper",
		Policy:    "a value is durable before its write is answered",
		Processes: scenarios.OnEveryMachine("keeper", func() env.Process { return &keeper{hasty: hasty} }),
		Encode: func(op workload.Op) (process string, input []byte) {
			return "keeper", encode(packet{F: op.F, Key: op.Key, Value: op.Value})
		},
		Decode: func(op workload.Op, output []byte) (workload.Result, error) {
			if op.F == workload.Read && len(output) > 0 {
				return workload.OKValue(string(output)), nil
			}
			return workload.OK(), nil
		},
		Model:    models.Register,
		Survives: scenarios.SurvivesAnything, // it may be unavailable, but it never forgets
	})
}

func roughSeas() *scenarios.Scenario {
	return scenarios.New("rough-seas").
		Story("Something goes wrong every few seconds, with machines, network and disks.").
		Machines(3).Warmup(time.Second).Duration(60*time.Second).Quiescence(10*time.Second).
		Nemesis(scenarios.Nemesis{
			Kinds: []fault.Kind{fault.Partition, fault.Link, fault.Kill, fault.Pause, fault.PowerCut,
				fault.DiskStall, fault.DiskError},
			Every: 4 * time.Second, ForMin: time.Second, ForMax: 4 * time.Second, AtOnce: 2}).
		Subject("keeper", nil).
		MustBuild()
}

func TestKeeper(t *testing.T) {
	// With KEEPER_HASTY=1 the test fails: it shows what a found bug looks like.
	simtest.Run(t, roughSeas(), subject(os.Getenv("KEEPER_HASTY") != ""))
}
