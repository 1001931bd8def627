// Package replaydiff finds where a repeated run begins to differ from the folder of the first one: in its
// records, in the clients' history, or in a verdict.
//
// It never decides whether two runs are equal: their digests do.
package replaydiff

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// maxLineBytes bounds one line of the records file.
const maxLineBytes = 16 << 20

// maxShownBytes is how much of a record or an event is shown.
const maxShownBytes = 300

// Saved is the folder of a run that is being repeated. Records are compared while the repetition runs,
// because a long run has millions of them.
type Saved struct {
	folder  string
	summary *reports.Summary // nil when the folder has none
	records *bufio.Scanner   // nil when the folder has none
	file    *os.File
	count   int
	first   *difference // among the records
}

// difference is the first of a kind.
type difference struct {
	at   time.Duration // virtual time
	text string
}

// Open opens the folder of a run. A folder that has a replay file and nothing else is possible as well.
// The caller closes it.
func Open(folder string) (*Saved, error) {
	s := &Saved{folder: folder}
	data, err := os.ReadFile(filepath.Join(folder, reports.SummaryFile))
	if err == nil {
		err = json.Unmarshal(data, &s.summary)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the summary of the first run: %w", err)
	}
	s.file, err = os.Open(filepath.Join(folder, reports.RecordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the records of the first run: %w", err)
	}
	s.records = bufio.NewScanner(s.file)
	s.records.Buffer(nil, maxLineBytes)
	return s, nil
}

// Close closes the folder.
func (s *Saved) Close() {
	if s.file != nil {
		_ = s.file.Close() // it was only read
	}
}

// Alone reports whether the first run was judged alone, so that it had to reach the expected probes.
func (s *Saved) Alone() bool {
	if s.summary == nil {
		return false
	}
	for _, c := range s.summary.Checks {
		if c.Checker == scenarios.ProbesChecker {
			return true
		}
	}
	return false
}

// Record compares the next record of the repetition.
func (s *Saved) Record(r scenarios.Stamped) {
	if s.records == nil || s.first != nil {
		return
	}
	s.count++
	now := describe(&r)
	before, ok := s.nextRecord()
	switch {
	case !ok:
		s.first = &difference{r.At, fmt.Sprintf("record %d at %v is new: %s", s.count, r.At, shown(now))}
	case !sameRecord(before, &r, now):
		was := shown(before.Process + " " + before.Kind + " " + string(before.Record))
		at := min(before.At, r.At)
		s.first = &difference{at, fmt.Sprintf("record %d at %v: it was %s (machine %d at %v), now it is %s "+
			"(machine %d at %v)", s.count, at, was, before.Machine, before.At, shown(now), r.Machine, r.At)}
	}
}

// nextRecord reads the next record of the first run.
func (s *Saved) nextRecord() (before reports.Record, ok bool) {
	for s.records.Scan() {
		if line := bytes.TrimSpace(s.records.Bytes()); len(line) > 0 {
			return before, json.Unmarshal(line, &before) == nil
		}
	}
	return before, false
}

// describe returns a record as text: process, kind and content.
func describe(r *scenarios.Stamped) string {
	kind := ""
	if r.Record != nil {
		kind = r.Record.RecordKind()
	}
	content, err := json.Marshal(r.Record)
	if err != nil {
		content = []byte(err.Error())
	}
	return r.Process + " " + kind + " " + string(content)
}

func sameRecord(before reports.Record, r *scenarios.Stamped, now string) bool {
	content := before.Record
	var compact bytes.Buffer
	if json.Compact(&compact, content) == nil {
		content = compact.Bytes()
	}
	return before.At == r.At && before.Machine == r.Machine &&
		before.Process+" "+before.Kind+" "+string(content) == now
}

// FirstDifference describes the first difference that the folder shows; what it does not hold may differ
// earlier.
func (s *Saved) FirstDifference(run *scenarios.Run) string {
	inRecords := s.first
	if inRecords == nil && s.records != nil && s.count > 0 {
		if before, ok := s.nextRecord(); ok {
			was := shown(before.Process + " " + before.Kind + " " + string(before.Record))
			inRecords = &difference{before.At, fmt.Sprintf("record %d at %v is missing: %s", s.count+1,
				before.At, was)}
		}
	}
	inHistory, err := s.compareEvents(run.Events)
	switch {
	case err != nil:
		return fmt.Sprintf("the first history cannot be read: %v", err)
	case inRecords != nil && (inHistory == nil || inRecords.at <= inHistory.at):
		return "the first difference is " + inRecords.text
	case inHistory != nil:
		return "the first difference is " + inHistory.text
	}
	if text := s.firstVerdict(run); text != "" {
		return text
	}
	if s.summary == nil {
		return "the folder has no history and no verdicts, so it does not show where"
	}
	return "history, records and verdicts are the same: " +
		"what differs is inside of the system, such as a message"
}

// compareEvents compares the clients' histories.
func (s *Saved) compareEvents(now []history.Event) (*difference, error) {
	file, err := os.Open(filepath.Join(s.folder, reports.HistoryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	_, before, _, err := history.ReadAll(file)
	if err != nil {
		return nil, err
	}
	for i := range max(len(before), len(now)) {
		switch {
		case i >= len(before):
			at := time.Duration(now[i].Time)
			return &difference{at, fmt.Sprintf("event %d of the clients at %v, which is new: %s", i+1, at,
				eventText(now[i]))}, nil
		case i >= len(now):
			at := time.Duration(before[i].Time)
			return &difference{at, fmt.Sprintf("event %d of the clients at %v, which is missing: %s", i+1, at,
				eventText(before[i]))}, nil
		}
		if was, is := eventText(before[i]), eventText(now[i]); was != is {
			at := time.Duration(min(before[i].Time, now[i].Time))
			return &difference{at, fmt.Sprintf("event %d of the clients at %v: it was %s, now it is %s", i+1,
				at, was, is)}, nil
		}
	}
	return nil, nil
}

// eventText is an event as in the history file, without its index, which follows from its place.
func eventText(e history.Event) string {
	e.Index = 0
	text, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return shown(string(text))
}

// firstVerdict compares the verdicts.
func (s *Saved) firstVerdict(run *scenarios.Run) string {
	if s.summary == nil {
		return ""
	}
	now := reports.Summarize(run).Checks
	for i := range max(len(s.summary.Checks), len(now)) {
		var was, is reports.CheckSummary
		if i < len(s.summary.Checks) {
			was = s.summary.Checks[i]
		}
		if i < len(now) {
			is = now[i]
		}
		if was != is {
			return fmt.Sprintf("the first difference is the verdict of %s: it was %s, now it is %s",
				cmp.Or(was.Checker, is.Checker), verdictText(&was), verdictText(&is))
		}
	}
	return ""
}

func verdictText(c *reports.CheckSummary) string {
	if c.Checker == "" {
		return "absent"
	}
	return fmt.Sprintf("%s (%s)", c.Verdict, shown(c.Summary))
}

// shown is a text that is not too long to read.
func shown(text string) string {
	if len(text) > maxShownBytes {
		return text[:maxShownBytes] + "…"
	}
	return text
}
