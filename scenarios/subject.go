package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Subject is a system under test. It has parts, so that each backend uses only those that it needs.
// [Define] makes a subject from a [Definition]; implement the interface where a definition is not
// enough. The package documentation lists the optional interfaces of a subject and its parts.
type Subject interface {
	// Kind is the subject's name in scenario files.
	Kind() string
	// Builder makes the subject's processes for the simulator; nil when it cannot run there.
	Builder() Builder
	// Driver starts the subject on real nodes; nil when it cannot run there.
	Driver() Driver
	// Client turns workload operations into requests and answers into results.
	Client() workload.Codec
	// Judge judges runs of the subject.
	Judge() Judge
}

// Varier is implemented by a [Subject] that derives its scenario from the seed, for example the number
// of machines and their work.
type Varier interface {
	// Vary returns the scenario and the subject that the draws determine. Both must be complete, except
	// for the faults of a nemesis. Equal draws must give equal results, and Vary must change neither s
	// nor the receiver.
	Vary(s *Scenario, choices draw.Lists) (*Scenario, Subject, error)
}

// Vary returns the scenario and subject that a [Varier] derives from the seed. For every other subject
// it returns its arguments. What a nemesis leaves to the subject's [Timers] is filled in where the subject
// states them. Runners call it first.
func Vary(s *Scenario, subject Subject, choices draw.Lists) (*Scenario, Subject, error) {
	v, ok := subject.(Varier)
	if !ok {
		return s.WithTimers(TimersOf(subject)), subject, nil
	}
	varied, of, err := v.Vary(s, choices)
	if err != nil {
		return nil, nil, fmt.Errorf("drawing what scenario %s leaves to the seed: %w", s.Name, err)
	}
	return varied.WithTimers(TimersOf(of)), of, nil
}

// ErrFixedStory means that a scenario makes sense only with the faults that it lists.
var ErrFixedStory = errors.New("the scenario makes sense only with its own faults")

// StorySubject is implemented by a [Subject] whose part of a scenario can expect what holds only for the
// faults as the scenario lists them, for example where a service must run at the end.
type StorySubject interface {
	// WithoutStory returns the scenario and the subject without such expectations, or an error that wraps
	// [ErrFixedStory]. It must change neither s nor the receiver.
	WithoutStory(s *Scenario) (*Scenario, Subject, error)
}

// Decode makes a subject from its part of a scenario. Unknown or wrong fields are errors that
// name the place.
type Decode func(s *Scenario) (Subject, error)

// Kinds maps the subjects' names in files to their decoders.
type Kinds map[string]Decode

// Builder makes processes for the simulator.
type Builder interface {
	// Files returns the files that are durable on a machine's disk before its first boot.
	Files(m env.MachineID) []File
	// Processes returns the processes that a machine starts at every boot, in this order.
	Processes(m env.MachineID) []ProcessSpec
}

// ProcessSpec describes one process of a machine.
type ProcessSpec struct {
	Name string
	// New makes the process for each start.
	New func() env.Process
	// Restart is how long the machine's service manager waits before it restarts a process that ended
	// by itself; 0 means that the process stays down until the next boot.
	Restart time.Duration
}

// File is a file of a machine.
type File struct {
	Name string // as in env.Disk: slash-separated, relative
	Data []byte
}

// Machine describes a real node to a driver.
type Machine struct {
	ID   env.MachineID
	Name string
	// Dir is the node's own directory, for files, sockets and logs.
	Dir string
	// Addrs are the addresses of all machines, by id.
	Addrs []netip.Addr
	// Timescale multiplies every timer of the subject.
	Timescale timescale.Ratio
	Seed      uint64
}

// Driver starts a program on real nodes. Any program can be driven.
type Driver interface {
	// Files returns the files of the machine's directory before its first start.
	Files(m Machine) ([]File, error)
	// Command returns the program to run in the machine's namespace, with Dir as its working directory.
	// Its path must be absolute.
	Command(m Machine) (Command, error)
	// Dial connects the harness to the machine's program. It is called again after an error.
	Dial(ctx context.Context, m Machine) (Conn, error)
	// Ready returns nil once the program serves; c is a connection made by Dial. Otherwise it returns
	// the reason, and is called again a little later.
	Ready(ctx context.Context, m Machine, c Conn) error
	// Records reads the records that the program has emitted since the last call, from its
	// beginning at first; nil when it emits none.
	Records(m Machine, after int) ([]StampedJSON, error)
}

// Command is a program with its arguments.
type Command struct {
	Path string
	Args []string
	Env  []string // added to the harness's own environment
}

// Conn carries requests to one machine's program.
type Conn interface {
	// Do sends one request to a process and waits for its answer. It returns
	// workload.ErrRefused when the request certainly did not arrive; after any other error the
	// outcome is unknown.
	Do(ctx context.Context, process string, input []byte) ([]byte, error)
	Close() error
}

// StampedJSON is a record as a real node wrote it.
type StampedJSON struct {
	At      int64           `json:"at"` // CLOCK_MONOTONIC of the node's kernel, ns
	Process string          `json:"process"`
	Kind    string          `json:"kind"`
	Record  json.RawMessage `json:"record"`
}

// Stamped is a record with its place and time. Times are since the run began.
type Stamped struct {
	At      time.Duration
	Machine env.MachineID
	Process string
	Record  env.Record
	// Disk is what the machine's disk held of the process's files. Only the simulator knows it, and adds it
	// to each [env.DurableRecord]; otherwise it is nil.
	Disk *DiskState
}

// DiskState is what a disk holds of the files that one process wrote.
type DiskState struct {
	// Unsynced is the number of files with content that a power cut could take, without what was given up
	// because the disk refused the write behind it.
	Unsynced int
	// SyncedWrites counts the writes that have become durable since the run began.
	SyncedWrites uint64
}

// Judge judges the runs of a subject.
type Judge interface {
	// Watch begins the observation of one run.
	Watch(s *Scenario) Watch
	// DecodeRecord reads a record of the given kind from JSON.
	DecodeRecord(kind string, data []byte) (env.Record, error)
	// Timeline returns the lanes that a report shows of a finished run.
	Timeline(r *Run) Timeline
	// Survives reports whether the configuration must survive this damage. Faults drawn at random
	// never exceed it.
	Survives(d Damage) bool
}

// TimelineFilter is implemented by a [Judge] whose Timeline needs only some of the records. A long
// simulated run then keeps no others in memory; see [RunOptions].
type TimelineFilter interface {
	// InTimeline reports whether Timeline looks at a record. It must depend on the record alone.
	InTimeline(r env.Record) bool
}

// ServedJudge is implemented by a [Judge] that knows which operations were served. Without it those that
// succeeded were.
type ServedJudge interface {
	// Served reports whether an operation has an answer that only a working system gives: success, or a
	// refusal for a reason that it found in its state, such as a compare-and-set that found another value.
	Served(op *history.Operation) bool
}

// Watch observes one run.
type Watch interface {
	// Record is called with each record of the run. An error is a violation, and the backend may stop
	// the run.
	Record(r Stamped) error
	// Check judges the finished run.
	Check(ctx context.Context, r *Run) []linearizability.Verdict
}

// Damage is the effect of all active faults on a system at one instant.
type Damage struct {
	Machines int
	// Down are the machines that are off, paused or have a process killed.
	Down []env.MachineID
	// Reaches reports whether packets of one machine can arrive at another.
	Reaches func(from, to env.MachineID) bool
}

// Timeline is a run as a report draws it.
type Timeline struct {
	// Lanes are drawn under each other on the run's time axis.
	Lanes []Lane `json:"lanes"`
	// Policy is what the subject promises, in one line, for example "strict: …".
	Policy string `json:"policy"`
	// Notes are remarks, for example where another system would have answered differently.
	Notes []string `json:"notes,omitempty"`
	// NotCarriedOut are the settings that the subject did not carry out.
	NotCarriedOut []NotCarriedOut `json:"not_carried_out,omitempty"`
}

// NotCarriedOut is a setting that a subject's configuration asks for and the subject does not carry out.
// Unless the setting is minor, the verdict of a run is then about another system than the configuration
// describes, and reports say so beside the verdict.
type NotCarriedOut struct {
	Setting string `json:"setting"`
	// File and Line are where it is set; Line is 0 if it was not read from a file.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Effect string `json:"effect"` // what happens instead
	// Minor is set if the verdict of a run does not depend on the setting.
	Minor bool `json:"minor,omitempty"`
}

// String returns the setting and what happens instead, on one line.
func (n NotCarriedOut) String() string {
	where := n.Setting
	if n.Line > 0 {
		where = fmt.Sprintf("%s (%s:%d)", n.Setting, n.File, n.Line)
	}
	return where + " is not carried out: " + n.Effect
}

// PartialSubject is implemented by a [Subject] whose configuration can ask for what it does not carry out.
type PartialSubject interface {
	// NotCarriedOut lists these settings.
	NotCarriedOut() []NotCarriedOut
}

// Lane is one property of one machine over time.
type Lane struct {
	Machine string `json:"machine"`
	Name    string `json:"name"` // for example "membership"
	Spans   []Span `json:"spans"`
	// Marks are instants at which something happened that concerns it.
	Marks []Mark `json:"marks,omitempty"`
}

// Mark is an instant on a lane.
type Mark struct {
	At    time.Duration `json:"at"`
	Text  string        `json:"text"`
	Class string        `json:"class"` // ok, fail or info: how it is coloured
}

// Span is a time in which a property had one value.
type Span struct {
	From  time.Duration `json:"from"`
	To    time.Duration `json:"to"`
	Text  string        `json:"text"`
	Class string        `json:"class"` // good, bad, warn or idle: how it is coloured
}
