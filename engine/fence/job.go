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
	fencer      *Fencer
	started     time.Duration
	ended       time.Duration
	running     bool
	resultKnown bool // its result is known
	progress    string
	metadata    map[string]*Metadata // by agent, as this node's agents report it
	devices     []*deviceState       // those that were called
}

// deviceState is what a fencing knows about one device.
type deviceState struct {
	*Device
	parts   []part
	isVague bool // off may mean suspended, or not found
	// seenOn holds for each part whether it was on since the fencing began; switched, whether it was told to
	// switch off after that.
	seenOn, switched []bool
}

// Reasons for failures of attempts.
var (
	errNoCalls    = errors.New("programs cannot be called on this machine")
	errUnwanted   = errors.New("not wanted any more")
	errStillOn    = errors.New("the device reports that the power is still on")
	errAgent      = errors.New("agent failed")
	errUnknownEnd = errors.New("outcome unknown, which counts as failure")
	errWasOff     = errors.New("the device reported off before it was told to switch off, " +
		"which proves nothing")
)

func sortedNodes(jobs map[string]*fencingJob) []string { return slices.Sorted(maps.Keys(jobs)) }

// tryDevices tries the devices one after the other until one of them confirms.
func (j *fencingJob) tryDevices(t *env.Task) {
	e := j.fencer.env
	e.Emit(Started{Node: j.Node, Version: j.Version, Devices: deviceNames(j.Devices)})
	e.Log().Info(fmt.Sprintf("fencing node '%s' with %s", j.Node, strings.Join(deviceNames(j.Devices), ", ")))
	j.progress = "under way"
	var confirmed *deviceState
	var failures []string
	var err error
	for i := range j.Devices {
		var d *deviceState
		if d, err = j.vetDevice(t, &j.Devices[i]); err == nil {
			j.devices = append(j.devices, d)
			if err = j.tryDevice(t, d); err == nil {
				confirmed = d
				break
			}
		} else if !errors.Is(err, errUnwanted) {
			j.reportAttempt(&j.Devices[i], Attempt{Reason: err.Error()})
		}
		if errors.Is(err, errUnwanted) {
			break
		}
		failures = append(failures, fmt.Sprintf("device %s: %v", j.Devices[i].Name, err))
	}
	switch {
	case confirmed != nil:
		j.finishConfirmed(confirmed.Device)
	case errors.Is(err, errUnwanted):
		j.finishFailed(err.Error(), false)
	default:
		j.finishFailed(oneLine(strings.Join(failures, "; ")), true)
	}
	j.resultKnown = true
	for _, d := range j.devices {
		j.endReset(t, d, d == confirmed)
	}
	j.running, j.ended = false, e.Mono()
}

// oneLine joins the lines of joined errors.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// vetDevice asks the agents of a device what they are. It fails if the device cannot prove that the node is
// off, or has arguments that its agents do not take: then nothing is sent to it, ever. A part of it may cut
// something else than power, and would leave the node running behind it.
func (j *fencingJob) vetDevice(t *env.Task, d *Device) (*deviceState, error) {
	state := &deviceState{Device: d, seenOn: make([]bool, len(d.Parts)), switched: make([]bool, len(d.Parts))}
	for i := range d.Parts {
		p := &d.Parts[i]
		m, err := j.askMetadata(t, p.Agent)
		if errors.Is(err, ErrMetadata) {
			err = fmt.Errorf("%w: %s: %w", ErrProvesNothing, p.Agent, err)
		}
		if err != nil {
			return nil, err
		}
		if err := j.Verified.check(p.Agent, m); err != nil {
			return nil, err
		}
		args, err := m.Vet(p)
		if err != nil {
			return nil, err
		}
		state.parts = append(state.parts, newPart(p, m, args, j.Node))
		state.isVague = state.isVague || m.isVague(p.Agent, args)
	}
	return state, nil
}

func (j *fencingJob) finishFailed(reason string, isError bool) {
	e := j.fencer.env
	j.progress = "failed: " + reason
	e.Emit(Ended{Node: j.Node, Version: j.Version, Reason: reason,
		TookMS: (e.Mono() - j.started).Milliseconds()})
	if !isError {
		e.Log().Info(fmt.Sprintf("fencing node '%s' ends: %s", j.Node, reason))
		return
	}
	e.Log().Error(fmt.Sprintf("fencing node '%s' failed: %s", j.Node, reason))
	e.Probe("fence/failed")
	j.notifyChanged()
}

// finishConfirmed records the proof. It does so before the node is switched on again, so that nothing that
// follows can revoke the proof.
func (j *fencingJob) finishConfirmed(d *Device) {
	e, now := j.fencer.env, j.fencer.env.Mono()
	j.fencer.proofByNode[j.Node] = Proof{Node: j.Node, Version: j.Version, Key: j.Key, Device: d.Name,
		Started: j.started, Confirmed: now}
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

func (j *fencingJob) tryDevice(t *env.Task, d *deviceState) error {
	attempts := d.Attempts
	if attempts == 0 {
		attempts = DefaultAttempts
	}
	var err error
	for n := 1; n <= attempts; n++ {
		if n > 1 {
			t.Sleep(AttemptPause)
		}
		started := j.fencer.env.Mono()
		err = j.attemptOnce(t, d)
		a := Attempt{Number: n, Of: attempts, OK: err == nil,
			TookMS: (j.fencer.env.Mono() - started).Milliseconds()}
		if err != nil {
			a.Reason = oneLine(err.Error())
		}
		j.reportAttempt(d.Device, a)
		if err == nil || errors.Is(err, errUnwanted) {
			break
		}
	}
	return err
}

// reportAttempt reports the result of an attempt with a device, or that it was not even tried.
func (j *fencingJob) reportAttempt(d *Device, a Attempt) {
	a.Node, a.Device = j.Node, d.Name
	what := "not called"
	if a.Number > 0 {
		what = fmt.Sprintf("attempt %d of %d", a.Number, a.Of)
	}
	if !a.OK {
		j.fencer.env.Log().Warn(fmt.Sprintf("fencing node '%s': device %s, %s: %s", j.Node, d.Name, what,
			a.Reason))
	}
	j.fencer.env.Emit(a)
}

func (d *Device) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return DefaultTimeout
}

func (d *Device) bootTime() time.Duration {
	if d.BootTime > 0 {
		return d.BootTime
	}
	return DefaultBootTime
}

func deviceNames(devices []Device) []string {
	out := make([]string, len(devices))
	for i := range devices {
		out[i] = devices[i].Name
	}
	return out
}
