package fence

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ErrArgument means that an agent does not take an argument of fence.cfg.
var ErrArgument = errors.New("argument that the agent does not take")

// secretPath matches files whose path means the same to every shell.
var secretPath = regexp.MustCompile(`^/[A-Za-z0-9/_.+-]+$`)

// Translate returns the arguments of a part as the agent takes them on its standard input, with the names
// that its metadata prefers: letters and both spellings of names become names, a flag becomes name=1. It
// leaves out switches that are off, because most agents ask only whether a switch was given. A later
// argument replaces an earlier one that means the same. It fails with ErrArgument for what the agent would
// ignore or refuse.
func (m *Metadata) Translate(p *Part) ([]Arg, error) {
	var out []Arg
	given := slices.Clone(p.Args)
	if p.PasswordFile != "" {
		script := m.parameter(passwordScript)
		if script == nil {
			return nil, fmt.Errorf("%w: %s: %s cannot read its password from a file",
				ErrArgument, keyPasswordFile, m.Agent)
		}
		given = append(given, Arg{Key: script.Name, Value: "cat " + p.PasswordFile})
	}
	for _, a := range given {
		known := m.parameter(a.Key)
		if known == nil {
			return nil, fmt.Errorf("%w: %s has no option %q", ErrArgument, m.Agent, a.Key)
		}
		value, err := known.value(a)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrArgument, a.Key, err)
		}
		out = slices.DeleteFunc(out, func(b Arg) bool { return b.Key == known.Name })
		if known.Kind == kindBoolean && value == "0" && !isTrue(known.Default) {
			continue
		}
		out = append(out, Arg{Key: known.Name, Value: value})
	}
	return out, nil
}

// Kinds of parameters whose values are checked.
const (
	kindBoolean = "boolean"
	kindInteger = "integer"
	kindSecond  = "second"
	kindSelect  = "select"
)

// value returns the value that an argument gives to a parameter.
func (p *Parameter) value(a Arg) (string, error) {
	switch {
	case p.Kind == kindBoolean && (a.Bare || isTrue(a.Value)):
		return "1", nil
	case p.Kind == kindBoolean && isFalse(a.Value):
		return "0", nil
	case p.Kind == kindBoolean:
		return "", fmt.Errorf("it is a switch: write 0 or 1, not %q", a.Value)
	case a.Bare:
		return "", errors.New("it needs a value")
	case p.Kind == kindInteger || p.Kind == kindSecond:
		if _, err := strconv.Atoi(a.Value); err != nil {
			return "", fmt.Errorf("it is a number, not %q", a.Value)
		}
	case p.Kind == kindSelect && len(p.Choices) > 0:
		if !slices.ContainsFunc(p.Choices, func(c string) bool { return strings.EqualFold(c, a.Value) }) {
			return "", fmt.Errorf("it is one of %s, not %q", strings.Join(p.Choices, ", "), a.Value)
		}
	}
	if strings.ContainsFunc(a.Value, unicode.IsControl) {
		return "", errors.New("its value contains a control character")
	}
	return a.Value, nil
}

// inputLine writes an argument for an agent's standard input. The agents' common library drops blanks at the
// ends of a line and one pair of double quotes around a value, so a value that has either gets a pair.
func (a Arg) inputLine() string {
	value := a.Value
	if strings.TrimSpace(value) != value || len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = `"` + value + `"`
	}
	return a.Key + "=" + value + "\n"
}
