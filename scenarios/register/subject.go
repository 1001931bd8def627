package register

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Kind is the subject's name in scenario files.
const Kind = "register"

// Subject is the register as a system under test.
type Subject struct {
	machines int
	// NewProcess replaces New in the simulator, for tests that plant a bug; nil for New.
	NewProcess func(Config) env.Process
}

// Decode makes the subject of a scenario. The register has nothing to configure.
func Decode(s *scenarios.Scenario) (scenarios.Subject, error) {
	if err := s.Subject.Decode(&struct{}{}); err != nil {
		return nil, err
	}
	return &Subject{machines: len(s.Machines)}, nil
}

// Kind implements scenarios.Subject.
func (s *Subject) Kind() string { return Kind }

// Builder implements scenarios.Subject.
func (s *Subject) Builder() scenarios.Builder { return builder{s} }

// Client implements scenarios.Subject.
func (s *Subject) Client() workload.Codec { return Codec{} }

// Judge implements scenarios.Subject.
func (s *Subject) Judge() scenarios.Judge { return judge{} }

type builder struct{ subject *Subject }

func (b builder) Files(env.MachineID) []scenarios.File { return nil }

func (b builder) Processes(env.MachineID) []scenarios.ProcessSpec {
	config := Config{Machines: b.subject.machines}
	return []scenarios.ProcessSpec{{Name: ProcessName, Restart: restartAfter, New: func() env.Process {
		if b.subject.NewProcess != nil {
			return b.subject.NewProcess(config)
		}
		return New(config)
	}}}
}

// Codec speaks the register's requests.
type Codec struct{}

// Functions implements workload.Codec.
func (Codec) Functions() []workload.Weight {
	return []workload.Weight{{F: workload.Read, Weight: 1}, {F: workload.Write, Weight: 1}}
}

// Encode implements workload.Codec.
func (Codec) Encode(op workload.Op) (string, []byte) {
	b, err := json.Marshal(Request{F: op.F, Key: op.Key, Value: op.Value})
	if err != nil {
		panic("register: a request does not encode: " + err.Error())
	}
	return ProcessName, b
}

// Decode implements workload.Codec.
func (Codec) Decode(op workload.Op, output []byte) (workload.Result, error) {
	var r Response
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return workload.Result{}, fmt.Errorf("decoding %q: %w", output, err)
	}
	switch {
	case r.Error != "":
		return workload.Result{Type: history.Fail, Error: r.Error}, nil
	case op.F == workload.Read && r.Value != "":
		return workload.Result{Type: history.OK, Value: workload.JSON(r.Value)}, nil
	}
	return workload.Result{Type: history.OK}, nil
}

// Final implements workload.Codec. The reads of every key are enough.
func (Codec) Final() []workload.Op { return nil }

type judge struct{}

func (judge) Watch(*scenarios.Scenario) scenarios.Watch { return watch{} }

func (judge) DecodeRecord(kind string, data []byte) (env.Record, error) {
	if kind != (Stored{}).RecordKind() {
		return nil, fmt.Errorf("unknown record %q", kind)
	}
	var r Stored
	err := json.Unmarshal(data, &r)
	return r, err
}

func (judge) Timeline(*scenarios.Run) scenarios.Timeline {
	return scenarios.Timeline{Policy: "every read and write goes through a majority of the machines"}
}

// RoleWriter is the role of the machine that has made a value durable last.
const RoleWriter = "writer"

// Roles implements scenarios.RoleJudge.
func (judge) Roles() []string { return []string{RoleWriter} }

// WatchRoles implements scenarios.RoleJudge.
func (judge) WatchRoles(*scenarios.Scenario) scenarios.RoleWatch { return &roles{} }

// Triggers implements scenarios.TriggerJudge.
func (judge) Triggers() (records, probes []string) {
	return []string{Stored{}.RecordKind(), scenarios.Power{}.RecordKind()}, nil
}

// SiteNotAsked is a site at which a replica does not ask another one; it asks again a little later.
const SiteNotAsked = "register/not-asked"

// Sites implements scenarios.SiteJudge.
func (judge) Sites() []string { return []string{SiteNotAsked} }

// roles follows which machine has made a value durable last.
type roles struct{ scenarios.RoleTable }

// Observe implements scenarios.RoleWatch.
func (r *roles) Observe(record scenarios.Stamped) {
	switch rec := record.Record.(type) {
	case Stored:
		r.Give(RoleWriter, record.Machine)
	case scenarios.Power:
		if !rec.On {
			r.Take(RoleWriter, record.Machine)
		}
	}
}

// Survives reports whether a majority of the machines is up and connected.
func (judge) Survives(d scenarios.Damage) bool { return scenarios.MajoritySurvives(d) }

type watch struct{}

func (watch) Record(scenarios.Stamped) error { return nil }

func (watch) Check(ctx context.Context, r *scenarios.Run) []linearizability.Verdict {
	return []linearizability.Verdict{checkHistory(ctx, r), scenarios.CheckRecovery(r)}
}

func checkHistory(ctx context.Context, r *scenarios.Run) linearizability.Verdict {
	model, err := models.Register(nil)
	if err != nil {
		return linearizability.Verdict{Checker: Kind, Validity: linearizability.Unknown, Summary: err.Error()}
	}
	return scenarios.CheckHistory(ctx, r, model, nil)
}

// Program is the command that runs a replica on a real node.
const Program = "registerd"

// Driver implements scenarios.Subject.
func (s *Subject) Driver() scenarios.Driver { return &hostdriver.Driver{Program: Program} }
