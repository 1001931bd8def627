package jepsen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/jsonvalues"
)

// jsonEvent lists the members of an event: Jepsen's names, and the short ones of Holdfast's own files.
type jsonEvent struct {
	Type     string          `json:"type"`
	F        string          `json:"f"`
	Process  json.RawMessage `json:"process"`
	ProcessS json.RawMessage `json:"p"`
	Value    json.RawMessage `json:"value"`
	ValueS   json.RawMessage `json:"v"`
	Time     json.RawMessage `json:"time"`
	TimeS    json.RawMessage `json:"t"`
	Key      json.RawMessage `json:"key"`
	KeyS     json.RawMessage `json:"k"`
	Error    json.RawMessage `json:"error"`
	Node     json.RawMessage `json:"node"`
	Rev      uint64          `json:"rev"`
	Mod      uint64          `json:"mod"`
	ID       string          `json:"id"`
}

// ReadJSON reads a history of JSON objects, one array of them or one after the other, on one line or on many.
// The members have Jepsen's names (type, f, process, value, time, key, error), or the short ones of
// Holdfast's own files; then nothing is completed or split. Words may have the colon of a keyword. Of a text
// that ends in the middle it returns the events before that, as torn; without any it returns
// [jsonvalues.ErrCut].
func ReadJSON(in io.Reader) (*Recording, error) {
	values := jsonvalues.NewReader(in)
	r := &Recording{Timed: true}
	for {
		raw, line, err := values.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, jsonvalues.ErrCut) && len(r.Events) > 0 {
			r.Torn = err.Error()
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading JSON history, %w", err)
		}
		event, timed, short, err := jsonEventOf(raw)
		if err != nil {
			return nil, fmt.Errorf("reading JSON history, line %d: %w, found %s", line, err,
				cutText(string(raw)))
		}
		r.HasShortNames = r.HasShortNames || short
		r.add(event, timed)
	}
	if r.HasShortNames {
		return r, nil
	}
	return r.finish(), nil
}

func jsonEventOf(raw json.RawMessage) (event history.Event, timed, short bool, err error) {
	var w jsonEvent
	if err := json.Unmarshal(raw, &w); err != nil {
		return event, false, false, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	short = w.ProcessS != nil || w.TimeS != nil || w.KeyS != nil || w.ValueS != nil
	w.Process, w.Value = either(w.Process, w.ProcessS), either(w.Value, w.ValueS)
	w.Time, w.Key = either(w.Time, w.TimeS), either(w.Key, w.KeyS)
	switch {
	case w.Type == "":
		err = fmt.Errorf("%w: member \"type\" is missing", ErrEvent)
	case null(w.Process):
		err = fmt.Errorf("%w: member \"process\" is missing", ErrEvent)
	}
	if err != nil {
		return event, false, short, err
	}
	if event.Type, err = history.ParseType(strings.TrimPrefix(w.Type, ":")); err != nil {
		return event, false, short, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	if json.Unmarshal(w.Process, &event.Process) != nil {
		var name string
		if json.Unmarshal(w.Process, &name) != nil || name == "" {
			return event, false, short, fmt.Errorf("%w: a process is a number or a name, not %s", ErrEvent,
				w.Process)
		}
		event.Process = history.NemesisProcess
	}
	event.F, event.Rev, event.Mod, event.ID = strings.TrimPrefix(w.F, ":"), w.Rev, w.Mod, w.ID
	event.Key, event.Error, event.Node = word(w.Key), strings.TrimPrefix(word(w.Error), ":"), word(w.Node)
	timed = !null(w.Time) && json.Unmarshal(w.Time, &event.Time) == nil
	if !null(w.Value) {
		if event.Value, err = canonical(w.Value); err != nil {
			err = fmt.Errorf("%w: %w", ErrEvent, err)
		}
	}
	return event, timed, short, err
}

// canonical returns a value as text that is equal for equal values: compact, with the members of objects in
// order and one way to write each character. Numbers keep their digits.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	if bytes.IndexByte(raw, '{') < 0 && bytes.IndexByte(raw, '\\') < 0 {
		var compact bytes.Buffer
		err := json.Compact(&compact, raw)
		return compact.Bytes(), err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func either(long, short json.RawMessage) json.RawMessage {
	if len(long) > 0 {
		return long
	}
	return short
}

func null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// word returns the content of a string, and the JSON of anything else.
func word(raw json.RawMessage) string {
	var s string
	if null(raw) || json.Unmarshal(raw, &s) == nil {
		return s
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw)
	}
	return compact.String()
}
