// Package fence resets machines through fence devices: power switches, management boards and everything
// else that a fence agent controls. It tries the devices of a node in their order, each a few times, and
// reports the result of each attempt.
//
// Only one thing counts as success: every part of one device was ordered to switch off after the fencing
// began, and after that every part reported, in answer to a new query, that it is off. For devices that
// reset by themselves, the agent must have ended with the exit code for a completed reset. No answer, a
// late answer and an agent that was killed are failures, whatever the device may have done.
//
// A success proves one thing: what ran on the node when the fencing began is gone. What that was, only
// the caller knows. So a request carries a version (of the node's lock), and the proof repeats it: see
// [Proof].
//
// Package fence never decides that a node must be fenced or what follows from it.
package fence

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Action is what a device does to a node.
type Action string

// The actions that fence.cfg may ask for.
const (
	// Reset switches the node off, verifies that it is off and switches it on again.
	Reset Action = "reset"
	// Off switches the node off and leaves it off.
	Off Action = "off"
	// Reboot leaves the reset to the agent, whose exit code is the only evidence.
	Reboot Action = "reboot"
)

// Device is one way to fence a node.
type Device struct {
	Name   string
	Action Action
	// Parts must all be off at the same time for the node to be off, for example one power switch
	// for each of two power supplies.
	Parts []Part
	// Timeout bounds each call of an agent; DefaultTimeout when 0.
	Timeout time.Duration
	// Attempts is how often the device is tried; DefaultAttempts when 0.
	Attempts int
}

// Part is one outlet, board or switch of a device.
type Part struct {
	Agent string
	Args  []Arg
}

// Arg is one argument of an agent, as in fence.cfg.
type Arg struct{ Key, Value string }

// Limits and defaults, unscaled.
const (
	DefaultTimeout  = 40 * time.Second
	MaxTimeout      = 10 * time.Minute
	DefaultAttempts = 2
	MaxAttempts     = 10
	// MaxDevices and MaxParts bound the devices of one node and the parts of one device.
	MaxDevices = 16
	MaxParts   = 16
	// AttemptPause separates attempts. StatusPause separates queries whether a device is off.
	AttemptPause = 2 * time.Second
	StatusPause  = time.Second
	// RetryPause is how long after a failed fencing the next one of the same node can start.
	RetryPause = 30 * time.Second
	// onAttempts is how often fence tries to switch a node on again.
	onAttempts = 3
	// callPoll separates checks of a running call.
	callPoll = 100 * time.Millisecond
)

// Request asks for the fencing of a node.
type Request struct {
	Node string
	// Version identifies what the caller believes to run on the node. It was read before the request.
	Version uint64
	// Devices are in the order in which they are tried.
	Devices []Device
	// Wanted is called before every call of an agent. If it returns false, the fencing ends, and the
	// reason is logged.
	Wanted func() (ok bool, reason string)
}

// Proof states that everything that ran on a node at the time of its Version is gone.
type Proof struct {
	Node    string
	Version uint64
	Device  string
	// Started and Confirmed are times of the monotonic clock. The machine was off at some instant between
	// them.
	Started, Confirmed time.Duration
}

// Options configure a Fencer.
type Options struct {
	// Scale multiplies every time; nil leaves the times unchanged.
	Scale func(time.Duration) time.Duration
	// Changed is called when a fencing has been confirmed or has failed; nil calls nothing.
	Changed func()
}

// Fencer fences nodes, each in a task of its own.
type Fencer struct {
	env           env.Env
	tasks         *env.Tasks
	commandRunner env.CommandRunner
	opts          Options
	jobByNode     map[string]*fencingJob // running, or the last one, by node
	proofByNode   map[string]Proof       // the newest, by node
}

// New returns the Fencer of a process.
func New(e env.Env, tasks *env.Tasks, o Options) *Fencer {
	if o.Scale == nil {
		o.Scale = func(d time.Duration) time.Duration { return d }
	}
	f := &Fencer{env: e, tasks: tasks, opts: o, jobByNode: map[string]*fencingJob{},
		proofByNode: map[string]Proof{}}
	if host, ok := e.(env.CommandHost); ok {
		f.commandRunner = host.Commands()
	}
	return f
}

// Request starts to fence a node, unless that is in progress, was done for this version, or failed less
// than RetryPause ago. It does not wait for the result.
func (f *Fencer) Request(r Request) {
	if p, ok := f.proofByNode[r.Node]; ok && p.Version == r.Version || len(r.Devices) == 0 {
		return
	}
	now := f.env.Mono()
	if last := f.jobByNode[r.Node]; last != nil && (last.running ||
		now < last.ended+f.opts.Scale(RetryPause)) {
		return
	}
	j := &fencingJob{fencer: f, Request: r, started: now, running: true, touchedDevices: map[string]bool{}}
	f.jobByNode[r.Node] = j
	f.tasks.Go(j.tryDevices)
}

// Proof returns the newest proof of a node's death. The caller checks whether its Version is still
// current.
func (f *Fencer) Proof(node string) (Proof, bool) {
	p, ok := f.proofByNode[node]
	return p, ok
}

// Forget drops the proof of a node's death, because something may have started there since then that no
// version shows.
func (f *Fencer) Forget(node string) { delete(f.proofByNode, node) }

// Report describes the fencing of a node in words; "" when there was none.
func (f *Fencer) Report(node string) string {
	if j := f.jobByNode[node]; j != nil {
		return j.progress
	}
	return ""
}

// Reported returns the nodes for which there is a report.
func (f *Fencer) Reported() []string { return sortedNodes(f.jobByNode) }
