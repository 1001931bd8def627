// Package fence resets machines through fence devices: power switches, management boards and everything
// else that a fence agent controls. It tries the devices of a node in their order, each a few times, and
// reports the result of each attempt.
//
// An agent counts only if its own metadata shows that it switches power and can be asked for the state
// afterwards; otherwise it is never called, see [Metadata.Vet]. Only one thing counts as success: every part
// of one device was seen on after the fencing began, was told to switch off, and reported after that, in
// answer to a new query, that it is off. A part that was off from the start must report so for as long as
// the machine needs to boot, while the node is in no ring. No answer, a late answer and an agent that was
// killed are failures, whatever the device may have done.
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
)

// Device is one way to fence a node.
type Device struct {
	Name   string
	Action Action
	// Parts must all be off at the same time for the node to be off, for example one power switch
	// for each of two power supplies.
	Parts []Part
	// Timeout bounds each call of an agent in real time; DefaultTimeout when 0.
	Timeout time.Duration
	// BootTime is what the node needs from power-on until it is in the ring, in real time;
	// DefaultBootTime when 0.
	BootTime time.Duration
	// Attempts is how often the device is tried; DefaultAttempts when 0.
	Attempts int
}

// Part is one outlet, board or switch of a device.
type Part struct {
	Agent string
	// Args are as in fence.cfg, see [Metadata.Translate].
	Args []Arg
	// PasswordFile is a file from which the agent reads its password; "" without one.
	PasswordFile string
}

// Arg is one argument of an agent, as in fence.cfg: a key with a value, or a bare flag.
type Arg struct {
	Key, Value string
	Bare       bool
}

// Limits and defaults. Devices know nothing of a timescale, so only RetryPause is scaled.
const (
	DefaultTimeout  = 40 * time.Second
	MaxTimeout      = 10 * time.Minute
	DefaultAttempts = 2
	MaxAttempts     = 10
	// A machine that was off from the start is watched for at least MinBootTime, in which the watchdog of
	// a node that runs would have reset it.
	DefaultBootTime = 2 * time.Minute
	MinBootTime     = time.Minute
	MaxBootTime     = time.Hour
	// MaxDevices and MaxParts bound the devices of one node and the parts of one device.
	MaxDevices = 16
	MaxParts   = 16
	// AttemptPause separates attempts. StatusPause separates queries whether a device is off.
	AttemptPause = 2 * time.Second
	StatusPause  = time.Second
	// BootPoll separates looks at the ring while a machine that was off from the start is watched.
	BootPoll = 5 * time.Second
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
	// Version and Key identify what the caller believes to run on the node. They were read before the
	// request. The key is of everything that makes one version different from another; the version is what
	// is recorded.
	Version uint64
	Key     uint64
	// Devices are in the order in which they are tried.
	Devices []Device
	// Verified is what the agents reported when the devices were installed.
	Verified AgentFingerprints
	// Absent reports which ring this node is in, and whether the fenced node is certainly not in it. It
	// may wait. Without it, no device that was off from the start can prove anything.
	Absent func(t *env.Task) (ring string, absent bool)
	// Wanted is called before every call of an agent. If it returns false, the fencing ends, and the
	// reason is logged.
	Wanted func() (ok bool, reason string)
}

// Proof states that everything that ran on a node at the time of its Version is gone.
type Proof struct {
	Node         string
	Version, Key uint64
	Device       string
	// Started and Confirmed are times of the monotonic clock. The machine was off at some instant between
	// them.
	Started, Confirmed time.Duration
}

// Options configure a Fencer.
type Options struct {
	// Scale multiplies RetryPause; nil leaves it unchanged. What concerns devices is in real time.
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
	if p, ok := f.proofByNode[r.Node]; ok && p.Version == r.Version && p.Key == r.Key || len(r.Devices) == 0 {
		return
	}
	now := f.env.Mono()
	if last := f.jobByNode[r.Node]; last != nil && (last.running ||
		now < last.ended+f.opts.Scale(RetryPause)) {
		return
	}
	j := &fencingJob{fencer: f, Request: r, started: now, running: true, metadata: map[string]*Metadata{}}
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

// ReportedNodes returns the nodes for which there is a report.
func (f *Fencer) ReportedNodes() []string { return sortedNodes(f.jobByNode) }
