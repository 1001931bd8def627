package resource

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Process drives resources that are programs of the machine's operating system. They continue to run
// after the process that started them, and the program that hosts it, have ended; they end with the
// machine.
//
// A program's memory cannot be moved: Migrate returns ErrNoMigration. Such a resource moves offline: it
// is stopped here, its configuration moves, and the target starts it.
type Process struct {
	env            env.Env
	programs       env.Programs
	commands       Commands
	endedOnPurpose map[string]string // resource -> the incarnation that was ended on purpose
}

var _ Driver = (*Process)(nil)

// ErrNoPrograms means that programs cannot be run on this machine.
var ErrNoPrograms = errors.New("this machine runs no programs")

// NewProcess returns the driver. commands are the programs that may run as resources; each finds the
// name of its resource in its environment.
func NewProcess(e env.Env, commands Commands) *Process {
	p := &Process{env: e, commands: commands, endedOnPurpose: map[string]string{}}
	if host, ok := e.(env.ProgramHost); ok {
		p.programs = host.Programs()
	}
	return p
}

// Step takes no event: programs send none.
func (p *Process) Step(env.Event) bool { return false }

// Running implements Driver.
func (p *Process) Running(_ *env.Task, sid string) (bool, error) {
	if p.programs == nil {
		return false, nil // and none can have been started
	}
	return p.programs.Running(sid)
}

// Status implements Driver.
func (p *Process) Status(_ *env.Task, sid string) (Status, error) {
	if p.programs == nil {
		return Status{}, nil
	}
	ps, err := p.programs.Status(sid)
	s := Status{Running: ps.Running, Incarnation: ps.Incarnation}
	if ps.Exited && p.endedOnPurpose[sid] != ps.Incarnation {
		s.ExitCode = &ps.ExitCode
	}
	return s, err
}

// settleTime is how long a program must have run before it counts as started.
const settleTime = 200 * time.Millisecond

// Start implements Driver. The configuration may name one of the commands.
func (p *Process) Start(t *env.Task, sid string, config []byte) error {
	if p.programs == nil {
		return ErrNoPrograms
	}
	command, err := p.commands.Of(config)
	if err != nil {
		return err
	}
	if err := p.programs.Start(sid, command); err != nil {
		return err
	}
	t.Sleep(settleTime)
	on, err := p.programs.Running(sid)
	if err == nil && !on {
		err = fmt.Errorf("%w: %s ended within %v", ErrFailed, sid, settleTime)
	}
	return err
}

// stopPoll separates checks of a program that is ending. killTime bounds the end of a killed program.
const (
	stopPoll = 50 * time.Millisecond
	killTime = 10 * time.Second
)

// Stop implements Driver.
func (p *Process) Stop(t *env.Task, sid string, timeout time.Duration) error {
	if p.programs == nil {
		return nil
	}
	cause := CauseStopped
	ps, err := p.programs.Status(sid)
	on := ps.Running
	if on {
		p.endedOnPurpose[sid] = ps.Incarnation
	}
	if err == nil && on && timeout > 0 {
		on, err = p.endProgram(t, sid, false, timeout)
	}
	if err == nil && on {
		cause = CauseKilled
		on, err = p.endProgram(t, sid, true, killTime)
	}
	switch {
	case err != nil:
		return err
	case on:
		return fmt.Errorf("%w: %s was killed and still runs after %v", ErrFailed, sid, killTime)
	}
	p.env.Emit(Active{SID: sid, Cause: cause})
	return nil
}

// endProgram asks or forces a program to end, and reports whether it still runs after a time.
func (p *Process) endProgram(t *env.Task, sid string, force bool, limit time.Duration) (bool, error) {
	if err := p.programs.Stop(sid, force); err != nil {
		return true, err
	}
	for until := p.env.Mono() + limit; ; t.Sleep(stopPoll) {
		on, err := p.programs.Running(sid)
		if err != nil || !on || p.env.Mono() >= until {
			return on, err
		}
	}
}

// Migrate implements Driver.
func (p *Process) Migrate(*env.Task, string, string, *Migration) error { return ErrNoMigration }
