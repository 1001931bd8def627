package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Limits of a section file. The store allows 1 MiB per file.
const (
	maxFileBytes = 1 << 20
	maxSections  = 50_000
)

// replaces ends the problem of a section whose id an earlier one has.
const replaces = ", which replaces the earlier one"

// ErrTooLarge means that a file is larger than the store allows.
var ErrTooLarge = errors.New("configuration is too large")

// Section is one section: a header "kind: id" and indented "key value" lines.
type Section struct {
	Kind string
	ID   string
	// Line is the number of the header line, from 1.
	Line int
	// Keys are in the order of the file.
	Keys []KeyValue
}

// KeyValue is one property of a section.
type KeyValue struct {
	Key, Value string
	Line       int
}

// Problem is a line that could not be used. The rest of the file was read.
type Problem struct {
	Line int
	Text string
}

// String returns the line and the text.
func (p Problem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.Text) }

var (
	headerPattern   = regexp.MustCompile(`^(\S+):\s*(\S+)\s*$`)
	propertyPattern = regexp.MustCompile(`^\s+(\S+)(?:\s+(.*?))?\s*$`)
	commentPattern  = regexp.MustCompile(`^\s*#`)
)

// ParseSections splits a section file. A blank line ends a section; lines that begin with # are
// comments. A line that cannot be read becomes a problem and is skipped, and so are the properties of a
// section whose header cannot be read.
func ParseSections(text string) ([]Section, []Problem, error) {
	if len(text) > maxFileBytes {
		return nil, nil, fmt.Errorf("parse sections: %d bytes, at most %d: %w", len(text), maxFileBytes,
			ErrTooLarge)
	}
	var sections []Section
	var problems []Problem
	open, skipping := false, false
	for i, line := range strings.Split(text, "\n") {
		number := i + 1
		line = strings.TrimRight(line, "\r")
		if commentPattern.MatchString(line) {
			continue
		}
		if strings.TrimSpace(line) == "" {
			open, skipping = false, false
			continue
		}
		if !open && !skipping {
			match := headerPattern.FindStringSubmatch(line)
			if match == nil {
				problems = append(problems, Problem{number, "section header expected: " + line})
				skipping = true
				continue
			}
			if len(sections) == maxSections {
				return nil, nil, fmt.Errorf("parse sections: more than %d: %w", maxSections, ErrTooLarge)
			}
			sections = append(sections, Section{Kind: match[1], ID: match[2], Line: number})
			open = true
			continue
		}
		if skipping {
			continue
		}
		match := propertyPattern.FindStringSubmatch(line)
		if match == nil {
			problems = append(problems, Problem{number, "indented property expected: " + line})
			continue
		}
		section := &sections[len(sections)-1]
		section.Keys = append(section.Keys, KeyValue{Key: match[1], Value: match[2], Line: number})
	}
	return sections, problems, nil
}

// idPattern is the form of the ids of rules and groups, pve-configid in the API of Proxmox VE.
var idPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]+$`)

// checkHeader returns why a section with an id of the administrator's choice cannot be used, "" when it
// can.
func (s Section) checkHeader(kinds ...string) string {
	if !slices.Contains(kinds, s.Kind) {
		return "unknown type " + s.Kind
	}
	if !idPattern.MatchString(s.ID) {
		return "an id has at least two characters: a letter, then letters, digits, _ and -"
	}
	return ""
}

// FormatSections writes sections in the order given, each followed by a blank line.
func FormatSections(sections []Section) string {
	var out strings.Builder
	for _, section := range sections {
		fmt.Fprintf(&out, "%s: %s\n", section.Kind, section.ID)
		for _, kv := range section.Keys {
			if kv.Value == "" {
				fmt.Fprintf(&out, "\t%s\n", kv.Key)
			} else {
				fmt.Fprintf(&out, "\t%s %s\n", kv.Key, kv.Value)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// Flag is an optional boolean property; an absent property differs from 0.
type Flag int8

// Values of a Flag.
const (
	FlagUnset Flag = iota
	FlagOff
	FlagOn
)

// On reports whether the flag is set to true.
func (f Flag) On() bool { return f == FlagOn }

// FlagOf returns the flag for a boolean.
func FlagOf(on bool) Flag {
	if on {
		return FlagOn
	}
	return FlagOff
}

// parseFlag reads a boolean property; a bare key means true.
func parseFlag(value string) (Flag, error) {
	switch strings.ToLower(value) {
	case "", "1", "on", "yes", "true":
		return FlagOn, nil
	case "0", "off", "no", "false":
		return FlagOff, nil
	}
	return FlagUnset, fmt.Errorf("%q is not a boolean", value)
}

func formatFlag(f Flag) string {
	if f.On() {
		return "1"
	}
	return "0"
}

// splitList splits a list at commas, semicolons and blanks and drops empty entries.
func splitList(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool {
		return r == ',' || r == ';' || r == ' ' || r == '\t'
	})
}
