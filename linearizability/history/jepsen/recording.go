package jepsen

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// ErrEvent reports an element that is no operation of a history.
var ErrEvent = errors.New("not an operation of a history")

// ErrEmpty reports a log in which no line is an operation.
var ErrEmpty = errors.New("no operation found")

// Recording is a history that another tool wrote.
type Recording struct {
	// Events are in the order of the file. Index is the position.
	Events []history.Event
	// Timed is whether every client's event has a time. If one has none, the position is the time of each.
	Timed bool
	// Layout is what the lines of a log look like; empty for EDN and JSON.
	Layout Layout
	// HasShortNames is whether the members have the short names of Holdfast's own files.
	HasShortNames bool
	// Torn is why the end of the history is missing or may be; it is empty for a whole one.
	Torn string
	// Keys is the number of keys if the values were [key value] tuples of jepsen.independent, else 0.
	Keys int
	// Notes are sentences about what was decided while reading.
	Notes []string
}

// add appends an event in the order of the file.
func (r *Recording) add(event history.Event, timed bool) {
	event.Index = int64(len(r.Events))
	r.Timed = r.Timed && (timed || event.Process < 0)
	r.Events = append(r.Events, event)
}

func (r *Recording) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// finish prepares events as Knossos does before it judges (knossos.history/preprocess): a value that only
// the answer has belongs to the call, and an info of a client without a call is a remark. It also splits the
// tuples of jepsen.independent, and gives events without times their position.
func (r *Recording) finish() *Recording {
	if !r.Timed {
		for i := range r.Events {
			r.Events[i].Time = int64(i)
		}
	}
	r.pair()
	r.split()
	return r
}

// answers are the functions whose value at :ok is what the system answered, and not what it was asked.
var answers = map[string]bool{"read": true, "get": true, "list": true, "dequeue": true, "acquire": true,
	"renew": true, "release": true}

// pair walks the calls with their ends.
func (r *Recording) pair() {
	open := make(map[int]*history.Event)
	remarks, filled, changed := 0, 0, 0
	for i := range r.Events {
		e := &r.Events[i]
		call := open[e.Process]
		switch {
		case e.Process < 0:
			continue
		case e.Type == history.Invoke:
			open[e.Process] = e
			continue
		case call == nil && e.Type == history.Info:
			e.Process = history.NemesisProcess
			remarks++
		case call != nil && e.Type == history.OK && len(e.Value) > 0 && !answers[call.F]:
			switch {
			case len(call.Value) == 0:
				call.Value = e.Value
				filled++
			case (call.F == "write" || call.F == "cas") && string(call.Value) != string(e.Value):
				changed++
			}
		}
		delete(open, e.Process)
	}
	if filled > 0 {
		r.note("calls with a value only at :ok, which counts as that of the call, as in Knossos: %d", filled)
	}
	if changed > 0 {
		r.note("answers to a write or cas with another value than the call, of which the value counts: %d",
			changed)
	}
	if remarks > 0 {
		r.note("info events of clients without a call, left out as in Knossos: %d", remarks)
	}
}

// process decodes a client's number, or the name of another process.
func process(value any) (int, error) {
	switch v := value.(type) {
	case int64:
		return int(v), nil
	case keyword, string, symbol:
		return history.NemesisProcess, nil
	}
	return 0, fmt.Errorf("a process is a number or a name, not %v", value)
}

// text returns a name or a string as it is, and anything else as JSON.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case keyword:
		return string(v)
	case symbol:
		return string(v)
	case string:
		return v
	}
	raw, err := appendJSON(nil, value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(raw)
}

func toJSON(value any) (json.RawMessage, error) {
	if value == nil {
		return nil, nil
	}
	return appendJSON(nil, value)
}
