package resource

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Commands are the programs that a machine may run as resources. They come only from the machine's own
// configuration. The configuration of a resource is replicated: if it contained programs, everyone who
// may write it could run any program on every machine. It can only choose a command by name.
type Commands struct {
	// Default runs as a resource that names no command. If it is empty, such a resource does not start.
	Default []string
	// Named are the commands that a resource may name, each with its arguments.
	Named map[string][]string
}

// ErrNoCommand means that this machine has no program for a resource.
var ErrNoCommand = errors.New("no command for this resource")

// commandKey is the property of a resource's configuration that names its command.
const commandKey = "command"

// maxCommandName bounds a command's name.
const maxCommandName = 100

// Of returns the command of the resource with this configuration.
func (c Commands) Of(config []byte) ([]string, error) {
	name := commandNameIn(config)
	if name == "" {
		if len(c.Default) == 0 {
			return nil, fmt.Errorf("%w: its configuration names none, and this node has no default; write "+
				"\"%s: NAME\" into it, with one of %s", ErrNoCommand, commandKey, c.knownNames())
		}
		return c.Default, nil
	}
	command := c.Named[name]
	if len(command) == 0 {
		return nil, fmt.Errorf("%w: this node allows no command %.*q, only %s; allow it in the node's own "+
			"ha.json", ErrNoCommand, maxCommandName, name, c.knownNames())
	}
	return command, nil
}

func (c Commands) knownNames() string {
	if len(c.Named) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(c.Named)), ", ")
}

// Check returns an error for commands that could never run.
func (c Commands) Check() error {
	if len(c.Default) == 0 && len(c.Named) == 0 {
		return fmt.Errorf("%w: there is no command at all", ErrNoCommand)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Named)) {
		switch {
		case name == "" || len(name) > maxCommandName || strings.ContainsAny(name, " \t\r\n"):
			return fmt.Errorf("%w: %.*q is no name for a command: 1 to %d bytes without blanks", ErrNoCommand,
				maxCommandName, name, maxCommandName)
		case len(c.Named[name]) == 0 || c.Named[name][0] == "":
			return fmt.Errorf("%w: command %q has no program", ErrNoCommand, name)
		}
	}
	return nil
}

// commandNameIn returns the name of the command in a configuration of lines "key: value". It ignores
// everything after the start of the first section, which is a snapshot's.
func commandNameIn(config []byte) string {
	for line := range strings.Lines(string(config)) {
		if strings.HasPrefix(line, "[") {
			break
		}
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == commandKey {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
