package jepsen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// ErrEvent reports EDN that is no operation of a history.
var ErrEvent = errors.New("not an operation of a history")

// ErrEmpty reports a log in which no line is an operation.
var ErrEmpty = errors.New("no operation found")

// ReadEDN reads an EDN history: maps one after the other, or one vector of them. Members may stand in
// any order and unknown ones are ignored. Tagged maps and records are taken as maps.
//
// Events have the times of the history if every event has one, else their position as time. A history of
// jepsen.independent, whose values are [key value], is split into Key and Value.
func ReadEDN(in io.Reader) ([]history.Event, error) {
	d := newDecoder(in)
	var events []history.Event
	timed := true
	for {
		value, err := d.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading EDN history: %w", err)
		}
		if events, err = d.collect(events, value, &timed); err != nil {
			return nil, fmt.Errorf("reading EDN history, before line %d: %w", d.line+1, err)
		}
	}
	return finish(events, timed), nil
}

// collect appends the events that one top-level element holds.
func (d *decoder) collect(events []history.Event, value any, timed *bool) ([]history.Event, error) {
	switch v := value.(type) {
	case tagged:
		return d.collect(events, v.value, timed)
	case []any:
		for _, element := range v {
			var err error
			if events, err = d.collect(events, element, timed); err != nil {
				return events, err
			}
		}
		return events, nil
	case edn:
		event, hasTime, err := eventOf(v)
		*timed = *timed && hasTime
		return append(events, event), err
	}
	return events, fmt.Errorf("%w: expected a map, found %T", ErrEvent, value)
}

func eventOf(m edn) (event history.Event, timed bool, err error) {
	hasProcess := false
	for _, p := range m {
		name, ok := p.key.(keyword)
		if !ok {
			continue
		}
		switch name {
		case "type":
			event.Type, err = history.ParseType(text(p.value))
		case "process":
			hasProcess = true
			event.Process, err = process(p.value)
		case "f":
			event.F = text(p.value)
		case "key":
			event.Key = text(p.value)
		case "value":
			event.Value, err = toJSON(p.value)
		case "error":
			event.Error = text(p.value)
		case "node":
			event.Node = text(p.value)
		case "time":
			event.Time, timed = p.value.(int64)
		}
		if err != nil {
			return event, timed, fmt.Errorf("%w: member :%s: %w", ErrEvent, name, err)
		}
	}
	switch {
	case event.Type == 0:
		err = fmt.Errorf("%w: member :type is missing", ErrEvent)
	case !hasProcess:
		err = fmt.Errorf("%w: member :process is missing", ErrEvent)
	}
	return event, timed, err
}

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

// finish gives events their index, a time if they lack one, and splits the tuples of jepsen.independent.
func finish(events []history.Event, timed bool) []history.Event {
	for i := range events {
		events[i].Index = int64(i)
		if !timed {
			events[i].Time = int64(i)
		}
	}
	if independent(events) {
		for i := range events {
			if key, value, ok := tuple(events[i].Value); ok && events[i].Process >= 0 {
				events[i].Key, events[i].Value = key, value
			}
		}
	}
	return events
}

// independent reports whether the history comes from jepsen.independent: some read is invoked with a
// pair, and no client invokes without one.
func independent(events []history.Event) bool {
	reads := false
	for i := range events {
		e := &events[i]
		if e.Process < 0 || e.Type != history.Invoke {
			continue
		}
		if _, _, ok := tuple(e.Value); !ok || e.Key != "" {
			return false
		}
		reads = reads || e.F == "read"
	}
	return reads
}

func tuple(raw json.RawMessage) (key string, value json.RawMessage, ok bool) {
	var parts []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &parts) != nil || len(parts) != 2 {
		return "", nil, false
	}
	value = parts[1]
	if string(value) == "null" {
		value = nil
	}
	if json.Unmarshal(parts[0], &key) != nil {
		key = string(parts[0])
	}
	return key, value, true
}

// marker is what stands before an operation in Jepsen's log.
const marker = "jepsen.util"

// ReadLog reads the lines that Jepsen's logger prints for operations:
//
//	INFO  jepsen.util - 3	:invoke	:write	4
//
// Other lines are left out. The position among the operations is the time. A value that is a keyword, on a
// closing line, is the error.
func ReadLog(in io.Reader) ([]history.Event, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxTokenBytes)
	var events []history.Event
	for number := 1; lines.Scan(); number++ {
		event, ok, err := logEvent(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("reading Jepsen log, line %d: %w", number, err)
		}
		if ok {
			events = append(events, event)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading Jepsen log: %w", err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("reading Jepsen log: %w: "+
			"expected lines such as \"INFO jepsen.util - 0 :invoke :read nil\"",
			ErrEmpty)
	}
	return finish(events, false), nil
}

func logEvent(line string) (event history.Event, ok bool, err error) {
	at := strings.Index(line, marker)
	if at < 0 {
		return event, false, nil
	}
	rest := strings.TrimLeft(line[at+len(marker):], " \t-")
	var fields [3]string
	for i := range fields {
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		fields[i], rest = rest[:end], strings.TrimLeft(rest[end:], " \t")
	}
	event.Type, err = history.ParseType(strings.TrimPrefix(fields[1], ":"))
	if err != nil || !strings.HasPrefix(fields[1], ":") || !strings.HasPrefix(fields[2], ":") {
		return event, false, nil // some other message of the same logger
	}
	event.Process = history.NemesisProcess
	if !strings.HasPrefix(fields[0], ":") {
		if event.Process, err = strconv.Atoi(fields[0]); err != nil {
			return event, false, nil
		}
	}
	event.F = fields[2][1:]
	return event, true, logValue(&event, rest)
}

// logValue decodes what stands at the end of a line.
func logValue(event *history.Event, rest string) error {
	if rest == "" {
		return nil
	}
	value, err := newDecoder(strings.NewReader(rest)).next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	if name, ok := value.(keyword); ok && event.Type != history.Invoke {
		event.Error = string(name)
		return nil
	}
	event.Value, err = toJSON(value)
	return err
}

// sniffBytes is how much of a file Read looks at to tell its format.
const sniffBytes = 4096

// Read reads a history of either format, told by its beginning.
func Read(in io.Reader) ([]history.Event, error) {
	buffered := bufio.NewReaderSize(in, sniffBytes)
	head, err := buffered.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	if IsLog(head) {
		return ReadLog(buffered)
	}
	return ReadEDN(buffered)
}

// IsLog reports whether a file that begins with head is a Jepsen log.
func IsLog(head []byte) bool {
	return bytes.Contains(head, []byte(marker)) && !IsEDN(head)
}

// IsEDN reports whether a file that begins with head is an EDN history.
func IsEDN(head []byte) bool {
	for {
		head = bytes.TrimLeft(head, " \t\r\n,")
		if len(head) == 0 || head[0] != ';' {
			break
		}
		end := bytes.IndexByte(head, '\n')
		if end < 0 {
			return false
		}
		head = head[end:]
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("[")), " \t\r\n,")
	if bytes.HasPrefix(head, []byte("#")) {
		return true
	}
	return bytes.HasPrefix(head, []byte("{")) &&
		bytes.HasPrefix(bytes.TrimLeft(head[1:], " \t\r\n,"), []byte(":"))
}
