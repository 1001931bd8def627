package reports

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/likelihood"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// ErrSchema means that a file of a run folder is of a kind or version that this program does not
// read.
var ErrSchema = errors.New("unsupported schema")

// maxLineBytes bounds one line of the JSONL files of a run folder.
const maxLineBytes = 16 << 20

// Saved is a run read back from its folder.
type Saved struct {
	// Run is everything but the subject and the decoded records, see [Saved.Decode].
	Run *scenarios.Run
	// ScenarioYAML is the scenario as it was resolved, for a strict decoder.
	ScenarioYAML []byte
	Records      []Record
	Timeline     scenarios.Timeline
	Replay       Replay
	Summary      Summary
	// Likelihood is the share of futures that fail; nil if it was not measured.
	Likelihood *futures.Result
	// Torn means that the history was cut off in the middle of its last line.
	Torn bool

	dir string
}

// ReadOptions are the parts of reading that belong to others. The zero value is ready to use.
type ReadOptions struct {
	// Scenario reads the scenario's file; by default [scenarios.ParseScenario] does, which leaves
	// the subject's part alone.
	Scenario func(yaml []byte) (*scenarios.Scenario, error)
}

// ReadRun reads a folder that [WriteRun] wrote. dir may also be the link "latest" or any file of
// the folder.
func ReadRun(dir string) (*Saved, error) { return ReadOptions{}.ReadRun(dir) }

// ReadRun is the function [ReadRun] with options.
func (o ReadOptions) ReadRun(dir string) (*Saved, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	s := &Saved{Run: &scenarios.Run{}, dir: dir}
	steps := []struct {
		file string
		read func([]byte) error
	}{
		{SummaryFile, s.readSummary},
		{ScenarioFile, func(data []byte) error { return s.readScenario(data, o.Scenario) }},
		{HistoryFile, s.readHistory},
		{RecordsFile, s.readRecords},
		{FinalsFile, s.readFinals},
		{VerdictsFile, s.readVerdicts},
		{FaultsFile, s.readFaults},
		{LogsJSON, s.readLogs},
		{ReplayFile, s.readReplay},
		{StoryFile, s.readStory},
		{LikelihoodFile, s.readLikelihood},
	}
	for _, step := range steps {
		path := filepath.Join(dir, step.file)
		data, err := os.ReadFile(path)
		if step.file == SummaryFile && errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("reading %s: %w: it has no %s", dir, ErrNotRunFolder, SummaryFile)
		}
		if step.file == LikelihoodFile && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = step.read(data)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return s, nil
}

// Decode gives the run its subject and decodes the records with the subject's judge, so that the
// run can be checked again.
func (s *Saved) Decode(subject scenarios.Subject) error {
	records := make([]scenarios.Stamped, 0, len(s.Records))
	for i := range s.Records {
		r := &s.Records[i]
		record, err := scenarios.DecodeRecord(subject.Judge(), r.Kind, r.Record)
		if err != nil {
			return fmt.Errorf("decoding record %d of kind %q: %w", i, r.Kind, err)
		}
		records = append(records, scenarios.Stamped{At: r.At, Machine: r.Machine, Process: r.Process,
			Record: record})
	}
	s.Run.Subject, s.Run.Records = subject, records
	return nil
}

// Options are those that render the run again as it was, without its subject.
func (s *Saved) Options() Options {
	yamlAsRead := s.ScenarioYAML
	return Options{Timeline: &s.Timeline, Replay: s.Replay, Likelihood: s.Likelihood,
		Scenario: func(*scenarios.Scenario) ([]byte, error) { return yamlAsRead, nil }}
}

func (s *Saved) readSummary(data []byte) error {
	file := struct {
		*Summary
		World string `json:"world"` // what version 1 calls the backend
	}{Summary: &s.Summary}
	if err := decodeJSON(data, &file, SummarySchema, "holdfast.run/1"); err != nil {
		return err
	}
	s.Summary.Backend = cmp.Or(s.Summary.Backend, file.World)
	m, r := &s.Summary, s.Run
	r.Seed, r.Backend, r.Digest, r.Duration, r.Steps = m.Seed, m.Backend, m.Digest, m.Duration, m.Steps
	r.Probes, r.Reproduce = m.Probes, m.Reproduce
	return nil
}

// readScenario keeps the text and reads what a report shows.
func (s *Saved) readScenario(data []byte, parse func([]byte) (*scenarios.Scenario, error)) (err error) {
	s.ScenarioYAML = data
	if parse != nil {
		s.Run.Scenario, err = parse(data)
		return err
	}
	s.Run.Scenario, err = scenarios.ParseScenario(ScenarioFile, data)
	return err
}

func (s *Saved) readHistory(data []byte) (err error) {
	_, s.Run.Events, s.Torn, err = history.ReadAll(bytes.NewReader(data))
	return err
}

func (s *Saved) readRecords(data []byte) error {
	return eachLine(data, func(line []byte) error {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		s.Records = append(s.Records, r)
		return nil
	})
}

func (s *Saved) readLogs(data []byte) error {
	return eachLine(data, func(line []byte) error {
		var l scenarios.LogLine
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		s.Run.Logs = append(s.Run.Logs, l)
		return nil
	})
}

func (s *Saved) readFinals(data []byte) error {
	var file finalsFile
	if err := decodeJSON(data, &file, FinalsSchema); err != nil {
		return err
	}
	for _, f := range file.Finals {
		final := scenarios.Final{Machine: f.Machine, Op: f.Op, Output: f.Output}
		if f.Error != "" {
			final.Err = errors.New(f.Error)
		}
		s.Run.Finals = append(s.Run.Finals, final)
	}
	return nil
}

func (s *Saved) readVerdicts(data []byte) error {
	var file verdictsFile
	err := decodeJSON(data, &file, VerdictsSchema)
	s.Run.Verdicts = file.Verdicts
	return err
}

func (s *Saved) readFaults(data []byte) error {
	var file faultsFile
	if err := decodeJSON(data, &file, FaultsSchema); err != nil {
		return err
	}
	s.Run.Untriggered = file.Untriggered
	for _, f := range file.Faults {
		s.Run.Applied = append(s.Run.Applied,
			scenarios.Applied{Fault: f.Fault, Begun: f.Begun, Ended: f.Ended, Problem: f.Problem,
				Hits: f.Hits})
	}
	return nil
}

func (s *Saved) readReplay(data []byte) (err error) {
	s.Replay, err = DecodeReplay(data)
	if err == nil && len(s.Replay.Overrides) > 0 {
		err = json.Unmarshal(s.Replay.Overrides, &s.Run.Overrides)
	}
	return err
}

// DecodeReplay reads a replay file, also one of version 1. Unknown members are refused, because a
// replay without them would be another run.
func DecodeReplay(data []byte) (Replay, error) {
	var r Replay
	file := struct {
		*Replay
		World string `json:"world"` // what version 1 calls the backend
	}{Replay: &r}
	if err := checkSchema(data, ReplaySchema, "holdfast.replay/1"); err != nil {
		return r, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(&file)
	r.Backend = cmp.Or(r.Backend, file.World)
	return r, err
}

func (s *Saved) readStory(data []byte) error {
	var file storyFile
	err := decodeJSON(data, &file, StorySchema)
	s.Timeline = file.Timeline
	return err
}

func (s *Saved) readLikelihood(data []byte) (err error) {
	s.Likelihood, err = likelihood.Decode(data)
	return err
}

// decodeJSON decodes a file after a look at its schema: see [checkSchema].
func decodeJSON(data []byte, into any, schema string, older ...string) error {
	if err := checkSchema(data, schema, older...); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// checkSchema refuses a file whose schema is neither this program's nor one of the older ones that it
// still reads.
func checkSchema(data []byte, schema string, older ...string) error {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Schema != schema && !slices.Contains(older, head.Schema) {
		family, _, _ := strings.Cut(schema, "/")
		if strings.HasPrefix(head.Schema, family+"/") {
			return fmt.Errorf("%w: it says %q, this program reads %q; use the version that wrote it",
				ErrSchema, words.Clean(head.Schema), schema)
		}
		return fmt.Errorf("%w: it says %q, expected %q", ErrSchema, words.Clean(head.Schema), schema)
	}
	return nil
}

func eachLine(data []byte, do func([]byte) error) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxLineBytes)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
