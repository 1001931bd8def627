// Package output writes the results of commands in the formats of Proxmox VE's commands: as a table with
// borders, as JSON and as YAML.
//
// Package output never asks a node and never decides what is shown.
package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Format is how a result is printed.
type Format string

// Formats of results.
const (
	Text       Format = "text"
	JSON       Format = "json"
	JSONPretty Format = "json-pretty"
	YAML       Format = "yaml"
)

// Formats returns all formats.
func Formats() []string {
	return []string{string(Text), string(JSON), string(JSONPretty), string(YAML)}
}

// String implements pflag.Value.
func (f *Format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *Format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *Format) Set(word string) error {
	for _, known := range Formats() {
		if word == known {
			*f = Format(word)
			return nil
		}
	}
	return fmt.Errorf("write %s", strings.Join(Formats(), ", "))
}

// WriteValue writes a value in any format but Text. Keys are the value's keys in JSON, sorted.
func WriteValue(w io.Writer, f Format, value any) error {
	plain, err := plainValue(value)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	switch f {
	case YAML:
		out.WriteString("---\n")
		encoder := yaml.NewEncoder(&out)
		encoder.SetIndent(2)
		encoder.CompactSeqIndent()
		if err = encoder.Encode(plain); err == nil {
			err = encoder.Close()
		}
	case JSONPretty:
		writePretty(&out, "", plain)
		out.WriteByte('\n')
	default:
		out.WriteString(compactJSON(plain) + "\n")
	}
	if err == nil {
		_, err = w.Write(out.Bytes())
	}
	return err
}

// plainValue returns a value as maps, lists and scalars.
func plainValue(value any) (plain any, err error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a float64 would show a time as 1.7e+09
	err = decoder.Decode(&plain)
	return withNumbers(plain), err
}

// compactJSON returns a value as JSON on one line.
func compactJSON(value any) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // what was read from JSON can be written
	return strings.TrimSuffix(out.String(), "\n")
}

// jsonIndent is the indent of Proxmox VE's JSON.
const jsonIndent = "   "

// writePretty writes a value on many lines, with blanks on both sides of a colon.
func writePretty(out *bytes.Buffer, indent string, value any) {
	inner, begin, end := indent+jsonIndent, "", ""
	var parts []func()
	switch v := value.(type) {
	case map[string]any:
		begin, end = "{", "}"
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, func() {
				out.WriteString(compactJSON(key) + " : ")
				writePretty(out, inner, v[key])
			})
		}
	case []any:
		begin, end = "[", "]"
		for _, item := range v {
			parts = append(parts, func() { writePretty(out, inner, item) })
		}
	default:
		begin = compactJSON(value)
	}
	out.WriteString(begin)
	for i, part := range parts {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + inner)
		part()
	}
	if len(parts) > 0 {
		out.WriteString("\n" + indent)
	}
	out.WriteString(end)
}

// withNumbers replaces numbers that are kept as text.
func withNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = withNumbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if n, err := v.Float64(); err == nil {
			return n
		}
		return v.String()
	}
	return value
}
