// Package resource starts, stops and moves what the HA manager looks after, behind one interface:
// a [Driver] for each kind of resource. Here are the interface, the driver for the simulator, whose
// guests live in a process of their own on each machine as real guests outlive the manager, and the
// driver for programs of the operating system.
//
// A resource belongs to the machine on which its configuration lies in the replicated store. A
// driver never touches the configuration. It moves a running resource so that the move of the
// configuration is the instant at which the resource changes hands: whoever runs it after that is
// the new owner, whoever ran it before that was the old one, and in between it stands still. So
// the store's one order decides, whatever becomes of either machine, see [Migration].
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
	// notice: one that is starting, stopping or standing still for a moment runs.
	Running(t *env.Task, sid string) (bool, error)

	// Status says more about it.
	Status(t *env.Task, sid string) (Status, error)

	// Start starts a resource as its configuration says; starting one that runs does nothing.
	// What another machine has brought here of it by a migration that did not come to its end is
	// thrown away first.
	Start(t *env.Task, sid string, conf []byte) error

	// Stop asks a resource to end and ends it by force after the timeout (0: at once).
	Stop(t *env.Task, sid string, timeout time.Duration) error

	// Migrate moves a running resource to another machine, by name, while it runs, and returns nil
	// when it has changed hands; nothing of it runs here then. It may fail after m.Commit has
	// succeeded, with ErrHostDown; whatever the error, a resource that changed hands never runs
	// here again by itself, and of one that did not, the target will never run what it had of it.
	// After an error other than that and ErrLost it runs here still. ErrNoMigration: this kind cannot.
	Migrate(t *env.Task, sid, target string, m *Migration) error
}

// Status is how a resource stands on a machine.
type Status struct {
	Running bool
	// Life differs for each time that the resource began to run here; "" when it never did. A
	// change that nobody has ordered is a restart behind the manager's back.
	Life string
	// ExitCode says how the last life ended, when it did so by itself and the driver has seen it:
	// 0 to 255 from the resource, 128 and a signal's number when it was killed.
	ExitCode *int
}

// Migration is one move under way: what the one who asked for it may see, and what it must do.
//
// A driver goes through these steps. Preparing: the target takes the resource in, without running
// it. Transfer: the resource runs here, its memory goes over. Switch-over: it stands still here, the
// rest goes over, and Commit is called. If Commit fails, it goes on here and the target throws its
// copy away. If it succeeds, the copy here is never used again, and the target's may run.
//
// A target runs its copy only when the source says that the resource has changed hands, and only
// within a short time after it last heard of the source. So a power cut of the source before the
// switch-over leaves nothing that runs and the configuration here, one after it the configuration
// there, and one of the target leaves the resource here until it has changed hands.
type Migration struct {
	// Timeout ends the attempt before the switch-over begins; 0 is none.
	Timeout time.Duration
	// Progress, when set, hears how far the transfer is, in percent, rising.
	Progress func(percent int)
	// Cancelled, when set, is asked now and then until the switch-over begins; true ends the attempt.
	Cancelled func() bool
	// Commit, which must be set, hands the resource over: nil means that it has changed hands, an
	// error that it certainly has not. With ErrLost it is not this machine's any more either: no copy
	// may run, neither here nor there. Commit waits for as long as it does not know.
	Commit func() error
}

var (
	// ErrNoMigration: resources of this kind cannot move while they run.
	ErrNoMigration = errors.New("resource cannot be migrated while it runs")
	// ErrTimeout: a migration took too long and was given up; the resource runs where it was.
	ErrTimeout = errors.New("migration timed out")
	// ErrCancelled: a migration was given up on request; the resource runs where it was.
	ErrCancelled = errors.New("migration cancelled")
	// ErrTarget: the target did not take the resource, or was not heard of any more.
	ErrTarget = errors.New("migration target failed")
	// ErrLost: the resource belongs to neither machine any more.
	ErrLost = errors.New("resource is somebody else's by now")
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
	// Why it ceased: stopped, killed, crashed or switching (to another machine). Why it began: "" when it
	// was started, migrated, or resumed after a switch-over that failed.
	Why string `json:"why,omitempty"`
}

// Reasons in [Active].
const (
	WhyStopped   = "stopped"
	WhyKilled    = "killed"
	WhyCrashed   = "crashed"
	WhySwitching = "switching"
	WhyMigrated  = "migrated"
	WhyResumed   = "resumed"
)

// RecordKind implements env.Record.
func (HostStarted) RecordKind() string { return "guest-host-started" }

// RecordKind implements env.Record.
func (Active) RecordKind() string { return "service-active" }
