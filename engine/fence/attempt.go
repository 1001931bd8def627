package fence

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// attemptOnce tries a device once. If it returns nil, the node was off at some time after the fencing began.
//
// The parts are asked before they are told to switch off, because real agents ask first as well: to a part
// that reports off they send nothing and end with success. So only a part that was seen on has been switched
// off by this fencing. What was off before needs more, see [fencingJob.confirmOffBefore].
func (j *fencingJob) attemptOnce(t *env.Task, d *deviceState) error {
	if _, err := j.queryAllParts(t, d); err != nil {
		return err
	}
	for i, on := range d.seenOn {
		d.switched[i] = d.switched[i] || on
	}
	if _, err := j.callParts(t, d, opOff, d.allParts()); err != nil {
		return err
	}
	if err := j.awaitOff(t, d); err != nil {
		return err
	}
	if slices.Contains(d.seenOn, false) { // a part has been off from the start
		return j.confirmOffBefore(t, d)
	}
	return nil
}

// queryAllParts queries all parts, and notes which are on.
func (j *fencingJob) queryAllParts(t *env.Task, d *deviceState) (off bool, err error) {
	states, err := j.callParts(t, d, opStatus, d.allParts())
	if err != nil {
		return false, err
	}
	for i, isOff := range states {
		d.seenOn[i] = d.seenOn[i] || !isOff
	}
	return allOff(states), nil
}

// awaitOff queries the parts until every part reports that it is off. A device may take a while after it
// has accepted the order. Several parts are queried twice, one round after the other: a part that was
// off in both rounds was also off in between, when the last answer of the first round was given, so at
// that time all parts were off together.
func (j *fencingJob) awaitOff(t *env.Task, d *deviceState) error {
	rounds := 1
	if len(d.parts) > 1 {
		rounds = 2
	}
	until := j.fencer.env.Mono() + d.timeout()
	for seen := 0; ; {
		off, err := j.queryAllParts(t, d)
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
			t.Sleep(StatusPause)
		}
	}
}

// confirmOffBefore proves that a node is off whose device reported that before it was told to switch off.
// One such report may be old, or come from a machine on its way up. So the device must report off twice
// more, at least the time apart in which the machine would have booted and joined the ring, and the node
// must not be in a ring from before the first to after the second report. No other ring may form meanwhile
// either: the node could have been in it for a moment between two looks. This fencing has not switched it
// on.
func (j *fencingJob) confirmOffBefore(t *env.Task, d *deviceState) error {
	if d.isVague {
		return fmt.Errorf("%w: its agent reports suspended machines or unknown outlets as off", errWasOff)
	}
	ring, err := j.requireAbsent(t, "")
	if err != nil {
		return err
	}
	if err := j.requireStillOff(t, d); err != nil {
		return err
	}
	first := j.fencer.env.Mono()
	for j.fencer.env.Mono()-first < d.bootTime() {
		t.Sleep(min(BootPoll, d.bootTime()-(j.fencer.env.Mono()-first)))
		if err := j.checkWanted(); err != nil {
			return err
		}
		if _, err := j.requireAbsent(t, ring); err != nil {
			return err
		}
	}
	if err := j.requireStillOff(t, d); err != nil {
		return err
	}
	_, err = j.requireAbsent(t, ring)
	return err
}

// requireStillOff fails unless all parts are off.
func (j *fencingJob) requireStillOff(t *env.Task, d *deviceState) error {
	off, err := j.queryAllParts(t, d)
	if err == nil && !off {
		err = fmt.Errorf("%w: it is on now", errWasOff)
	}
	return err
}

// requireAbsent fails if the node is in the ring, or if the ring is another one than before ("" for any).
func (j *fencingJob) requireAbsent(t *env.Task, before string) (ring string, err error) {
	if j.Absent == nil {
		return "", fmt.Errorf("%w: it is not known who is in the ring", errWasOff)
	}
	ring, absent := j.Absent(t)
	switch {
	case !absent:
		return "", fmt.Errorf("%w: the node may be in the ring", errWasOff)
	case before != "" && before != ring:
		return "", fmt.Errorf("%w: another ring has formed meanwhile", errWasOff)
	}
	return ring, nil
}

// endReset switches the node on again, also when the fencing has failed, because a failure is no reason to
// leave a node off: then only the parts that it has switched off. A part that was off before may have been
// switched off by a master that died before the end of its reset. Whether the node comes back proves
// nothing. A device that switches off late would do so after it was switched on, so endReset first gives it
// time for that.
func (j *fencingJob) endReset(t *env.Task, d *deviceState, off bool) {
	var parts []int
	for i, switched := range d.switched {
		if switched || off {
			parts = append(parts, i)
		}
	}
	if d.Action != Reset || len(parts) == 0 {
		return
	}
	attempts := onAttempts
	if !off {
		_ = j.awaitOff(t, d) // on or off, it will be switched on
		attempts = 1         // a node that was not off is not waited for
	}
	for n := 1; n <= attempts; n++ {
		if n > 1 {
			t.Sleep(RetryPause)
		}
		_, err := j.callParts(t, d, opOn, parts)
		if err == nil {
			return
		}
		j.fencer.env.Log().Warn(
			fmt.Sprintf("fencing node '%s': device %s does not switch it on again, attempt %d of %d: %s",
				j.Node, d.Name, n, attempts, oneLine(err.Error())))
	}
}

// allParts returns the indexes of all parts.
func (d *deviceState) allParts() []int {
	out := make([]int, len(d.parts))
	for i := range out {
		out[i] = i
	}
	return out
}
