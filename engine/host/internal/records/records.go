// Package records appends the records that processes emit to a file of JSON lines.
//
// Package records never reads a record back and never decides what a record means: checkers do.
package records

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// MaxFileBytes bounds a record file. Beyond it records are dropped and counted.
const MaxFileBytes = 4 << 30

// recordLine is one line of a record file.
type recordLine struct {
	At      int64      `json:"at"` // the kernel's monotonic clock, ns, without skew
	Process string     `json:"process"`
	Kind    string     `json:"kind"`
	Record  env.Record `json:"record"`
}

// File appends to a record file. Every record is passed to the operating system before Write returns, so
// that killing the program loses none. Create it with [Open].
type File struct {
	mu        sync.Mutex
	file      *os.File // nil: records are dropped
	size      int64
	lostCount atomic.Uint64
}

// Open opens a record file for appending, or creates it. An empty path drops all records.
func Open(path string) (*File, error) {
	if path == "" {
		return &File{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the record file: %w", err)
	}
	r := &File{file: f}
	if err := r.endTornLine(); err != nil {
		f.Close()
		return nil, fmt.Errorf("opening the record file: %w", err)
	}
	return r, nil
}

// endTornLine ends a line that an earlier run of the program left unfinished.
func (r *File) endTornLine() error {
	size, err := r.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	r.size = size
	last := []byte{'\n'}
	if size > 0 {
		if _, err := r.file.ReadAt(last, size-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		_, err = r.file.Write([]byte{'\n'})
	}
	return err
}

// Write appends a record of a process. at is kernel time. An error means that the record is lost.
func (r *File) Write(at time.Duration, process string, rec env.Record) error {
	if r.file == nil {
		return nil
	}
	data, err := json.Marshal(recordLine{At: int64(at), Process: process, Kind: rec.RecordKind(),
		Record: rec})
	if err != nil {
		r.lostCount.Add(1)
		return fmt.Errorf("encoding a %s record: %w", rec.RecordKind(), err)
	}
	data = append(data, '\n')
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size+int64(len(data)) > MaxFileBytes {
		r.lostCount.Add(1)
		return fmt.Errorf("writing a record: the file has reached its limit of %d bytes",
			int64(MaxFileBytes))
	}
	n, err := r.file.Write(data)
	r.size += int64(n)
	if err != nil {
		r.lostCount.Add(1)
		return fmt.Errorf("writing a record: %w", err)
	}
	return nil
}

// Lost returns how many records could not be written.
func (r *File) Lost() uint64 { return r.lostCount.Load() }

// Close closes the file.
func (r *File) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
