package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// ErrNoCommand means that a line is not a CRM command.
var ErrNoCommand = errors.New("not a crm command")

var commandPattern = regexp.MustCompile(`^(\S+)(?:\s+(\S+))?(?:\s+(\S+))?\s*$`)

// ParseCommand reads one line of ha/crm_commands. For a line that is not a command it returns
// [ErrNoCommand] and a command with nothing but the line.
func ParseCommand(line string) (ha.Command, error) {
	match := commandPattern.FindStringSubmatch(line)
	if match == nil {
		return ha.Command{Line: line}, fmt.Errorf("parse %q: %w", line, ErrNoCommand)
	}
	cmd := ha.Command{Verb: ha.CommandVerb(match[1]), Line: line}
	args := 0
	for _, arg := range match[2:] {
		if arg != "" {
			args++
		}
	}
	ok := false
	switch cmd.Verb {
	case ha.CommandMigrate, ha.CommandRelocate:
		cmd.SID, cmd.Node, ok = match[2], match[3], args == 2
	case ha.CommandStop:
		timeout, err := strconv.Atoi(match[3])
		cmd.SID, cmd.TimeoutSeconds, ok = match[2], timeout, args == 2 && err == nil && timeout >= 0
	case ha.CommandEnableMaintenance, ha.CommandDisableMaintenance:
		cmd.Node, ok = match[2], args == 1
	case ha.CommandDisarm:
		cmd.Mode = ha.DisarmMode(match[2])
		ok = args == 1 && (cmd.Mode == ha.DisarmFreeze || cmd.Mode == ha.DisarmIgnore)
	case ha.CommandArm:
		ok = args == 0
	}
	if !ok {
		return ha.Command{Line: line}, fmt.Errorf("parse %q: %w", line, ErrNoCommand)
	}
	return cmd, nil
}

// SplitCommands splits the content of ha/crm_commands into lines and drops empty ones.
func SplitCommands(text string) []string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimRight(line, "\r"))
		}
	}
	return lines
}
