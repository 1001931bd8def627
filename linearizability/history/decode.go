package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrEvent reports JSON that is no event.
var ErrEvent = errors.New("not a history event")

// wireEvent lists the short names and the Jepsen names of every member.
type wireEvent struct {
	Index    *int64          `json:"i"`
	IndexL   *int64          `json:"index"`
	Time     *int64          `json:"t"`
	TimeL    *int64          `json:"time"`
	Process  json.RawMessage `json:"p"`
	ProcessL json.RawMessage `json:"process"`
	Type     string          `json:"type"`
	F        string          `json:"f"`
	Key      json.RawMessage `json:"k"`
	KeyL     json.RawMessage `json:"key"`
	Value    json.RawMessage `json:"v"`
	ValueL   json.RawMessage `json:"value"`
	Rev      uint64          `json:"rev"`
	Mod      uint64          `json:"mod"`
	ID       string          `json:"id"`
	Node     string          `json:"node"`
	Error    json.RawMessage `json:"error"`
}

// UnmarshalJSON accepts the short member names and Jepsen's (index, time, process, key, value). Unknown
// members are ignored. A process that is a word (Jepsen's "nemesis") becomes [NemesisProcess].
// The event keeps no reference to data.
func (e *Event) UnmarshalJSON(data []byte) error {
	var w wireEvent
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("%w: %w", ErrEvent, err)
	}
	if w.Type == "" {
		return fmt.Errorf("%w: member \"type\" is missing", ErrEvent)
	}
	typ, err := ParseType(w.Type)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEvent, err)
	}
	process, err := parseProcess(first(w.Process, w.ProcessL))
	if err != nil {
		return err
	}
	*e = Event{
		Index: value(w.Index, w.IndexL), Time: value(w.Time, w.TimeL), Process: process, Type: typ,
		F: w.F, Key: textOf(first(w.Key, w.KeyL)), Rev: w.Rev, Mod: w.Mod, ID: w.ID, Node: w.Node,
		Error: textOf(w.Error),
	}
	if raw := first(w.Value, w.ValueL); len(raw) > 0 && !isNull(raw) {
		var buf bytes.Buffer
		if err := json.Compact(&buf, raw); err != nil {
			return fmt.Errorf("%w: %w", ErrEvent, err)
		}
		e.Value = buf.Bytes()
	}
	return nil
}

func first(a, b json.RawMessage) json.RawMessage {
	if len(a) > 0 {
		return a
	}
	return b
}

func value(short, long *int64) int64 {
	switch {
	case short != nil:
		return *short
	case long != nil:
		return *long
	}
	return 0
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// textOf returns a JSON string's content, or the JSON itself for anything else (a number as key).
func textOf(raw json.RawMessage) string {
	if len(raw) == 0 || isNull(raw) {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil {
		return string(raw)
	}
	return buf.String()
}

func parseProcess(raw json.RawMessage) (int, error) {
	if len(raw) == 0 {
		return 0, fmt.Errorf("%w: member \"p\" (or \"process\") is missing", ErrEvent)
	}
	var n int
	if json.Unmarshal(raw, &n) == nil && !isNull(raw) {
		return n, nil
	}
	var word string
	if json.Unmarshal(raw, &word) == nil && word != "" {
		return NemesisProcess, nil
	}
	return 0, fmt.Errorf("%w: process %s is neither a whole number nor a word", ErrEvent, raw)
}
