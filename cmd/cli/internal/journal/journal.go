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

// unusable is an error that is [ErrUnusable] and has a text of its own.
type unusable struct{ error }

// Is implements the interface that errors.Is looks for.
func (unusable) Is(target error) bool { return target == ErrUnusable }

// Unwrap returns the cause.
func (u unusable) Unwrap() error { return u.error }

func unusablef(format string, args ...any) error { return unusable{fmt.Errorf(format, args...)} }

// Journal is the file in which a campaign records each run as soon as it has ended, one line of JSON each.
// It survives SIGKILL at any time. One campaign at a time can use it.
type Journal struct {
	path string
	file *os.File
	lock *flock.Flock
	// program and texts are digests of what the runs were made with: runs of another program, or of
	// another text of a scenario, prove nothing about this one.
	program  string
	anyBuild bool              // runs of other programs and texts are read, too
	texts    map[string]string // scenario -> its digest
}

// entry is one run in a journal.
type entry struct {
	Schema  string `json:"schema"`
	Program string `json:"program"`
	Text    string `json:"text"`
	campaign.Outcome
}

// Open opens or creates a journal and returns the runs that it holds. With restart, they are discarded.
// texts are the digests of the scenarios' texts, by name.
func Open(path string, restart bool, texts map[string]string) (*Journal, []campaign.Outcome, error) {
	program, err := programDigest()
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, unusablef("creating the journal's folder: %w", err)
	}
	j := &Journal{path: path, program: program, texts: texts, lock: flock.New(path + ".lock")}
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
	file, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, unusablef("opening the journal: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return nil, 0, fmt.Errorf("reading the journal: %w", err)
		}
		if !startsAsJournal(line) || len(line) > maxLineBytes {
			return nil, 0, j.notAJournal(n)
		}
		if last || restart {
			return completed, whole, nil
		}
		whole += int64(len(line))
		var l entry
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, 0, j.notAJournal(n)
		}
		text, mine := j.texts[l.Scenario]
		switch {
		case j.anyBuild:
			completed = append(completed, l.Outcome)
		case l.Program != j.program:
			return nil, 0, unusablef("%s holds runs of another build, which prove nothing about this one: "+
				"discard them with --restart, or name another file with --journal", j.path)
		case mine && l.Text != text:
			return nil, 0, unusablef("%s holds runs of %s from before it was edited: "+
				"discard them with --restart, or name another file with --journal", j.path, l.Scenario)
		case mine:
			completed = append(completed, l.Outcome)
		}
	}
}

// Read returns the runs of a journal, of whatever build. A torn last line is left out.
func Read(path string) ([]campaign.Outcome, error) {
	j := &Journal{path: path, anyBuild: true}
	if _, err := os.Stat(path); err != nil {
		return nil, unusablef("reading the journal: %w", err)
	}
	completed, _, err := j.read(false)
	return completed, err
}

func (j *Journal) notAJournal(line int) error {
	return unusablef("%s, line %d: this is not a campaign journal (%s); name another file with --journal",
		j.path, line, schema)
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
	if err := json.NewEncoder(&line).Encode(entry{schema, j.program, j.texts[of.Scenario], of}); err != nil {
		return fmt.Errorf("encoding a run of %s for the journal: %w", of.Scenario, err)
	}
	if _, err := j.file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// Path is the journal's file.
func (j *Journal) Path() string { return j.path }

// Close releases the journal for other campaigns. The lock's file stays: whoever removed it could remove the
// lock of another campaign.
func (j *Journal) Close() error { return errors.Join(j.file.Close(), j.lock.Unlock()) }

// programDigest is a digest of this executable.
func programDigest() (string, error) {
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
}
