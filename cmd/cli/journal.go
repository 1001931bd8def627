package cli

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

	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// journalSchema names the form of a journal's lines.
const journalSchema = "holdfast.journal/1"

// journal is the file in which a campaign records each run as soon as it has ended, one line of JSON
// each, so that it can be interrupted at any time, also by SIGKILL, and resumed. It is a sink.
type journal struct {
	path string
	file *os.File
	// program and texts are digests of what the runs were made with: runs of another program, or of
	// another text of a scenario, prove nothing about this one.
	program string
	texts   map[string]string // scenario -> its digest
}

// journalLine is one run in a journal.
type journalLine struct {
	Schema  string `json:"schema"`
	Program string `json:"program"`
	Text    string `json:"text"`
	campaign.Outcome
}

// openJournal opens or creates a journal and returns the runs that it holds. With restart, they are
// discarded.
func openJournal(path string, restart bool, texts map[string]string) (*journal, []campaign.Outcome, error) {
	program, err := programDigest()
	if err != nil {
		return nil, nil, internalError(err)
	}
	j := &journal{path: path, program: program, texts: texts}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, usagef("creating the journal's folder: %w", err)
	}
	completed, whole, err := j.read(restart)
	if err != nil {
		return nil, nil, err
	}
	if err := os.Truncate(path, whole); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usagef("truncating the journal: %w", err)
	}
	// Appending keeps the lines of two campaigns apart that write into the same journal.
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, nil, usagef("opening the journal: %w", err)
	}
	return j, completed, nil
}

// read returns the runs of this program and how many bytes of the file are whole lines: the last line
// of a campaign that was killed may be torn. Runs of scenarios that this campaign does not have are
// left alone. With restart the first line decides whether the file is a journal: no other file is ever
// truncated.
func (j *journal) read(restart bool) (completed []campaign.Outcome, whole int64, err error) {
	file, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, usagef("opening the journal: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return nil, 0, internalError(fmt.Errorf("reading the journal: %w", err))
		}
		if !startsAsJournal(line) || len(line) > maxLineBytes {
			return nil, 0, j.notAJournal(n)
		}
		if last || restart {
			return completed, whole, nil
		}
		whole += int64(len(line))
		var l journalLine
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, 0, j.notAJournal(n)
		}
		text, mine := j.texts[l.Scenario]
		switch {
		case l.Program != j.program:
			return nil, 0, usagef("%s holds runs of another build, which prove nothing about this one: "+
				"discard them with --restart, or name another file with --journal", j.path)
		case mine && l.Text != text:
			return nil, 0, usagef("%s holds runs of %s from before it was edited: "+
				"discard them with --restart, or name another file with --journal", j.path, l.Scenario)
		case mine:
			completed = append(completed, l.Outcome)
		}
	}
}

func (j *journal) notAJournal(line int) error {
	return usagef("%s, line %d: this is not a campaign journal (%s); name another file with --journal",
		j.path, line, journalSchema)
}

// startsAsJournal reports whether a line, which may be torn, starts as those of a journal do.
func startsAsJournal(line []byte) bool {
	begin := []byte(`{"schema":"` + journalSchema + `"`)
	n := min(len(line), len(begin))
	return bytes.Equal(line[:n], begin[:n])
}

// take implements sink: it appends a run.
func (j *journal) take(o *outcome) error {
	var line bytes.Buffer
	of := o.campaign()
	entry := journalLine{journalSchema, j.program, j.texts[of.Scenario], of}
	if err := json.NewEncoder(&line).Encode(entry); err != nil {
		return err
	}
	if _, err := j.file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

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
