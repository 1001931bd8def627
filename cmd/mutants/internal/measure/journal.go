package measure

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Record is the result of one search, one line of the journal.
type Record struct {
	// Program is the digest of the unchanged program of the measurement.
	Program string `json:"program"`
	Bug     string `json:"bug"`
	HeldOut bool   `json:"held_out,omitempty"`
	Package string `json:"package,omitempty"`
	// Start is the first seed, LimitSeconds the limit of the processor time.
	Start        uint64  `json:"start"`
	LimitSeconds float64 `json:"limit_seconds"`
	Found        bool    `json:"found"`
	// The run that shows the bug. Strategy is "" for a scenario as it is written. Checks are those that found
	// a violation; there is none where the run could not be made, or was valid against its expectation.
	Scenario  string   `json:"scenario,omitempty"`
	Strategy  string   `json:"strategy,omitempty"`
	Seed      uint64   `json:"seed,omitempty"`
	Checks    []string `json:"checks,omitempty"`
	Why       string   `json:"why,omitempty"`
	Reproduce string   `json:"reproduce,omitempty"`
	// Runs and the times are those until the violation, or until the limit. Building is not included.
	Runs        int     `json:"runs"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	WallSeconds float64 `json:"wall_seconds"`
	// Shared is how many runs were wrong in the unchanged program as well, and did not count.
	Shared int `json:"shared,omitempty"`
	// Small is the size after shrinking; nil where the run was not made small.
	Small *Small `json:"small,omitempty"`
}

// Small is the size of a run that was made small.
type Small struct {
	Faults     int  `json:"faults"`
	Machines   int  `json:"machines"`
	Operations int  `json:"operations"`
	Finished   bool `json:"finished"` // nothing more can be left out
	// CPUSeconds is the processor time that shrinking took.
	CPUSeconds float64 `json:"cpu_seconds"`
}

func (r *Record) name(t Target, start uint64, limit time.Duration) {
	r.Bug, r.HeldOut, r.Package = t.Name, t.HeldOut, t.Package
	r.Start, r.LimitSeconds = start, limit.Seconds()
}

// ErrOtherBuild means that a journal holds results of other programs.
var ErrOtherBuild = errors.New("the journal holds results of another build: discard them with --restart, " +
	"or name another file with --journal")

// journal holds the records in a file. One measurement at a time may use it.
type journal struct {
	program string
	file    *os.File
	records []Record
}

// openJournal opens or creates a journal for measurements with a program.
func openJournal(path, program string, restart bool) (*journal, error) {
	digest, err := fileDigest(program)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("creating the journal's folder: %w", err)
	}
	j := &journal{program: digest}
	whole := int64(0)
	if !restart {
		if whole, err = j.read(path); err != nil {
			return nil, err
		}
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if err = j.file.Truncate(whole); err == nil {
		_, err = j.file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		j.close()
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return j, nil
}

// read reads the records and returns how many bytes of the file are whole lines: the last line of a
// measurement that was killed may be torn.
func (j *journal) read(path string) (whole int64, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the journal: %w", err)
	}
	defer file.Close()
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		var r Record
		if err == nil {
			err = json.Unmarshal(line, &r)
		}
		switch {
		case err != nil:
			return 0, fmt.Errorf("reading the journal %s: %w", path, err)
		case r.Program != j.program:
			return 0, fmt.Errorf("%s: %w", path, ErrOtherBuild)
		}
		j.keep(&r)
		whole += int64(len(line))
	}
}

// find returns the result of a search, nil if there is none. A bug that was missed within less time is
// searched for again.
func (j *journal) find(bug string, start uint64, limit time.Duration) *Record {
	for i := range j.records {
		r := &j.records[i]
		if r.Bug == bug && r.Start == start && (r.Found || r.LimitSeconds >= limit.Seconds()) {
			return r
		}
	}
	return nil
}

// add writes a record.
func (j *journal) add(r *Record) error {
	r.Program = j.program
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	j.keep(r)
	return nil
}

// keep replaces the record of an earlier, shorter search.
func (j *journal) keep(r *Record) {
	for i := range j.records {
		if old := &j.records[i]; old.Bug == r.Bug && old.Start == r.Start {
			*old = *r
			return
		}
	}
	j.records = append(j.records, *r)
}

func (j *journal) close() { _ = j.file.Close() } // every record was written whole

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the program: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("reading the program: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
