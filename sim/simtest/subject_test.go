package simtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// subject tells the harness about the keeper.
type subject struct{ hasty bool }

func (s subject) Kind() string               { return "keeper" }
func (s subject) Builder() scenarios.Builder { return s }
func (s subject) Driver() scenarios.Driver   { return nil } // not on real nodes
func (s subject) Client() workload.Codec     { return codec{} }
func (s subject) Judge() scenarios.Judge     { return judge{} }

func (s subject) Files(env.MachineID) []scenarios.File { return nil }

func (s subject) Processes(env.MachineID) []scenarios.ProcessSpec {
	return []scenarios.ProcessSpec{{
		Name:    "keeper",
		New:     func() env.Process { return &keeper{hasty: s.hasty} },
		Restart: time.Second,
	}}
}

// codec turns the workload's operations into the keeper's requests.
type codec struct{}

func (codec) Functions() []workload.Weight {
	return []workload.Weight{{F: workload.Read, Weight: 1}, {F: workload.Write, Weight: 1}}
}

func (codec) Encode(op workload.Op) (process string, input []byte) {
	input, err := json.Marshal(packet{F: op.F, Key: op.Key, Value: op.Value})
	if err != nil {
		panic(err)
	}
	return "keeper", input
}

func (codec) Decode(op workload.Op, output []byte) (workload.Result, error) {
	r := workload.Result{Type: history.OK}
	if op.F == workload.Read && len(output) > 0 {
		r.Value = workload.JSON(string(output))
	}
	return r, nil
}

func (codec) Final() []workload.Op {
	return []workload.Op{{F: workload.Read, Key: workload.KeyName(0)}}
}

// judge knows what right means: every history is one that a single copy could have given, and in
// the end every machine answers.
type judge struct{}

func (judge) Watch(*scenarios.Scenario) scenarios.Watch { return judge{} }
func (judge) Record(scenarios.Stamped) error            { return nil }

func (judge) DecodeRecord(kind string, _ []byte) (env.Record, error) {
	return nil, fmt.Errorf("the keeper emits no records, but here is a %q", kind)
}

func (judge) Story(*scenarios.Run) scenarios.Story {
	return scenarios.Story{Policy: "a value is durable before its write is answered"}
}

// Survives sets no limit to what a nemesis may do: a disk that was synced is never lost.
func (judge) Survives(scenarios.Damage) bool { return true }

func (judge) Check(ctx context.Context, r *scenarios.Run) []linearizability.Verdict {
	unknown := func(err error) []linearizability.Verdict {
		return []linearizability.Verdict{{Checker: "history", Validity: linearizability.Unknown, Summary: err.Error()}}
	}
	ops, err := history.Operations(r.Events)
	if err != nil {
		return unknown(err)
	}
	model, err := models.Register(nil)
	if err != nil {
		return unknown(err)
	}
	report, err := linearizability.Check(ctx, model, &linearizability.History{Ops: ops})
	if err != nil {
		return unknown(err)
	}
	return []linearizability.Verdict{report.Verdict(), scenarios.CheckRecovery(r)}
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
	simtest.Run(t, roughSeas(), subject{hasty: os.Getenv("KEEPER_HASTY") != ""})
}
