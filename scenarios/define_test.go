package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// leader is a record that the defined system emits.
type leader struct {
	Term uint64 `json:"term"`
}

func (leader) RecordKind() string { return "leader" }

// smallest is a definition with nothing that has a default.
func smallest() scenarios.Definition {
	return scenarios.Definition{
		Kind:      "smallest",
		Processes: scenarios.OnEveryMachine("main", func() env.Process { return nil }),
		Encode:    func(op workload.Op) (string, []byte) { return "main", []byte(op.F + " " + op.Key) },
		Decode:    func(workload.Op, []byte) (workload.Result, error) { return workload.OK(), nil },
		Model:     models.Register,
	}
}

// aRun is a finished run in which one write was answered.
func aRun() *scenarios.Run {
	return &scenarios.Run{
		Scenario: &scenarios.Scenario{Machines: scenarios.Count(1), Quiescence: time.Second},
		Events: []history.Event{
			{Index: 0, Time: 1, Process: 0, Type: history.Invoke, F: "write", Key: "k0",
				Value: workload.JSON("a")},
			{Index: 1, Time: 2, Process: 0, Type: history.OK, F: "write", Key: "k0"},
			{Index: 2, Time: 3, Process: 0, Type: history.Invoke, F: "read", Key: "k0"},
			{Index: 3, Time: 4, Process: 0, Type: history.OK, F: "read", Key: "k0",
				Value: workload.JSON("a")},
		},
		Finals: []scenarios.Final{{Op: workload.Op{F: "read"}}},
	}
}

func TestDefaultsOfADefinition(t *testing.T) {
	s := scenarios.Define(smallest())
	require.Equal(t, "smallest", s.Kind())
	require.Nil(t, s.Driver())
	require.Empty(t, s.Builder().Files(0))
	specs := s.Builder().Processes(1)
	require.Len(t, specs, 1)
	require.Equal(t, "main", specs[0].Name)
	require.Equal(t, scenarios.RestartDelay, specs[0].Restart)

	require.Equal(t, []workload.Weight{{F: "read", Weight: 1}, {F: "write", Weight: 1}},
		s.Client().Functions())
	require.Empty(t, s.Client().Final())
	require.Equal(t, []workload.Op{{F: "read", Key: "k0"}, {F: "read", Key: "k1"}},
		s.Client().(workload.FinalReader).FinalReads([]string{"k0", "k1"}))
	process, input := s.Client().Encode(workload.Op{F: "read", Key: "k1"})
	require.Equal(t, "main", process)
	require.Equal(t, "read k1", string(input))

	j := s.Judge()
	require.Equal(t, scenarios.Timeline{}, j.Timeline(aRun()))
	all := func(from, to env.MachineID) bool { return true }
	require.True(t, j.Survives(scenarios.Damage{Machines: 3, Down: []env.MachineID{0}, Reaches: all}))
	require.False(t, j.Survives(scenarios.Damage{Machines: 3, Down: []env.MachineID{0, 1}, Reaches: all}))
	_, err := j.DecodeRecord("leader", []byte("{}"))
	require.ErrorContains(t, err, `subject smallest has no record "leader"`)
}

// TestRunsOfADefinitionAreJudged by model and recovery, and a violation can be drawn.
func TestRunsOfADefinitionAreJudged(t *testing.T) {
	watch := scenarios.Define(smallest()).Judge().Watch(nil)
	require.NoError(t, watch.Record(scenarios.Stamped{Record: leader{1}}))
	verdicts := watch.Check(t.Context(), aRun())
	require.Len(t, verdicts, 2)
	require.Equal(t, linearizability.Valid, linearizability.Worst(verdicts))

	wrong := aRun()
	wrong.Events[3].Value = workload.JSON("b")
	verdicts = watch.Check(t.Context(), wrong)
	require.Equal(t, linearizability.Invalid, verdicts[0].Validity)
	require.NotNil(t, wrong.Picture, "a violation of the history can be drawn")

	silent := aRun()
	silent.Finals[0].Err = errors.New("no answer")
	require.Equal(t, linearizability.Invalid, watch.Check(t.Context(), silent)[1].Validity)
}

func TestPartsOfADefinitionReplaceDefaults(t *testing.T) {
	d := smallest()
	d.Files = func(env.MachineID) []scenarios.File { return []scenarios.File{{Name: "config"}} }
	d.Functions = []workload.Weight{{F: "cas", Weight: 3}}
	d.Final = []workload.Op{{F: "list"}}
	d.FinalReads = func(keys []string) []workload.Op { return []workload.Op{{F: "dump", Key: keys[0]}} }
	d.Survives = scenarios.SurvivesAnything
	d.Records = []env.Record{leader{}}
	d.Policy = "promises nothing"
	d.Timeline = func(*scenarios.Run) scenarios.Timeline {
		return scenarios.Timeline{Lanes: []scenarios.Lane{{Name: "leader"}}}
	}
	d.Check = func(context.Context, *scenarios.Run) []linearizability.Verdict {
		return []linearizability.Verdict{{Checker: "mine", Validity: linearizability.Invalid}}
	}
	tooOld := errors.New("the term went back")
	d.Observe = func(*scenarios.Scenario) func(scenarios.Stamped) error {
		var last uint64
		return func(r scenarios.Stamped) error {
			term := r.Record.(leader).Term
			if term < last {
				return tooOld
			}
			last = term
			return nil
		}
	}
	s := scenarios.Define(d)
	require.Equal(t, "config", s.Builder().Files(0)[0].Name)
	require.Equal(t, d.Functions, s.Client().Functions())
	require.Equal(t, d.Final, s.Client().Final())
	require.Equal(t, []workload.Op{{F: "dump", Key: "k0"}},
		s.Client().(workload.FinalReader).FinalReads([]string{"k0", "k1"}))
	j := s.Judge()
	require.True(t, j.Survives(scenarios.Damage{Machines: 1, Down: []env.MachineID{0}}))
	r, err := j.DecodeRecord("leader", []byte(`{"term":7}`))
	require.NoError(t, err)
	require.Equal(t, leader{7}, r)
	_, err = j.DecodeRecord("leader", []byte(`{"term":"x"}`))
	require.ErrorContains(t, err, "reading a record leader")
	require.Equal(t, "promises nothing", j.Timeline(nil).Policy)
	require.Len(t, j.Timeline(nil).Lanes, 1)

	for range 2 { // each run is observed anew
		watch := j.Watch(nil)
		require.NoError(t, watch.Record(scenarios.Stamped{Record: leader{2}}))
		require.ErrorIs(t, watch.Record(scenarios.Stamped{Record: leader{1}}), tooOld)
		verdicts := watch.Check(t.Context(), aRun())
		require.Equal(t, "mine", verdicts[len(verdicts)-1].Checker)
	}
}

// TestWhatCannotBeJudgedIsUnknown covers models and logs that cannot be made.
func TestWhatCannotBeJudgedIsUnknown(t *testing.T) {
	d := smallest()
	d.Witness = func(*scenarios.Run) (*linearizability.Witness, error) {
		return nil, errors.New("log is gone")
	}
	v := scenarios.Define(d).Judge().Watch(nil).Check(t.Context(), aRun())[0]
	require.Equal(t, linearizability.Unknown, v.Validity)
	require.Equal(t, "reading the system's log: log is gone", v.Summary)
}

func TestDefinePanicsWithoutAPart(t *testing.T) {
	for want, spoil := range map[string]func(d *scenarios.Definition){
		`subject "": set Kind`:                 func(d *scenarios.Definition) { d.Kind = "" },
		"set Encode and Decode, or Client":     func(d *scenarios.Definition) { d.Encode = nil },
		"Client replaces Encode":               func(d *scenarios.Definition) { d.Client = toyCodec{} },
		"set Processes to simulate it, Driver": func(d *scenarios.Definition) { d.Processes = nil },
		"set FinalReads, so that what it holds at the end is judged": func(d *scenarios.Definition) {
			d.Functions = []workload.Weight{{F: "enqueue", Weight: 1}}
		},
		"no run could ever be wrong": func(d *scenarios.Definition) { d.Model = nil },
		"a witness is compared with a model": func(d *scenarios.Definition) {
			d.Model = nil
			d.Check = func(context.Context, *scenarios.Run) []linearizability.Verdict { return nil }
			d.Witness = func(*scenarios.Run) (*linearizability.Witness, error) { return nil, nil }
		},
		"Files belong to simulated machines": func(d *scenarios.Definition) {
			d.Processes, d.Driver = nil, struct{ scenarios.Driver }{}
			d.Files = func(env.MachineID) []scenarios.File { return nil }
		},
	} {
		d := smallest()
		spoil(&d)
		func() {
			defer func() { require.Contains(t, recover(), want) }()
			scenarios.Define(d)
		}()
	}
}

func TestKindsOf(t *testing.T) {
	kinds := scenarios.KindsOf(scenarios.Define(smallest()))
	file := "name: x\nstory: s\nmachines: 3\nduration: 9s\nsubject: {kind: smallest%s}\n"
	_, s, err := scenarios.Parse("x.yaml", []byte(fmt.Sprintf(file, "")), kinds)
	require.NoError(t, err)
	require.Equal(t, "smallest", s.Kind())
	_, _, err = scenarios.Parse("x.yaml", []byte(fmt.Sprintf(file, ", votes: 3")), kinds)
	require.ErrorContains(t, err, `x.yaml:5:27: subject: unknown key "votes"`)
}

// TestMachinesAreNoProcesses: a fault of a machine and one of a process differ by the method's name,
// and the name of a process alone makes no fault. Neither call compiles by mistake for the other.
func TestMachinesAreNoProcesses(t *testing.T) {
	at := reflect.TypeFor[*scenarios.FaultTime]()
	for _, verb := range []string{"Kill", "Pause"} {
		_, ambiguous := at.MethodByName(verb)
		require.False(t, ambiguous, "%s does not name what it hits", verb)
		process, ok := at.MethodByName(verb + "Process")
		require.True(t, ok)
		require.Equal(t, reflect.TypeFor[scenarios.ProcessFault](), process.Type.Out(0))
		require.False(t, process.Type.IsVariadic(), "machines follow with On")
		machine, ok := at.MethodByName(verb + "Machine")
		require.True(t, ok)
		require.Equal(t, reflect.TypeFor[*scenarios.AddedFault](), machine.Type.Out(0))
	}
	half := reflect.TypeFor[scenarios.ProcessFault]()
	require.Equal(t, 1, half.NumMethod(), "On is all that can follow")
	require.Equal(t, "On", half.Method(0).Name)
}
