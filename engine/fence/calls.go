package fence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// operation is the operation for which an agent is called, by the name that agents use.
type operation string

const (
	opOff     operation = "off"
	opOn      operation = "on"
	opReboot  operation = "reboot" // never called: a reset is off, queries and on
	opStatus  operation = "status"
	opMonitor operation = "monitor"
)

// Exit codes of agents, as the fence agent interface defines them.
const (
	exitCodeDone = 0 // carried out and verified; for status: the power is on
	exitCodeOff  = 2 // for status: the power is off
)

// keyNodeName is the name of the node, which callers of agents add. Some agents have a parameter of that
// name that means something else.
const keyNodeName = "nodename"

// part is one part of a device, ready to be called.
type part struct {
	agent  string
	node   string
	args   []Arg // translated
	naming bool  // the agent takes the node's name
}

// newPart returns a part for the calls that fence one node.
func newPart(p *Part, m *Metadata, args []Arg, node string) part {
	return part{agent: p.Agent, node: node, args: args, naming: m.parameter(keyNodeName) == nil}
}

// command returns how the agent is called. Arguments go to its standard input, one in a line, so that no
// list of processes shows a password in the call.
func (p *part) command(op operation, limit time.Duration) env.Command {
	var in strings.Builder
	for _, a := range p.args {
		in.WriteString(a.inputLine())
	}
	if p.naming {
		fmt.Fprintf(&in, "%s=%s\n", keyNodeName, p.node)
	}
	fmt.Fprintf(&in, "%s=%s\n", keyAction, op)
	return env.Command{Args: []string{p.agent}, Input: []byte(in.String()), Limit: limit}
}

// interpret returns what the end of an agent means. Only defined exit codes have a meaning.
func (p *part) interpret(op operation, r env.CommandResult) (off bool, err error) {
	switch {
	case r.Err != nil:
		return false, fmt.Errorf("%s: %w: %w", op, errUnknownEnd, r.Err)
	case op == opStatus && r.Code == exitCodeOff:
		return true, nil
	case r.Code == exitCodeDone:
		return false, nil
	}
	return false, fmt.Errorf("%s: %w with code %d%s", op, errAgent, r.Code,
		redact(quoteReason(r.Output), p.args))
}

// callParts calls the agents of the parts at once and waits for the last. off holds for each part whether it
// is off; it has a meaning for opStatus only.
func (j *fencingJob) callParts(t *env.Task, d *deviceState, op operation, parts []int) (off []bool,
	err error) {
	f := j.fencer
	if err := j.checkWanted(); err != nil {
		return nil, err
	}
	limit := d.timeout()
	off = make([]bool, len(d.parts))
	ids := map[int]env.CommandID{}
	var problems []error
	for _, i := range parts {
		id, err := f.commandRunner.Start(d.parts[i].command(op, limit))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w: %w", d.parts[i].agent, op, errUnknownEnd, err))
			continue
		}
		ids[i] = id
	}
	// The backend ends every call at its limit. A call that has no result one limit later counts as
	// lost.
	for until := f.env.Mono() + 2*limit; len(ids) > 0; {
		for _, i := range parts {
			id, waits := ids[i]
			if !waits {
				continue
			}
			result, over := f.commandRunner.Result(id)
			switch {
			case over:
				var err error
				if off[i], err = d.parts[i].interpret(op, result); err != nil {
					problems = append(problems, err)
				}
			case f.env.Mono() >= until:
				problems = append(problems, fmt.Errorf("%s: %w: no end of the agent", op, errUnknownEnd))
			default:
				continue
			}
			delete(ids, i)
		}
		if len(ids) > 0 {
			t.Sleep(callPoll)
		}
	}
	return off, errors.Join(problems...)
}

// checkWanted fails when agents cannot be called, or the caller no longer wants the fencing.
func (j *fencingJob) checkWanted() error {
	if j.fencer.commandRunner == nil {
		return errNoCalls
	}
	if ok, reason := j.Wanted(); !ok && !j.resultKnown {
		return fmt.Errorf("%w: %s", errUnwanted, reason)
	}
	return nil
}

// askMetadata asks an agent for its metadata, once in a fencing.
func (j *fencingJob) askMetadata(t *env.Task, agent string) (*Metadata, error) {
	if m := j.metadata[agent]; m != nil {
		return m, nil
	}
	if err := j.checkWanted(); err != nil {
		return nil, err
	}
	f, command := j.fencer, MetadataCommand(agent)
	id, err := f.commandRunner.Start(command)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMetadata, err)
	}
	for until := f.env.Mono() + 2*command.Limit; f.env.Mono() < until; t.Sleep(callPoll) {
		if result, over := f.commandRunner.Result(id); over {
			m, err := ReadMetadata(result)
			if err == nil {
				j.metadata[agent] = m
			}
			return m, err
		}
	}
	return nil, fmt.Errorf("%w: %w: no end of the agent", ErrMetadata, errUnknownEnd)
}

// allOff reports whether every part is off.
func allOff(off []bool) bool { return !slices.Contains(off, false) }
