package fence

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// operation is the operation for which an agent is called, by the name that agents use.
type operation string

const (
	opOff    operation = "off"
	opOn     operation = "on"
	opReboot operation = "reboot"
	opStatus operation = "status"
)

// Exit codes of agents, as the fence agent interface defines them.
const (
	exitCodeDone = 0 // carried out and verified; for status: the power is on
	exitCodeOff  = 2 // for status: the power is off
)

// interpretResult returns what the end of an agent means. Only defined exit codes have a meaning.
func interpretResult(op operation, r env.CommandResult) (off bool, err error) {
	switch {
	case r.Err != nil:
		return false, fmt.Errorf("%w: %w", errUnknownEnd, r.Err)
	case op == opStatus && r.Code == exitCodeOff:
		return true, nil
	case r.Code == exitCodeDone:
		return false, nil
	}
	return false, fmt.Errorf("%w with code %d%s", errAgent, r.Code, lastLine(r.Output))
}

// maxReasonBytes bounds the part of an agent's output that is quoted.
const maxReasonBytes = 200

// lastLine returns the last line that an agent wrote, in printable characters.
func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == '\x7f' || r == '�' {
			return -1
		}
		return r
	}, line)
	if line == "" {
		return ""
	}
	if len(line) > maxReasonBytes {
		line = strings.ToValidUTF8(line[:maxReasonBytes], "") + "…"
	}
	return ": " + line
}

// agentCommand returns how the agent of a part is called. Arguments go to its standard input, one per line,
// so that no list of processes shows passwords. Arguments of one letter exist only on the command line; if
// there is any, all arguments go there.
func (p *Part) agentCommand(op operation, node string, limit time.Duration) env.Command {
	letters := false
	for _, a := range p.Args {
		letters = letters || len(a.Key) == 1
	}
	c := env.Command{Args: []string{p.Agent}, Limit: limit}
	if letters {
		for _, a := range p.Args {
			if len(a.Key) == 1 {
				c.Args = append(c.Args, "-"+a.Key, a.Value)
			} else {
				c.Args = append(c.Args, "--"+a.Key+"="+a.Value)
			}
		}
		c.Args = append(c.Args, "--action="+string(op))
		return c
	}
	var in strings.Builder
	for _, a := range p.Args {
		fmt.Fprintf(&in, "%s=%s\n", strings.ReplaceAll(a.Key, "-", "_"), a.Value)
	}
	fmt.Fprintf(&in, "nodename=%s\naction=%s\n", node, op)
	c.Input = []byte(in.String())
	return c
}
