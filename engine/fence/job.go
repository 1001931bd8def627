package fence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// fencingJob is the fencing of one node: one pass over its devices.
type fencingJob struct {
	Request
	fencer         *Fencer
	started        time.Duration
	ended          time.Duration
	running        bool
	resultKnown    bool // its result is known
	progress       string
	touchedDevices map[string]bool // devices that may have switched something off
}

// Reasons for failures of attempts.
var (
	errNoCalls    = errors.New("programs cannot be called on this machine")
	errUnwanted   = errors.New("not wanted any more")
	errStillOn    = errors.New("the device reports that the power is still on")
	errAgent      = errors.New("agent failed")
	errUnknownEnd = errors.New("outcome unknown, which counts as failure")
)

func sortedNodes(jobs map[string]*fencingJob) []string { return slices.Sorted(maps.Keys(jobs)) }

// tryDevices tries the devices one after the other until one of them confirms.
func (j *fencingJob) tryDevices(t *env.Task) {
	e := j.fencer.env
	e.Emit(Started{Node: j.Node, Version: j.Version, Devices: deviceNames(j.Devices)})
	e.Log().Info(fmt.Sprintf("fencing node '%s' with %s", j.Node, strings.Join(deviceNames(j.Devices), ", ")))
	j.progress = "under way"
	var confirmed *Device
	err := errors.New("no device")
	for i := range j.Devices {
		d := &j.Devices[i]
		if err = j.tryDevice(t, d); err == nil {
			confirmed = d
		}
		if err == nil || errors.Is(err, errUnwanted) {
			break
		}
	}
	if confirmed == nil {
		j.finishFailed(err)
	} else {
		j.finishConfirmed(confirmed)
	}
	j.resultKnown = true
	for i := range j.Devices {
		if d := &j.Devices[i]; d.Action == Reset && j.touchedDevices[d.Name] {
			j.switchOn(t, d, d == confirmed)
		}
	}
	j.running, j.ended = false, e.Mono()
}

func (j *fencingJob) finishFailed(err error) {
	e := j.fencer.env
	j.progress = "failed: " + err.Error()
	e.Emit(Ended{Node: j.Node, Version: j.Version, Reason: err.Error(),
		TookMS: (e.Mono() - j.started).Milliseconds()})
	if errors.Is(err, errUnwanted) {
		e.Log().Info(fmt.Sprintf("fencing node '%s' ends: %v", j.Node, err))
		return
	}
	e.Log().Error(fmt.Sprintf("fencing node '%s' failed: %v", j.Node, err))
	e.Probe("fence/failed")
	j.notifyChanged()
}

// finishConfirmed records the proof. It does so before the node is switched on again, so that nothing that
// follows can revoke the proof.
func (j *fencingJob) finishConfirmed(d *Device) {
	e, now := j.fencer.env, j.fencer.env.Mono()
	j.fencer.proofByNode[j.Node] = Proof{Node: j.Node, Version: j.Version, Device: d.Name, Started: j.started,
		Confirmed: now}
	j.progress = "confirmed by " + d.Name
	e.Emit(Ended{Node: j.Node, Version: j.Version, OK: true, Device: d.Name,
		TookMS: (now - j.started).Milliseconds()})
	e.Log().Info(fmt.Sprintf("fencing node '%s': device %s has confirmed that it was switched off", j.Node,
		d.Name))
	e.Probe("fence/confirmed")
	j.notifyChanged()
}

func (j *fencingJob) notifyChanged() {
	if j.fencer.opts.Changed != nil {
		j.fencer.opts.Changed()
	}
}

func (j *fencingJob) tryDevice(t *env.Task, d *Device) error {
	attempts := d.Attempts
	if attempts == 0 {
		attempts = DefaultAttempts
	}
	var err error
	for n := 1; n <= attempts; n++ {
		if n > 1 {
			t.Sleep(j.fencer.opts.Scale(AttemptPause))
		}
		started := j.fencer.env.Mono()
		err = j.attemptOnce(t, d)
		took := j.fencer.env.Mono() - started
		a := Attempt{Node: j.Node, Device: d.Name, Number: n, OK: err == nil, TookMS: took.Milliseconds()}
		if err != nil {
			a.Reason = err.Error()
			j.fencer.env.Log().Warn(fmt.Sprintf("fencing node '%s': device %s, attempt %d of %d: %v",
				j.Node, d.Name, n, attempts, err))
		}
		j.fencer.env.Emit(a)
		if err == nil || errors.Is(err, errUnwanted) {
			break
		}
	}
	return err
}

// attemptOnce tries a device once. If it returns nil, the node was off at some time after the attempt began.
func (j *fencingJob) attemptOnce(t *env.Task, d *Device) error {
	if d.Action == Reboot {
		_, err := j.callAllAgents(t, d, opReboot)
		return err
	}
	if _, err := j.callAllAgents(t, d, opOff); err != nil {
		return err
	}
	return j.awaitOff(t, d)
}

// awaitOff queries the parts until every part reports that it is off. A device may take a while after it
// has accepted the order. Several parts are queried twice, one round after the other: a part that was
// off in both rounds was also off in between, when the last answer of the first round was given, so at
// that time all parts were off together.
func (j *fencingJob) awaitOff(t *env.Task, d *Device) error {
	rounds := 1
	if len(d.Parts) > 1 {
		rounds = 2
	}
	until := j.fencer.env.Mono() + j.scaledTimeout(d)
	for seen := 0; ; {
		off, err := j.callAllAgents(t, d, opStatus)
		if err != nil {
			return err
		}
		if seen++; !off {
			seen = 0
		}
		switch {
		case seen == rounds:
			return nil
		case j.fencer.env.Mono() >= until:
			return errStillOn
		case !off:
			t.Sleep(j.fencer.opts.Scale(StatusPause))
		}
	}
}

// switchOn ends a reset, also a failed one, because a failure is no reason to leave the node off.
// Whether the node comes back proves nothing. A device that switches off late would do so after it was
// switched on, so switchOn first gives it time for that.
func (j *fencingJob) switchOn(t *env.Task, d *Device, off bool) {
	attempts := onAttempts
	if !off {
		_ = j.awaitOff(t, d) // on or off, it will be switched on
		attempts = 1         // a node that was not off is not waited for
	}
	for n := 1; n <= attempts; n++ {
		if n > 1 {
			t.Sleep(j.fencer.opts.Scale(RetryPause))
		}
		_, err := j.callAllAgents(t, d, opOn)
		if err == nil {
			return
		}
		j.fencer.env.Log().Warn(
			fmt.Sprintf("fencing node '%s': device %s does not switch it on again, attempt %d of %d: %v",
				j.Node, d.Name, n, attempts, err))
	}
}

func (j *fencingJob) scaledTimeout(d *Device) time.Duration {
	if d.Timeout > 0 {
		return j.fencer.opts.Scale(d.Timeout)
	}
	return j.fencer.opts.Scale(DefaultTimeout)
}

// callAllAgents calls the agents of all parts at once and waits for the last. off reports whether all parts
// are off; it has a meaning for opStatus only.
func (j *fencingJob) callAllAgents(t *env.Task, d *Device, op operation) (off bool, err error) {
	f := j.fencer
	if f.commandRunner == nil {
		return false, errNoCalls
	}
	if ok, reason := j.Wanted(); !ok && !j.resultKnown {
		return false, fmt.Errorf("%w: %s", errUnwanted, reason)
	}
	limit := j.scaledTimeout(d)
	waiting := make([]env.CommandID, len(d.Parts))
	var problems []error
	for i := range d.Parts {
		id, err := f.commandRunner.Start(d.Parts[i].agentCommand(op, j.Node, limit))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w: %w", d.Parts[i].Agent, op, errUnknownEnd, err))
		}
		waiting[i] = id
	}
	off = true
	// The backend ends every call at its limit. A call that has no result one limit later counts as
	// lost.
	for until := f.env.Mono() + 2*limit; len(waiting) > 0; {
		for i := 0; i < len(waiting); {
			result, over := f.commandRunner.Result(waiting[i])
			switch {
			case waiting[i] == 0: // it could not be started
			case over:
				isOff, err := interpretResult(op, result)
				off = off && isOff
				if op == opOff && (err == nil || errors.Is(err, errUnknownEnd)) {
					j.touchedDevices[d.Name] = true
				}
				if err != nil {
					problems = append(problems, fmt.Errorf("%s: %w", op, err))
				}
			case f.env.Mono() >= until:
				problems = append(problems, fmt.Errorf("%s: %w: no end of the agent", op, errUnknownEnd))
			default:
				i++
				continue
			}
			waiting = slices.Delete(waiting, i, i+1)
		}
		if len(waiting) > 0 {
			t.Sleep(f.opts.Scale(callPoll))
		}
	}
	return off && len(problems) == 0, errors.Join(problems...)
}

func deviceNames(devices []Device) []string {
	out := make([]string, len(devices))
	for i := range devices {
		out[i] = devices[i].Name
	}
	return out
}
