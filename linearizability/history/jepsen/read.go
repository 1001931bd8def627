package jepsen

import (
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// ReadEDN reads an EDN history: maps one after the other, or one vector or list of them. Members may stand
// in any order and unknown ones are ignored. Tagged maps and records are taken as maps. Of a text that ends
// in the middle it returns the events before that, as torn; without any it returns [ErrCut].
func ReadEDN(in io.Reader) (*Recording, error) {
	d := newDecoder(in)
	r := &Recording{Timed: true}
	for {
		value, err := d.nextOrInner()
		switch {
		case errors.Is(err, io.EOF):
			return r.finish(), nil
		case errors.Is(err, ErrCut) && len(r.Events) > 0:
			r.Torn = err.Error()
			return r.finish(), nil
		case err != nil:
			return nil, fmt.Errorf("reading EDN history: %w", err)
		}
		if err := r.collect(value); err != nil {
			return nil, fmt.Errorf("reading EDN history, event %d, up to line %d: %w", len(r.Events)+1,
				d.line, err)
		}
	}
}

// collect appends the events that one top-level element holds.
func (r *Recording) collect(value any) error {
	switch v := value.(type) {
	case taggedElement:
		return r.collect(v.value)
	case []any:
		for _, element := range v {
			if err := r.collect(element); err != nil {
				return err
			}
		}
		return nil
	case edn:
		event, hasTime, err := eventOf(v)
		if err != nil {
			return err
		}
		r.add(event, hasTime)
		return nil
	}
	return fmt.Errorf("%w: expected a map, found %s", ErrEvent, shown(value))
}

// maxShownBytes bounds what an error shows of a value.
const maxShownBytes = 60

// shown writes a value for an error.
func shown(value any) string {
	raw, err := appendJSON(nil, value)
	if err != nil {
		return fmt.Sprintf("%T", value)
	}
	return cutText(string(raw))
}

func cutText(s string) string {
	if len(s) > maxShownBytes {
		return s[:maxShownBytes] + "..."
	}
	return s
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
		err = fmt.Errorf("%w: member :type is missing in %s", ErrEvent, shown(m))
	case !hasProcess:
		err = fmt.Errorf("%w: member :process is missing in %s", ErrEvent, shown(m))
	}
	return event, timed, err
}
