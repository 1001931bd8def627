package host

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

// MaxRecordFileBytes bounds a record file. Beyond it the host drops records, counts them, and reports
// that in its log and its health.
const MaxRecordFileBytes = 4 << 30

// recordLine is one line of a record file.
type recordLine struct {
	At      int64      `json:"at"` // the kernel's monotonic clock, ns, without skew
	Process string     `json:"process"`
	Kind    string     `json:"kind"`
	Record  env.Record `json:"record"`
}

// records appends to a record file. Every record is passed to the operating system before Emit returns,
// so that killing the program loses none.
type records struct {
	mu   sync.Mutex
	file *os.File // nil: records are dropped
	size int64
	lost atomic.Uint64
}

func openRecords(path string) (*records, error) {
	if path == "" {
		return &records{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the record file: %w", err)
	}
	r := &records{file: f}
	if err := r.mend(); err != nil {
		f.Close()
		return nil, fmt.Errorf("opening the record file: %w", err)
	}
	return r, nil
}

// mend ends a line that an earlier run of the program left unfinished.
func (r *records) mend() error {
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

// write appends a record. at is kernel time. An error means that the record is lost.
func (r *records) write(at time.Duration, process string, rec env.Record) error {
	if r.file == nil {
		return nil
	}
	line, err := json.Marshal(recordLine{At: int64(at), Process: process, Kind: rec.RecordKind(),
		Record: rec})
	if err != nil {
		r.lost.Add(1)
		return fmt.Errorf("encoding a %s record: %w", rec.RecordKind(), err)
	}
	line = append(line, '\n')
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size+int64(len(line)) > MaxRecordFileBytes {
		r.lost.Add(1)
		return fmt.Errorf("writing a record: the file has reached its limit of %d bytes",
			int64(MaxRecordFileBytes))
	}
	n, err := r.file.Write(line)
	r.size += int64(n)
	if err != nil {
		r.lost.Add(1)
		return fmt.Errorf("writing a record: %w", err)
	}
	return nil
}

func (r *records) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
