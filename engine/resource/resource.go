// Package resource starts, stops and moves what the HA manager looks after, behind one interface:
// a [Driver] for each kind of resource. Here are the interface and the driver for the simulator,
// whose guests live in a process of their own on the machine, as real guests outlive the manager.
//
// Package resource never decides where anything runs.
package resource

import (
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Driver controls the resources of one kind on one machine. Calls come from tasks and return when
// the thing is done or has failed; several may be under way for different resources, one for each.
// An uncertain outcome is no outcome: a driver waits until it knows.
type Driver interface {
	// Running says whether a resource runs on this machine, as far as anybody outside could
	// notice: one that is starting or stopping runs.
	Running(t *env.Task, sid string) (bool, error)

	// Start starts a resource as its configuration says; starting one that runs does nothing.
	Start(t *env.Task, sid string, conf []byte) error

	// Stop asks a resource to end and ends it by force after the timeout (0: at once).
	Stop(t *env.Task, sid string, timeout time.Duration) error

	// Migrate moves a running resource to another machine and returns when nothing of it runs here
	// any more, with the target ready to go on. It fails with ErrNoMigration when the kind
	// cannot; on any error the resource still runs here.
	Migrate(t *env.Task, sid, target string, m *Migration) error
}

// Migration is one move under way: what the one who asked for it may see and do.
type Migration struct {
	// Timeout ends the attempt; 0 is none.
	Timeout time.Duration
	// Progress, when set, hears how far the move is, in percent.
	Progress func(percent int)
	// Cancelled is asked between steps; true ends the attempt.
	Cancelled func() bool
}

var (
	// ErrNoMigration: resources of this kind cannot move while they run.
	ErrNoMigration = errors.New("resource cannot be migrated while it runs")
	// ErrTimeout: a migration took too long and was given up; the resource runs where it was.
	ErrTimeout = errors.New("migration timed out")
	// ErrCancelled: a migration was given up on request; the resource runs where it was.
	ErrCancelled = errors.New("migration cancelled")
	// ErrHostDown: the process that holds the guests is not there, so none of them runs.
	ErrHostDown = errors.New("no guests can run: their host process is down")
	// ErrFailed: the resource did not do what it was asked for.
	ErrFailed = errors.New("resource failed")
)

// HostStarted says that the process that holds the guests of a machine has begun anew: nothing of
// what it held before runs.
type HostStarted struct{}

// Active says that a resource has begun or ceased to run on a machine.
type Active struct {
	SID string `json:"sid"`
	On  bool   `json:"on"`
	// Why it ceased: stopped, killed or migrated.
	Why string `json:"why,omitempty"`
}

// RecordKind implements env.Record.
func (HostStarted) RecordKind() string { return "guest-host-started" }

// RecordKind implements env.Record.
func (Active) RecordKind() string { return "service-active" }
