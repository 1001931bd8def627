// Package fence resets machines through fence devices: power switches, management boards and
// whatever else a fence agent speaks to. It tries the devices of a node in their order, each a few
// times, and says of each attempt what came of it.
//
// What counts as success, and as nothing else: every part of one device was told to switch off
// after the fencing began, and after that every part reported, asked anew, that it is off; or, for
// devices that are told to reset by themselves, the agent ended with the code that stands for a
// reset carried out. No answer, an answer that came too late and an agent that was ended by force are
// failures, whatever the device may have done.
//
// A success proves one thing: what ran on the node when the fencing began is gone. It is worth as
// much as the caller knows about that instant, which is why a request carries a version (of the
// node's lock) and the proof carries it on: see [Proof].
//
// Package fence never decides that a node must be fenced or what follows from it.
package fence

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Action is what a device is told to do to a node.
type Action string

// The actions that fence.cfg may ask for.
const (
	// Reset switches the node off, sees that it is off and switches it on again.
	Reset Action = "reset"
	// Off switches it off and leaves it like that.
	Off Action = "off"
	// Reboot leaves the reset to the agent, whose word is all there is.
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

// Bounds and defaults, unscaled.
const (
	DefaultTimeout  = 40 * time.Second
	MaxTimeout      = 10 * time.Minute
	DefaultAttempts = 2
	MaxAttempts     = 10
	// MaxDevices and MaxParts bound what one node has.
	MaxDevices = 16
	MaxParts   = 16
	// AttemptPause separates attempts, StatusPause questions whether a device is off by now.
	AttemptPause = 2 * time.Second
	StatusPause  = time.Second
	// RetryPause is how long a fencing that failed keeps the next one of that node waiting.
	RetryPause = 30 * time.Second
	// onAttempts is how often a node that was fenced is switched on again.
	onAttempts = 3
	// callPoll separates looks at a call under way.
	callPoll = 100 * time.Millisecond
)

// Request asks for the fencing of a node.
type Request struct {
	Node string
	// Version stands for what the caller knows to run on the node: it was read before the request.
	Version uint64
	// Devices in the order in which they are to be tried.
	Devices []Device
	// Wanted is asked before every call of an agent: false ends the fencing there. The reason goes
	// into the log.
	Wanted func() (ok bool, reason string)
}

// Proof says that whatever ran on a node at the time of its Version is gone.
type Proof struct {
	Node    string
	Version uint64
	Device  string
	// Begun and Confirmed are on the monotonic clock: the machine was off at some instant between.
	Begun, Confirmed time.Duration
}

// Options configure a Fencer.
type Options struct {
	// Scale multiplies every time; nil leaves them as they are.
	Scale func(time.Duration) time.Duration
	// Changed is called when a fencing has been confirmed or has failed; nil calls nothing.
	Changed func()
}

// Fencer fences nodes, each in a task of its own.
type Fencer struct {
	env    env.Env
	tasks  *env.Tasks
	calls  env.Calls
	opts   Options
	jobs   map[string]*job  // under way or the last one, by node
	proofs map[string]Proof // the newest, by node
}

// New makes a Fencer of a process.
func New(e env.Env, tasks *env.Tasks, o Options) *Fencer {
	if o.Scale == nil {
		o.Scale = func(d time.Duration) time.Duration { return d }
	}
	f := &Fencer{env: e, tasks: tasks, opts: o, jobs: map[string]*job{}, proofs: map[string]Proof{}}
	if host, ok := e.(env.CallHost); ok {
		f.calls = host.Calls()
	}
	return f
}

// Request fences a node, unless that is under way, was done for this version, or has failed a
// moment ago. It returns at once.
func (f *Fencer) Request(r Request) {
	if p, ok := f.proofs[r.Node]; ok && p.Version == r.Version || len(r.Devices) == 0 {
		return
	}
	now := f.env.Mono()
	if last := f.jobs[r.Node]; last != nil && (last.running || now < last.ended+f.opts.Scale(RetryPause)) {
		return
	}
	j := &job{fencer: f, Request: r, begun: now, running: true, touched: map[string]bool{}}
	f.jobs[r.Node] = j
	f.tasks.Go(j.run)
}

// Proof is the newest proof of a node's death. Whether its Version is still the present one is for
// the caller to see.
func (f *Fencer) Proof(node string) (Proof, bool) {
	p, ok := f.proofs[node]
	return p, ok
}

// Forget drops the proof of a node's death: something may have begun to run there since that no
// version tells of.
func (f *Fencer) Forget(node string) { delete(f.proofs, node) }

// Report says in words how the fencing of a node goes; "" when there was none.
func (f *Fencer) Report(node string) string {
	if j := f.jobs[node]; j != nil {
		return j.words
	}
	return ""
}

// Reported are the nodes for which there is a report.
func (f *Fencer) Reported() []string { return sortedNodes(f.jobs) }
