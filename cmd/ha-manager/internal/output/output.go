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

// jsonIndent is the indent of Proxmox VE's JSON.
const jsonIndent = "   "

// WriteValue writes a value in any format but Text. Keys are the value's keys in JSON.
func WriteValue(w io.Writer, f Format, value any) error {
	if f == YAML {
		return writeYAML(w, value)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if f == JSONPretty {
		encoder.SetIndent("", jsonIndent)
	}
	return encoder.Encode(value)
}

func writeYAML(w io.Writer, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a float64 would show a time as 1.7e+09
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return err
	}
	text, err := yaml.Marshal(withNumbers(plain))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "---\n%s", text)
	return err
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
