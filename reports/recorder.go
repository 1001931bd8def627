package reports

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// Recorder writes the records of a run into a file while the run is made, so that a long one does
// not have to hold them all. Give [Recorder.Take] to the runner and the recorder to
// [Options.WriteRun], which moves the file into the run's folder.
type Recorder struct {
	file         *os.File
	buffered     *bufio.Writer
	lineBuffer   []byte
	takenRecords int
	firstErr     error // the first
}

// recorderBuffer is how much is written at once.
const recorderBuffer = 1 << 18

// NewRecorder makes the file in the folder for runs, which is made if it is missing. Close the
// recorder in the end.
func NewRecorder(runs string) (*Recorder, error) {
	if err := os.MkdirAll(runs, 0o777); err != nil {
		return nil, fmt.Errorf("making the folder for runs: %w", err)
	}
	f, err := os.CreateTemp(runs, ".records-*")
	if err != nil {
		return nil, fmt.Errorf("making a file for records: %w", err)
	}
	return &Recorder{file: f, buffered: bufio.NewWriterSize(f, recorderBuffer)}, nil
}

// Take writes a record. The first error is returned when the file is put into its folder.
func (r *Recorder) Take(rec scenarios.Stamped) {
	if r.firstErr != nil {
		return
	}
	r.takenRecords++
	if r.lineBuffer, r.firstErr = appendRecord(r.lineBuffer[:0], &rec); r.firstErr != nil {
		r.firstErr = fmt.Errorf("encoding record %d: %w", r.takenRecords, r.firstErr)
		return
	}
	_, r.firstErr = r.buffered.Write(r.lineBuffer)
}

// moveTo ends the file and gives it its name.
func (r *Recorder) moveTo(path string) error {
	if err := errors.Join(r.firstErr, r.buffered.Flush(), r.file.Chmod(0o644), r.file.Close()); err != nil {
		return err
	}
	return os.Rename(r.file.Name(), path)
}

// Close removes the file if it was not put into a folder.
func (r *Recorder) Close() {
	_ = r.file.Close()           // closed already when it was put into a folder
	_ = os.Remove(r.file.Name()) // and moved
}

// writeRecords makes the file of records.
func (o Options) writeRecords(path string, run *scenarios.Run) error {
	recorder := o.Records
	if recorder == nil || recorder.takenRecords == 0 && recorder.firstErr == nil {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		recorder = &Recorder{file: f, buffered: bufio.NewWriterSize(f, recorderBuffer)}
		for i := range run.Records {
			recorder.Take(run.Records[i])
		}
	}
	return recorder.moveTo(path)
}

// jsonAppender is a record that writes its JSON itself, as encoding/json would: the kinds of which
// there are most.
type jsonAppender interface{ AppendJSON(b []byte) []byte }

// appendRecord writes a [Record] and ends the line.
func appendRecord(b []byte, r *scenarios.Stamped) ([]byte, error) {
	b = strconv.AppendInt(append(b, `{"at":`...), int64(r.At), 10)
	b = strconv.AppendInt(append(b, `,"machine":`...), int64(r.Machine), 10)
	kind := ""
	if r.Record != nil {
		kind = r.Record.RecordKind()
	}
	var err error
	for _, member := range []struct{ name, text string }{{`,"process":`, r.Process}, {`,"kind":`, kind}} {
		if b, err = appendText(append(b, member.name...), member.text); err != nil {
			return nil, err
		}
	}
	b = append(b, `,"record":`...)
	switch rec := r.Record.(type) {
	case nil:
		b = append(b, "null"...)
	case jsonAppender:
		b = rec.AppendJSON(b)
	default:
		data, err := json.Marshal(rec)
		if err != nil {
			return nil, fmt.Errorf("a record of kind %q: %w", kind, err)
		}
		b = append(b, data...)
	}
	return append(b, "}\n"...), nil
}

// appendText writes a string as encoding/json does.
func appendText(b []byte, text string) ([]byte, error) {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			data, err := json.Marshal(text)
			return append(b, data...), err
		}
	}
	return append(append(append(b, '"'), text...), '"'), nil
}
