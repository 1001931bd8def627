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

// journal is the file in which a campaign notes each run as soon as it is made, one line of JSON
// each, so that it can be interrupted at any time and goes on where it was.
type journal struct {
	path string
	file *os.File
	// program and texts say what the runs were made with: runs of another program, or of another
	// text of a scenario, prove nothing about this one.
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

// openJournal opens a journal, or begins one, and returns the runs that it holds. With anew, what it
// holds is forgotten.
func openJournal(path string, anew bool, texts map[string]string) (*journal, []campaign.Outcome, error) {
	program, err := programDigest()
	if err != nil {
		return nil, nil, internal(err)
	}
	j := &journal{path: path, program: program, texts: texts}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, usagef("making the journal's folder: %w", err)
	}
	made, whole, err := j.read(anew)
	if err != nil {
		return nil, nil, err
	}
	if err := os.Truncate(path, whole); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usagef("cutting the journal: %w", err)
	}
	// Appending keeps the lines of two campaigns apart that somebody lets write into one journal.
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, nil, usagef("opening the journal: %w", err)
	}
	return j, made, nil
}

// read returns the runs of this program and how many bytes of the file are whole lines: the last line
// of a campaign that was killed may be torn. Runs of scenarios that this campaign does not have are
// left alone. With anew it is enough that the file is a journal: no other file is ever cut.
func (j *journal) read(anew bool) (made []campaign.Outcome, whole int64, err error) {
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
			return nil, 0, internal(fmt.Errorf("reading the journal: %w", err))
		}
		if !begunAsJournal(line) || len(line) > maxLineBytes {
			return nil, 0, j.strange(n)
		}
		if last || anew {
			return made, whole, nil
		}
		whole += int64(len(line))
		var l journalLine
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, 0, j.strange(n)
		}
		text, mine := j.texts[l.Scenario]
		switch {
		case l.Program != j.program:
			return nil, 0, usagef("%s holds runs of another program, which say nothing about this one: "+
				"begin it again with --anew, or name another file with --journal", j.path)
		case mine && l.Text != text:
			return nil, 0, usagef("%s holds runs of %s as it was before it was changed: "+
				"begin it again with --anew, or name another file with --journal", j.path, l.Scenario)
		case mine:
			made = append(made, l.Outcome)
		}
	}
}

func (j *journal) strange(line int) error {
	return usagef("%s, line %d: this is no journal of a campaign (%s); name another file with --journal", j.path, line, journalSchema)
}

// begunAsJournal says whether a line, as far as it goes, begins as those of a journal do.
func begunAsJournal(line []byte) bool {
	begin := []byte(`{"schema":"` + journalSchema + `"`)
	n := min(len(line), len(begin))
	return bytes.Equal(line[:n], begin[:n])
}

// note adds a run.
func (j *journal) note(o *campaign.Outcome) error {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(journalLine{journalSchema, j.program, j.texts[o.Scenario], *o}); err != nil {
		return err
	}
	if _, err := j.file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// programDigest tells programs apart by what they are made of.
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
