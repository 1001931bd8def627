// Package resource starts, stops and moves the resources that the HA manager manages, behind one
// interface: a [Driver] for each kind of resource. It contains the interface, the driver for the
// simulator, and the driver for programs of the operating system. The simulator's guests live in a
// process of their own on each machine, because real guests continue to run when the manager ends.
//
// A resource belongs to the machine that has its configuration in the replicated store. A driver never
// touches the configuration. The move of the configuration is the instant at which a moving resource is
// handed over: before it the old machine may run the resource, after it the new one, and around it the
// resource is paused on both. So the single order of the store decides which machine runs it, whatever
// happens to either of them; see [Migration].
//
// Package resource never decides where anything runs.
package resource

import (
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Driver controls the resources of one kind on one machine. Tasks call it. A call returns when the
// action is done or has failed. Calls for different resources may overlap, calls for one resource must
// not. A driver never returns an uncertain outcome: it waits until it knows.
type Driver interface {
	// Running reports whether a resource runs on this machine, as far as other machines and users could
	// notice. A resource that is starting, stopping or paused runs.
	Running(t *env.Task, sid string) (bool, error)

	// Status returns more about the resource.
	Status(t *env.Task, sid string) (Status, error)

	// Start starts a resource as its configuration says; it does nothing if the resource runs. It first
	// drops the copy of the resource that an incomplete migration has left on this machine.
	Start(t *env.Task, sid string, conf []byte) error

	// Stop asks a resource to end, and ends it by force after the timeout (0 for at once).
	Stop(t *env.Task, sid string, timeout time.Duration) error

	// Migrate moves a running resource to another machine, by name. The resource is handed over when
	// m.Commit succeeds: from then on it runs on the target and never again here by itself. Before, it
	// runs here, and the target never runs its copy.
	//
	// Migrate returns nil after the hand-over, when nothing of the resource is left here. ErrHostDown and
	// ErrLost may come before or after the hand-over; after any other error the resource still runs here.
	// ErrNoMigration means that this kind of resource cannot migrate.
	Migrate(t *env.Task, sid, target string, m *Migration) error
}

// Status is the state of a resource on a machine.
type Status struct {
	Running bool
	// Incarnation changes each time that the resource starts to run here; it is "" if it never did. A
	// change without a command is a restart that the manager does not know of.
	Incarnation string
	// ExitCode is how the last incarnation ended, if it ended by itself and the driver noticed it: 0 to
	// 255 is the resource's exit code, 128 plus a signal's number means that it was killed.
	ExitCode *int
}

// Migration is one move in progress: what its requester is shown, and what the requester must do.
//
// A driver performs these steps. Preparing: the target reserves a place, without running the resource.
// Transfer: the resource runs here while its memory is copied. Switch-over: it is paused here, the rest
// is copied, and Commit is called. If Commit fails, the resource continues here and the target drops its
// copy. If Commit succeeds, the copy here is never used again, and the target may run its copy.
//
// A target runs its copy only when the source reports that the resource was handed over, and only within
// a short time after it last heard from the source. So after a power cut of the source before the
// commit, nothing runs and the configuration is still here; after a power cut of the source later, the
// configuration is on the target; and after a power cut of the target before the commit, the resource
// continues here.
type Migration struct {
	// Timeout ends the attempt if the switch-over has not begun by then; 0 means no timeout.
	Timeout time.Duration
	// Progress, if set, is called with the rising percentage of the transfer.
	Progress func(percent int)
	// Cancelled, if set, is polled until the switch-over begins; true ends the attempt.
	Cancelled func() bool
	// Commit, which must be set, hands the resource over. Nil means that it was handed over, an error
	// that it certainly was not. ErrLost means that it does not belong to this machine either: no copy
	// may run, neither here nor there. Commit does not return before it knows.
	Commit func() error
}

var (
	// ErrNoMigration means that resources of this kind cannot move while they run.
	ErrNoMigration = errors.New("resource cannot be migrated while it runs")
	// ErrTimeout means that a migration took too long and was given up. The resource runs where it was.
	ErrTimeout = errors.New("migration timed out")
	// ErrCancelled means that a migration was given up on request. The resource runs where it was.
	ErrCancelled = errors.New("migration cancelled")
	// ErrTarget means that the target did not take the resource, or no longer answered.
	ErrTarget = errors.New("migration target failed")
	// ErrLost means that the resource no longer belongs to either machine.
	ErrLost = errors.New("resource belongs to another machine by now")
	// ErrHostDown means that the process with the guests does not run, so that none of them runs.
	ErrHostDown = errors.New("no guests can run: their host process is down")
	// ErrFailed means that the resource did not do what was requested.
	ErrFailed = errors.New("resource failed")
)

// HostStarted is emitted when the process with the guests of a machine starts. Nothing of what it held
// before runs.
type HostStarted struct{}

// Active is emitted when a resource starts or stops running on a machine.
type Active struct {
	SID string `json:"sid"`
	On  bool   `json:"on"`
	// Cause is why it started or stopped. For a stop: stopped, killed, crashed, switching (to another
	// machine), or migrated. For a start: "" when it was started, migrated, or resumed after a switch-over
	// that failed.
	Cause Cause `json:"why,omitempty"`
}

// Cause is why a resource starts or stops running on a machine.
type Cause string

// Causes in [Active].
const (
	CauseStopped   Cause = "stopped"
	CauseKilled    Cause = "killed"
	CauseCrashed   Cause = "crashed"
	CauseSwitching Cause = "switching"
	CauseMigrated  Cause = "migrated"
	CauseResumed   Cause = "resumed"
)

// RecordKind implements env.Record.
func (HostStarted) RecordKind() string { return "guest-host-started" }

// RecordKind implements env.Record.
func (Active) RecordKind() string { return "service-active" }
