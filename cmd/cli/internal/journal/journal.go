// Package journal keeps the runs of a campaign in a file, so that the campaign can be interrupted at any
// time and resumed.
//
// It never makes a run and never decides which runs are missing.
package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// schema names the form of a journal's lines.
const schema = "holdfast.journal/1"

// maxLineBytes is the longest line that a journal has.
const maxLineBytes = 16 << 20

// ErrUnusable means that the named file cannot be this campaign's journal; the error includes what to do.
// Other errors are of the computer.
var ErrUnusable = errors.New("journal is not usable")

// unusableError is an error that is [ErrUnusable] and has a text of its own.
type unusableError struct{ error }

// Is implements the interface that errors.Is looks for.
func (unusableError) Is(target error) bool { return target == ErrUnusable }

// Unwrap returns the cause.
func (u unusableError) Unwrap() error { return u.error }

func unusablef(format string, args ...any) error { return unusableError{fmt.Errorf(format, args...)} }

// Journal is the file in which a campaign records each run as soon as it has ended, one line of JSON each.
// It survives SIGKILL at any time. One campaign at a time can use it.
type Journal struct {
	path string
	file *os.File
	lock *flock.Flock
	// program and texts are digests of what the runs were made with: runs of another program, or of
	// another text of a scenario, prove nothing about this one.
	program  string
	campaign Campaign
}

// Campaign is what a journal keeps of the campaign as a whole.
type Campaign struct {
	// Texts are the digests of the scenarios' texts, by name, and Probes the rare paths that they expect.
	Texts  map[string]string
	Probes map[string][]string
	// Shard is the part of the runs that the campaign makes, such as 1/4; "" if it makes all.
	Shard string
}

// Record is one run in a journal.
type Record struct {
	Schema  string `json:"schema"`
	Program string `json:"program"`
	Text    string `json:"text"`
	Shard   string `json:"shard,omitempty"`
	// ExpectedProbes are the rare paths that some run of the scenario must reach.
	ExpectedProbes []string `json:"expected_probes,omitempty"`
	campaign.Outcome
}

// Open opens or creates a journal and returns the runs that it holds. With restart, they are discarded.
func Open(path string, restart bool, of Campaign) (*Journal, []campaign.Outcome, error) {
	program, err := programDigest()
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, unusablef("creating the journal's folder: %w", err)
	}
	j := &Journal{path: path, program: program, campaign: of, lock: flock.New(path + ".lock")}
	locked, err := j.lock.TryLock()
	if err != nil {
		return nil, nil, unusablef("locking the journal: %w", err)
	}
	if !locked {
		return nil, nil, unusablef("another campaign is using %s: wait until it has ended, or name another "+
			"file with --journal", path)
	}
	completed, err := j.open(restart)
	if err != nil {
		return nil, nil, errors.Join(err, j.lock.Unlock())
	}
	return j, completed, nil
}

// open reads the runs and opens the file for more.
func (j *Journal) open(restart bool) ([]campaign.Outcome, error) {
	completed, whole, err := j.read(restart)
	if err != nil {
		return nil, err
	}
	if err := os.Truncate(j.path, whole); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, unusablef("truncating the journal: %w", err)
	}
	if j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, unusablef("opening the journal: %w", err)
	}
	return completed, nil
}

// read returns the runs of this program and how many bytes of the file are whole lines: the last line
// of a campaign that was killed may be torn. Runs of scenarios that this campaign does not have are
// left alone. With restart the first line decides whether the file is a journal: no other file is ever
// truncated.
func (j *Journal) read(restart bool) (completed []campaign.Outcome, whole int64, err error) {
	whole, err = eachRecord(j.path, restart, func(r *Record) error {
		text, mine := j.campaign.Texts[r.Scenario]
		switch {
		case r.Program != j.program:
			return unusablef("%s holds runs of another build, which prove nothing about this one: "+
				"discard them with --restart, or name another file with --journal", j.path)
		case mine && r.Text != text:
			return unusablef("%s holds runs of %s from before it was edited: "+
				"discard them with --restart, or name another file with --journal", j.path, r.Scenario)
		case r.Shard != j.campaign.Shard:
			return unusablef("%s holds runs of another shard (%q): "+
				"discard them with --restart, or name another file with --journal", j.path, r.Shard)
		case mine:
			completed = append(completed, r.Outcome)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	return completed, whole, err
}

// eachRecord calls take with every run of a journal, and returns how many bytes of the file are whole
// lines. With onlyFirst it reads no more than the first line.
func eachRecord(path string, onlyFirst bool, take func(*Record) error) (whole int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, unusablef("reading the journal: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return 0, fmt.Errorf("reading the journal: %w", err)
		}
		if !startsAsJournal(line) || len(line) > maxLineBytes {
			return 0, notAJournal(path, n)
		}
		if last || onlyFirst {
			return whole, nil
		}
		whole += int64(len(line))
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return 0, notAJournal(path, n)
		}
		if err := take(&r); err != nil {
			return 0, err
		}
	}
}

// Summarize adds up the runs of a journal, of whatever build. A torn last line is left out.
func Summarize(path string) (*campaign.Summary, error) {
	s := campaign.New()
	_, err := eachRecord(path, false, func(r *Record) error {
		s.Add(r.Outcome)
		return nil
	})
	return s, err
}

// Records returns the runs of a journal, of whatever build, with what it keeps beside them. A torn last line
// is left out.
func Records(path string) (records []Record, err error) {
	_, err = eachRecord(path, false, func(r *Record) error {
		records = append(records, *r)
		return nil
	})
	return records, err
}

func notAJournal(path string, line int) error {
	return unusablef("%s, line %d: this is not a campaign journal (%s); name another file with --journal",
		path, line, schema)
}

// startsAsJournal reports whether a line, which may be torn, starts as those of a journal do.
func startsAsJournal(line []byte) bool {
	begin := []byte(`{"schema":"` + schema + `"`)
	n := min(len(line), len(begin))
	return bytes.Equal(line[:n], begin[:n])
}

// Append records a run.
func (j *Journal) Append(of campaign.Outcome) error {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(Record{schema, j.program, j.campaign.Texts[of.Scenario],
		j.campaign.Shard, j.campaign.Probes[of.Scenario], of}); err != nil {
		return fmt.Errorf("encoding a run of %s for the journal: %w", of.Scenario, err)
	}
	if _, err := j.file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// Path is the journal's file.
func (j *Journal) Path() string { return j.path }

// Close releases the journal for other campaigns. The lock's file stays: a campaign that removed it could
// remove the lock of another campaign.
func (j *Journal) Close() error { return errors.Join(j.file.Close(), j.lock.Unlock()) }

// programDigest returns a digest of this executable.
var programDigest = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
})
