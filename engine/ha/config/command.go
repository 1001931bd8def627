package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Names of CRM commands.
const (
	CommandMigrate            = "migrate"
	CommandRelocate           = "relocate"
	CommandStop               = "stop"
	CommandEnableMaintenance  = "enable-node-maintenance"
	CommandDisableMaintenance = "disable-node-maintenance"
	CommandDisarm             = "disarm-ha"
	CommandArm                = "arm-ha"
)

// ErrNoCommand means that a line is not a CRM command.
var ErrNoCommand = errors.New("not a crm command")

// Command is one line of ha/crm_commands.
type Command struct {
	Name string
	// SID of migrate, relocate and stop.
	SID string
	// Node is the target of migrate and relocate, or the node that goes in or out of maintenance.
	Node string
	// TimeoutSeconds of stop, 0 for at once.
	TimeoutSeconds int
	// Mode of disarm-ha.
	Mode string
	// Text is the line.
	Text string
}

var commandPattern = regexp.MustCompile(`^(\S+)(?:\s+(\S+))?(?:\s+(\S+))?\s*$`)

// ParseCommand reads one line of ha/crm_commands.
func ParseCommand(line string) (Command, error) {
	match := commandPattern.FindStringSubmatch(line)
	if match == nil {
		return Command{}, fmt.Errorf("parse %q: %w", line, ErrNoCommand)
	}
	cmd := Command{Name: match[1], Text: line}
	args := 0
	for _, arg := range match[2:] {
		if arg != "" {
			args++
		}
	}
	ok := false
	switch cmd.Name {
	case CommandMigrate, CommandRelocate:
		cmd.SID, cmd.Node, ok = match[2], match[3], args == 2
	case CommandStop:
		timeout, err := strconv.Atoi(match[3])
		cmd.SID, cmd.TimeoutSeconds, ok = match[2], timeout, args == 2 && err == nil && timeout >= 0
	case CommandEnableMaintenance, CommandDisableMaintenance:
		cmd.Node, ok = match[2], args == 1
	case CommandDisarm:
		cmd.Mode, ok = match[2], args == 1 && (match[2] == ha.DisarmFreeze || match[2] == ha.DisarmIgnore)
	case CommandArm:
		ok = args == 0
	}
	if !ok {
		return Command{}, fmt.Errorf("parse %q: %w", line, ErrNoCommand)
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
