package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/outcomes"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// The schemas of the JSON files. The number rises when a member changes its meaning or goes away.
// Files of version 1 of a replay and of a summary, which call the backend "world", are still read.
const (
	VerdictsSchema = "holdfast.verdicts/1"
	FaultsSchema   = "holdfast.faults/1"
	FinalsSchema   = "holdfast.finals/1"
	ReplaySchema   = "holdfast.replay/2"
	StorySchema    = "holdfast.story/1"
	SummarySchema  = "holdfast.run/2"
)

// Replay names a run so that it can be made again: the scenario beside it, the seed, and the
// choices that differ from what the seed gives.
type Replay struct {
	Schema string `json:"schema"`
	// Scenario is the scenario's name, File the file that holds it, relative to the replay file.
	Scenario string `json:"scenario"`
	File     string `json:"file"`
	// Backend is where the run was made: "sim" or "netns".
	Backend string `json:"backend"`
	Seed    uint64 `json:"seed"`
	// Mode is how choices that Overrides does not list are drawn: "derive" takes them from the seed,
	// "zero" takes the first value, which disturbs least.
	Mode string `json:"mode"`
	// Overrides are choices with other values, in the simulator's own form.
	Overrides json.RawMessage `json:"overrides,omitempty"`
	// Digest is what the run must end with again; empty on real nodes.
	Digest string `json:"digest,omitempty"`
}

// Modes of a [Replay].
const (
	ModeDerive = "derive"
	ModeZero   = "zero"
)

// Summary is a run in a few numbers, for scripts.
type Summary struct {
	Schema   string                   `json:"schema"`
	Scenario string                   `json:"scenario"`
	Seed     uint64                   `json:"seed"`
	Backend  string                   `json:"backend"`
	Verdict  linearizability.Validity `json:"verdict"`
	Expected string                   `json:"expected,omitempty"`
	Digest   string                   `json:"digest,omitempty"`
	// Duration is in nanoseconds of the run's own clock.
	Duration      time.Duration   `json:"duration"`
	Steps         uint64          `json:"steps,omitempty"`
	Operations    outcomes.Counts `json:"operations"`
	Faults        int             `json:"faults"`
	FaultProblems int             `json:"fault_problems,omitempty"`
	// FaultsWithoutEffect counts the faults that affected no packet, process or disk call.
	FaultsWithoutEffect int            `json:"faults_without_effect,omitempty"`
	MembershipChanges   int            `json:"membership_changes"`
	Checks              []CheckSummary `json:"checks"`
	// NotCarriedOut are the settings of the subject's configuration that the run was without: the verdict
	// does not hold for a system that has them.
	NotCarriedOut []scenarios.NotCarriedOut `json:"not_carried_out,omitempty"`
	Probes        map[string]int            `json:"probes,omitempty"`
	Reproduce     string                    `json:"reproduce,omitempty"`
}

// CheckSummary is one verdict without its evidence.
type CheckSummary struct {
	Checker    string                   `json:"checker"`
	Verdict    linearizability.Validity `json:"verdict"`
	Summary    string                   `json:"summary"`
	Violations int                      `json:"violations,omitempty"`
	// Kind is that of the first violation.
	Kind linearizability.Kind `json:"kind,omitempty"`
}

// runFiles writes the files of a run's folder, one method for each file. The page and its parts are in
// [pageBuilder].
type runFiles struct{ *view }

// Summarize returns a run's numbers.
func Summarize(run *scenarios.Run) Summary { return newView(Options{}, run).buildSummary() }

func (v *view) buildSummary() Summary {
	r := v.run
	s := Summary{Schema: SummarySchema, Scenario: scenarioName(r), Seed: r.Seed, Backend: r.Backend,
		Verdict: r.Verdict(), Digest: r.Digest, Duration: r.Duration, Steps: r.Steps,
		Operations: v.countOutcomes(), Faults: len(r.Applied),
		Probes: r.Probes, Reproduce: r.Reproduce, Checks: []CheckSummary{},
		NotCarriedOut: v.subjectTimeline.NotCarriedOut}
	s.MembershipChanges, _ = v.membershipChanges()
	if r.Scenario != nil {
		s.Expected = r.Scenario.Expect.Verdict
	}
	for i := range r.Applied {
		if r.Applied[i].Problem != "" {
			s.FaultProblems++
		}
		if r.Applied[i].WithoutEffect() {
			s.FaultsWithoutEffect++
		}
	}
	for i := range r.Verdicts {
		verdict := &r.Verdicts[i]
		c := CheckSummary{Checker: verdict.Checker, Verdict: verdict.Validity,
			Summary: verdict.Summary, Violations: len(verdict.Violations)}
		if len(verdict.Violations) > 0 {
			c.Kind = verdict.Violations[0].Kind
		}
		s.Checks = append(s.Checks, c)
	}
	return s
}

func (v runFiles) writeSummary(w io.Writer) error { return writeJSON(w, v.buildSummary()) }

// scenarioYAML writes the scenario as resolved.
func (o Options) scenarioYAML(run *scenarios.Run) ([]byte, error) {
	switch {
	case run.Scenario == nil:
		return nil, fmt.Errorf("%s: the run has no scenario", ScenarioFile)
	case o.Scenario != nil:
		return o.Scenario(run.Scenario)
	}
	return scenarios.Marshal(run.Scenario)
}

func (v runFiles) historyHeader() history.Header {
	h := history.Header{Seed: v.run.Seed, Scenario: scenarioName(v.run), Clock: history.ClockVirtual}
	if v.run.Backend != "" && v.run.Backend != "sim" {
		h.Clock = history.ClockMonotonic
	}
	return h
}

func (v runFiles) writeHistory(w io.Writer) error {
	return history.WriteAll(w, v.historyHeader(), v.run.Events)
}

// Record is a line of the records file: [scenarios.Stamped] before it is decoded.
type Record struct {
	At      time.Duration   `json:"at"` // nanoseconds since the run began
	Machine env.MachineID   `json:"machine"`
	Process string          `json:"process"`
	Kind    string          `json:"kind"`
	Record  json.RawMessage `json:"record"`
}

type finalsFile struct {
	Schema string      `json:"schema"`
	Finals []wireFinal `json:"finals"`
}

type wireFinal struct {
	Machine env.MachineID `json:"machine"`
	Op      workload.Op   `json:"op"`
	Output  []byte        `json:"output,omitempty"` // base64: answers need not be text
	Error   string        `json:"error,omitempty"`
}

func (v runFiles) writeFinals(w io.Writer) error {
	file := finalsFile{Schema: FinalsSchema, Finals: []wireFinal{}}
	for _, f := range v.run.Finals {
		line := wireFinal{Machine: f.Machine, Op: f.Op, Output: f.Output}
		if f.Err != nil {
			line.Error = f.Err.Error()
		}
		file.Finals = append(file.Finals, line)
	}
	return writeJSON(w, file)
}

type verdictsFile struct {
	Schema   string                    `json:"schema"`
	Verdict  linearizability.Validity  `json:"verdict"`
	Verdicts []linearizability.Verdict `json:"verdicts"`
}

func (v runFiles) writeVerdicts(w io.Writer) error {
	file := verdictsFile{Schema: VerdictsSchema, Verdict: v.run.Verdict(), Verdicts: v.run.Verdicts}
	if file.Verdicts == nil {
		file.Verdicts = []linearizability.Verdict{}
	}
	return writeJSON(w, file)
}

type faultsFile struct {
	Schema string      `json:"schema"`
	Faults []wireFault `json:"faults"`
	// Untriggered are the faults whose triggers never came.
	Untriggered []fault.Fault `json:"untriggered,omitempty"`
}

type wireFault struct {
	Fault fault.Fault `json:"fault"`
	// Begun and Ended are in nanoseconds since the start of the run, each as an interval.
	Begun   [2]time.Duration `json:"begun"`
	Ended   [2]time.Duration `json:"ended"`
	Problem string           `json:"problem,omitempty"`
	// Hits is how many packets, processes or disk calls the fault affected; absent if that was not counted.
	Hits  *uint64 `json:"hits,omitempty"`
	Words string  `json:"words"`
}

func (v runFiles) writeFaults(w io.Writer) error {
	file := faultsFile{Schema: FaultsSchema, Faults: []wireFault{}, Untriggered: v.run.Untriggered}
	for i := range v.run.Applied {
		a := &v.run.Applied[i]
		file.Faults = append(file.Faults, wireFault{a.Fault, a.Begun, a.Ended, a.Problem, a.Hits,
			FaultWords(&a.Fault)})
	}
	return writeJSON(w, file)
}

func (v runFiles) writeReplay(w io.Writer) error {
	r := v.opts.Replay
	r.Schema, r.File = ReplaySchema, ScenarioFile
	r.Scenario, r.Backend, r.Seed, r.Digest = scenarioName(v.run), v.run.Backend, v.run.Seed, v.run.Digest
	if r.Mode == "" {
		r.Mode = ModeDerive
	}
	if len(r.Overrides) == 0 && len(v.run.Overrides) > 0 {
		var err error
		if r.Overrides, err = json.Marshal(v.run.Overrides); err != nil {
			return err
		}
	}
	return writeJSON(w, r)
}

type storyFile struct {
	Schema string `json:"schema"`
	scenarios.Timeline
}

func (v runFiles) writeStory(w io.Writer) error {
	return writeJSON(w, storyFile{Schema: StorySchema, Timeline: v.subjectTimeline})
}

func (v runFiles) writeLogsJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	for i := range v.run.Logs {
		if err := enc.Encode(&v.run.Logs[i]); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
