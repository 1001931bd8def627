// Package emitted makes lanes and messages of the records that processes of a run have emitted, whatever
// their kinds are: it looks at the names and values of their members alone.
//
// Package emitted never knows a subject and never judges: what it does not recognize it leaves to others, and
// what exceeds a limit it counts.
package emitted

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// Record is a line of a records file.
type Record struct {
	At      time.Duration   `json:"at"`
	Machine int             `json:"machine"`
	Process string          `json:"process"`
	Kind    string          `json:"kind"`
	Data    json.RawMessage `json:"record"`
}

// Decode reads a line of a records file.
func Decode(line []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("reading a record: %w", err)
	}
	return r, nil
}

// At reads the time of a line without decoding the rest.
func At(line []byte) (time.Duration, error) {
	if rest, ok := bytes.CutPrefix(line, []byte(`{"at":`)); ok {
		if end := bytes.IndexByte(rest, ','); end > 0 && end < 20 {
			if n, err := strconv.ParseInt(string(rest[:end]), 10, 64); err == nil {
				return time.Duration(n), nil
			}
		}
	}
	r, err := Decode(line)
	return r.At, err
}

// member is one member of a record's value.
type member struct {
	name  string
	value json.RawMessage
}

// Names of members with a meaning of their own.
const (
	nodeMember = "node" // the number that the machine of the record has for others
	fromMember = "from"
	toMember   = "to"
)

// membersOf returns the members of a record in their order; none if its value is no object.
func membersOf(data json.RawMessage) []member {
	dec := json.NewDecoder(bytes.NewReader(data))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil
	}
	var out []member
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil
		}
		m := member{name: name}
		if err := dec.Decode(&m.value); err != nil {
			return nil
		}
		out = append(out, m)
	}
	return out
}

// find returns a member.
func find(members []member, name string) json.RawMessage {
	for i := range members {
		if members[i].name == name {
			return members[i].value
		}
	}
	return nil
}

// maxDetailChars is how much of a record's value is shown.
const maxDetailChars = 110

// describe writes members as words, without members whose names are given. A single one is its value alone.
func describe(members []member, without ...string) string {
	var parts []string
	value := ""
	for _, m := range members {
		if slices.Contains(without, m.name) {
			continue
		}
		value = valueText(m.value)
		switch value {
		case "true":
			parts = append(parts, m.name)
		case "false":
			parts = append(parts, "not "+m.name)
		default:
			parts = append(parts, m.name+" "+value)
		}
	}
	if len(parts) > 1 {
		value = strings.Join(parts, ", ")
	}
	return words.Shorten(words.Clean(value), maxDetailChars)
}

// valueText is a value as text: a string without its quotes, anything else as compact JSON.
func valueText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return string(value)
	}
	return compact.String()
}
