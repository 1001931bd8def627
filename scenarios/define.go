package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Definition describes a system under test; [Define] makes a [Subject] of it.
//
// Kind, the codec (Encode and Decode, or Client), something that runs (Processes, Driver or both)
// and something that judges (Model, Check or both) must be given. Everything else has a default.
type Definition struct {
	// Kind is the subject's name in scenario files.
	Kind string

	// Processes returns the processes that a simulated machine starts at every boot, in this order.
	// Nil: the system does not run in the simulator. For one process on every machine see
	// [OnEveryMachine].
	Processes func(m env.MachineID) []ProcessSpec
	// Files returns the files on a simulated machine's disk before its first boot. Nil: none.
	Files func(m env.MachineID) []File
	// Driver starts the system on real nodes. Nil: it does not run there.
	Driver Driver

	// Encode returns the request of an operation, and the process that it is sent to.
	Encode func(op workload.Op) (process string, input []byte)
	// Decode reads the answer to an operation; see [workload.Codec].
	Decode func(op workload.Op, output []byte) (workload.Result, error)
	// Functions are the operations that the system has, with their default weights. Nil: reads and
	// writes, equally often.
	Functions []workload.Weight
	// Final are questions that every machine must answer after quiescence, beside the final reads. They do
	// not belong to the history.
	Final []workload.Op
	// FinalReads returns the operations that show what the system holds under the keys of the workload after
	// quiescence. Every machine is asked, and the answers belong to the history. Nil: a read of each key.
	FinalReads func(keys []string) []workload.Op
	// Client replaces Encode, Decode, Functions, Final and FinalReads.
	Client workload.Codec

	// Model makes the model by which the clients' history is judged, for example
	// [github.com/holdfast-sim/holdfast/linearizability/models.Register]; it gets a nil initial
	// state. Nil: the history is judged by Check alone.
	Model func(initial json.RawMessage) (*linearizability.Model, error)
	// Witness returns the system's own log of a run, which decides operations whose outcome their
	// client does not know. Nil: the system has none.
	Witness func(r *Run) (*linearizability.Witness, error)
	// Observe returns a function that is called with every record of one run. Its error is a violation,
	// and stops a simulated run. Nil: records are not observed.
	Observe func(s *Scenario) func(Stamped) error
	// Check returns further verdicts on a finished run, in addition to those on history and recovery.
	Check func(ctx context.Context, r *Run) []linearizability.Verdict
	// Survives reports whether the system must survive a damage. A nemesis draws only faults that it
	// survives. Nil: [MajoritySurvives].
	Survives func(d Damage) bool

	// ShortestTimer and LongestTimer are the lengths of the timers with which the system notices failures and
	// acts on them, for example its heartbeat and its election. A nemesis that gives no times derives them
	// from these. Zero: the simulator measures them.
	ShortestTimer, LongestTimer time.Duration

	// Roles are the roles whose holders WatchRoles knows, so that faults can be aimed at them. Nil: only
	// [RoleServing].
	Roles []string
	// WatchRoles begins to follow from the records which machine has which role; see [RoleWatch].
	WatchRoles func(s *Scenario) RoleWatch

	// Records lists a zero value of each type of record that the processes emit, so that saved
	// runs and records of real nodes can be read.
	Records []env.Record
	// Probes are the rare paths that the processes mark as reached. Faults can wait for them, as for records.
	Probes []string
	// Sites are the places where processes take rare paths on request, see env.Buggify.
	Sites []string
	// Timeline returns the lanes that a report shows. Nil: none, with Policy above the run.
	Timeline func(r *Run) Timeline
	// Policy is what the system promises, in one line.
	Policy string
}

// Define makes a subject of a definition. It panics when the definition lacks something that has no
// default: that is a mistake in the program that calls it.
//
// Every run is judged by [CheckHistory] with the definition's model and by [CheckRecovery]. A system
// that needs more than a definition offers implements [Subject] itself, or embeds what Define returns
// and replaces single methods:
//
//	type clustered struct{ scenarios.Subject }
//
//	func (c clustered) Actors(scale timescale.Ratio) []scenarios.Actor { … }
func Define(d Definition) Subject {
	if problem := d.firstProblem(); problem != "" {
		panic(fmt.Sprintf("scenarios: defining subject %q: %s", d.Kind, problem))
	}
	if d.Survives == nil {
		d.Survives = MajoritySurvives
	}
	if d.Client == nil {
		d.Client = definedCodec{&d}
	}
	return &defined{definition: d}
}

// firstProblem returns what is missing or contradictory, with what to do; "" when nothing is.
func (d *Definition) firstProblem() string {
	switch {
	case !namePattern.MatchString(d.Kind):
		return "set Kind to lower-case letters, digits and dashes"
	case d.Client == nil && (d.Encode == nil || d.Decode == nil):
		return "set Encode and Decode, or Client"
	case d.Client != nil && d.definesOperations():
		return "Client replaces Encode, Decode, Functions, Final and FinalReads; set either"
	case d.Client == nil && d.FinalReads == nil && !d.hasRead():
		return "the system has no operation " + workload.Read + ": set FinalReads, so that what it holds " +
			"at the end is judged"
	case d.Processes == nil && d.Driver == nil:
		return "set Processes to simulate it, Driver to run it on real nodes, or both"
	case d.Processes == nil && d.Files != nil:
		return "Files belong to simulated machines; set Processes too"
	case d.Model == nil && d.Check == nil:
		return "set Model or Check, or no run could ever be wrong"
	case d.ShortestTimer < 0 || d.LongestTimer < d.ShortestTimer,
		d.LongestTimer > 0 && d.ShortestTimer == 0:
		return "set ShortestTimer and LongestTimer, the first one not longer than the other, or neither"
	case len(d.Roles) > 0 && d.WatchRoles == nil:
		return "set WatchRoles, or nothing knows which machine has the Roles"
	case d.Model == nil && d.Witness != nil:
		return "a witness is compared with a model; set Model too"
	}
	return ""
}

// definesOperations reports whether a definition describes its operations itself.
func (d *Definition) definesOperations() bool {
	return d.Encode != nil || d.Decode != nil || d.Functions != nil || d.Final != nil || d.FinalReads != nil
}

// hasRead reports whether the system has the operation by which every key is read at the end.
func (d *Definition) hasRead() bool {
	return d.Functions == nil ||
		slices.ContainsFunc(d.Functions, func(w workload.Weight) bool { return w.F == workload.Read })
}

// RestartDelay is how long the service manager of a machine waits before it starts a process of
// [OnEveryMachine] again.
const RestartDelay = time.Second

// OnEveryMachine returns a [Definition]'s Processes for a system with one process on each machine.
// newProcess makes the process for each start. A process that ends by itself is started again after
// [RestartDelay].
func OnEveryMachine(name string, newProcess func() env.Process) func(env.MachineID) []ProcessSpec {
	return func(env.MachineID) []ProcessSpec {
		return []ProcessSpec{{Name: name, New: newProcess, Restart: RestartDelay}}
	}
}

// SurvivesAnything is a Survives for systems that must keep their promises under any damage, but may be
// unavailable while it lasts.
func SurvivesAnything(Damage) bool { return true }

// KindsOf returns the kinds of subjects that scenario files only name, without anything to configure.
// A subject with a part of its own in the file needs a [Decode] function instead.
func KindsOf(subjects ...Subject) Kinds {
	kinds := Kinds{}
	for _, subject := range subjects {
		kinds[subject.Kind()] = func(s *Scenario) (Subject, error) {
			return subject, s.Subject.Decode(&struct{}{})
		}
	}
	return kinds
}

// defined is the subject that [Define] returns. It is its own builder, judge and watch.
type defined struct{ definition Definition }

// Kind implements [Subject].
func (s *defined) Kind() string { return s.definition.Kind }

// Timers implements [TimedSubject].
func (s *defined) Timers() (shortest, longest time.Duration) {
	return s.definition.ShortestTimer, s.definition.LongestTimer
}

// Builder implements [Subject].
func (s *defined) Builder() Builder {
	if s.definition.Processes == nil {
		return nil
	}
	return definedBuilder{&s.definition}
}

// Driver implements [Subject].
func (s *defined) Driver() Driver { return s.definition.Driver }

// Client implements [Subject].
func (s *defined) Client() workload.Codec { return s.definition.Client }

// Judge implements [Subject].
func (s *defined) Judge() Judge {
	j := definedJudge{definition: &s.definition}
	if s.definition.Model != nil {
		j.model, _ = s.definition.Model(nil) // checkHistory reports the error
	}
	return j
}

// definedBuilder is the [Builder] of a definition.
type definedBuilder struct{ definition *Definition }

// Files implements [Builder].
func (b definedBuilder) Files(m env.MachineID) []File {
	if b.definition.Files == nil {
		return nil
	}
	return b.definition.Files(m)
}

// Processes implements [Builder].
func (b definedBuilder) Processes(m env.MachineID) []ProcessSpec { return b.definition.Processes(m) }

// definedCodec is the [workload.Codec] of a definition without one of its own.
type definedCodec struct{ definition *Definition }

// Functions implements [workload.Codec].
func (c definedCodec) Functions() []workload.Weight {
	if c.definition.Functions != nil {
		return c.definition.Functions
	}
	return []workload.Weight{{F: workload.Read, Weight: 1}, {F: workload.Write, Weight: 1}}
}

// Encode implements [workload.Codec].
func (c definedCodec) Encode(op workload.Op) (process string, input []byte) {
	return c.definition.Encode(op)
}

// Decode implements [workload.Codec].
func (c definedCodec) Decode(op workload.Op, output []byte) (workload.Result, error) {
	return c.definition.Decode(op, output)
}

// Final implements [workload.Codec].
func (c definedCodec) Final() []workload.Op { return c.definition.Final }

// FinalReads implements [workload.FinalReader].
func (c definedCodec) FinalReads(keys []string) []workload.Op {
	if c.definition.FinalReads != nil {
		return c.definition.FinalReads(keys)
	}
	return workload.ReadsOf(keys)
}

// definedJudge is the [Judge] of a definition.
type definedJudge struct {
	definition *Definition
	model      *linearizability.Model // nil when there is none
}

// Watch implements [Judge].
func (j definedJudge) Watch(s *Scenario) Watch {
	w := definedWatch{definition: j.definition, observe: func(Stamped) error { return nil }}
	if j.definition.Observe != nil {
		w.observe = j.definition.Observe(s)
	}
	return w
}

// DecodeRecord implements [Judge].
func (j definedJudge) DecodeRecord(kind string, data []byte) (env.Record, error) {
	known := map[string]env.Record{}
	for _, r := range j.definition.Records {
		known[r.RecordKind()] = r
	}
	like := known[kind]
	if like == nil {
		return nil, fmt.Errorf("subject %s has no record %q; it defines: %s", j.definition.Kind, kind,
			strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	record := reflect.New(reflect.TypeOf(like))
	if err := json.Unmarshal(data, record.Interface()); err != nil {
		return nil, fmt.Errorf("reading a record %s: %w", kind, err)
	}
	return record.Elem().Interface().(env.Record), nil
}

// Timeline implements [Judge].
func (j definedJudge) Timeline(r *Run) Timeline {
	var t Timeline
	if j.definition.Timeline != nil {
		t = j.definition.Timeline(r)
	}
	if t.Policy == "" {
		t.Policy = j.definition.Policy
	}
	return t
}

// Survives implements [Judge].
func (j definedJudge) Survives(d Damage) bool { return j.definition.Survives(d) }

// Roles implements [RoleJudge].
func (j definedJudge) Roles() []string { return j.definition.Roles }

// Triggers implements [TriggerJudge].
func (j definedJudge) Triggers() (records, probes []string) {
	for _, r := range j.definition.Records {
		records = append(records, r.RecordKind())
	}
	if len(records) > 0 {
		records = append(records, Power{}.RecordKind())
	}
	return records, j.definition.Probes
}

// Sites implements [SiteJudge].
func (j definedJudge) Sites() []string { return j.definition.Sites }

// WatchRoles implements [RoleJudge].
func (j definedJudge) WatchRoles(s *Scenario) RoleWatch {
	if j.definition.WatchRoles == nil {
		return nil
	}
	return j.definition.WatchRoles(s)
}

// Served implements [ServedJudge]: an operation that failed was served if the model judges its failure.
func (j definedJudge) Served(op *history.Operation) bool { return ServedByModel(j.model, op) }

// definedWatch is the [Watch] of a definition.
type definedWatch struct {
	definition *Definition
	observe    func(Stamped) error
}

// Record implements [Watch].
func (w definedWatch) Record(r Stamped) error { return w.observe(r) }

// Check implements [Watch].
func (w definedWatch) Check(ctx context.Context, r *Run) []linearizability.Verdict {
	var verdicts []linearizability.Verdict
	if w.definition.Model != nil {
		verdicts = append(verdicts, w.checkHistory(ctx, r))
	}
	verdicts = append(verdicts, CheckRecovery(r))
	if w.definition.Check != nil {
		verdicts = append(verdicts, w.definition.Check(ctx, r)...)
	}
	return verdicts
}

func (w definedWatch) checkHistory(ctx context.Context, r *Run) linearizability.Verdict {
	undecided := func(err error) linearizability.Verdict {
		return linearizability.Verdict{Checker: "history", Validity: linearizability.Unknown,
			Summary: err.Error()}
	}
	model, err := w.definition.Model(nil)
	if err != nil {
		return undecided(fmt.Errorf("making the model: %w", err))
	}
	var witness *linearizability.Witness
	if w.definition.Witness != nil {
		if witness, err = w.definition.Witness(r); err != nil {
			return undecided(fmt.Errorf("reading the system's log: %w", err))
		}
	}
	return CheckHistory(ctx, r, model, witness)
}
