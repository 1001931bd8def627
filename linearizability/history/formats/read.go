package formats

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/etcd"
	"github.com/holdfast-sim/holdfast/linearizability/history/jepsen"
)

var readers = map[Format]func(io.ReadSeeker) (*Import, error){
	Own:        readOwn,
	JepsenJSON: eventReader(JepsenJSON, jepsen.ReadJSON),
	JepsenEDN:  eventReader(JepsenEDN, jepsen.ReadEDN),
	JepsenLog:  eventReader(JepsenLog, jepsen.ReadLog),
	Etcd:       readEtcd,
}

// Sentences about the order of events.
const (
	byPosition = "order: the positions in the file, because not every event has a time"
	byTimes    = "order: the times of the events, and where they are equal the positions in the file"
	byCalls    = "order: the times of call and return; what touches is concurrent"
)

// readOwn reads lines of Holdfast. Times decide, and lines where they are equal. Where times run backwards,
// which Holdfast's own recorder may do by a little, times alone decide, and equal ones are concurrent.
func readOwn(in io.ReadSeeker) (*Import, error) {
	if !onOneLine(in) {
		return readEvents(in, Own, jepsen.ReadJSON)
	}
	r := &Import{Format: Own, Failed: Observed}
	var torn bool
	var err error
	r.Header, r.Ops, torn, _, err = history.ReadInOrder(skipMark(in))
	r.Notes = []string{byTimes}
	if errors.Is(err, history.ErrBackwards) {
		r.Notes = []string{fmt.Sprintf("order: the times of the events alone, with equal ones concurrent, "+
			"because the lines are not in the order of the times (%v)", err)}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("going back to the start of a history: %w", err)
		}
		r.Header, r.Ops, torn, err = history.ReadOperations(skipMark(in))
	}
	if torn {
		r.Torn = "the last line is cut off"
	}
	return r, err
}

// onOneLine reports whether the first value of a file is one line, and goes back to the start.
func onOneLine(in io.ReadSeeker) bool {
	line, err := bufio.NewReaderSize(skipMark(in), headBytes).ReadSlice('\n')
	line = bytes.TrimSpace(line)
	if _, seekErr := in.Seek(0, io.SeekStart); seekErr != nil {
		return true // the next read reports it
	}
	switch {
	case len(line) == 0 || line[0] != '{':
		return len(line) == 0 && err != nil || len(line) > 0 && line[0] == 0
	case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
		return true
	}
	return json.Valid(line)
}

// decoder reads events of another tool.
type decoder func(io.Reader) (*jepsen.Recording, error)

// eventReader returns a reader of whole files.
func eventReader(f Format, read decoder) func(io.ReadSeeker) (*Import, error) {
	return func(in io.ReadSeeker) (*Import, error) { return readEvents(in, f, read) }
}

// readEvents derives the operations from the events.
func readEvents(in io.Reader, format Format, read decoder) (*Import, error) {
	recording, err := read(skipMark(in))
	if err != nil {
		return nil, err
	}
	r := &Import{Format: format, Failed: DidNotHappen, FreeNil: true, OpenStart: true,
		Torn: recording.Torn}
	switch recording.Layout {
	case jepsen.Plain:
		r.Format = JepsenText
	case jepsen.Bare:
		r.Format = Porcupine
	}
	if recording.HasShortNames || r.Format == Porcupine {
		r.Failed, r.FreeNil, r.OpenStart = Observed, false, false
	}
	if recording.HasShortNames {
		r.Format = Own
	}
	if err := r.order(recording); err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, recording.Notes...)
	return r, nil
}

// order derives the operations in the order of the file. Where times run backwards the positions still
// decide, as in Knossos: a recorder appends what happens, but its clock may be read too early or be set back.
// That fails where recordings of several clients follow each other in one file, so then the order of the
// times is derived as well.
func (r *Import) order(recording *jepsen.Recording) error {
	r.Notes = append(r.Notes, byPosition)
	if recording.Timed {
		r.Notes[0] = byTimes
	}
	events := append([]history.Event(nil), recording.Events...)
	_, backwards := history.InOrder(events)
	var err error
	if r.Ops, err = history.Operations(events); err != nil || backwards < 0 {
		return err
	}
	r.Notes[0] = fmt.Sprintf("order: the positions in the file, as in Knossos, because the times run "+
		"backwards at event %d", backwards)
	if !joined(recording.Events) {
		return nil
	}
	r.Notes[0] += ", where other clients begin; the times are judged as well"
	byTime := append([]history.Event(nil), recording.Events...)
	sort.SliceStable(byTime, func(i, j int) bool { return byTime[i].Time < byTime[j].Time })
	history.InOrder(byTime)
	if r.ByTime, err = history.Operations(byTime); err != nil {
		r.ByTime = nil
		r.Notes[0] += "; by them some client would get an answer before its call"
	}
	return nil
}

// joined reports whether recordings of different clients follow each other: time runs backwards at an event
// such that no client has events before and after it.
func joined(events []history.Event) bool {
	last := make(map[int]int) // position of each client's last event
	for i := range events {
		last[events[i].Process] = i
	}
	until, previous := -1, int64(math.MinInt64) // the last position of the clients so far
	for i := range events {
		e := &events[i]
		if e.Process < 0 {
			continue
		}
		if e.Time < previous && until < i {
			return true
		}
		until, previous = max(until, last[e.Process]), e.Time
	}
	return false
}

func readEtcd(in io.ReadSeeker) (*Import, error) {
	r, err := etcd.Read(skipMark(in))
	if err != nil {
		return nil, err
	}
	return &Import{Format: Etcd, Ops: r.Ops, Missing: r.Missing, Failed: Observed,
		Notes: append([]string{byCalls}, r.Notes...)}, nil
}
