package world

import "time"

// freeze is the state of a machine that stands still together with its hardware.
type freeze struct {
	machine  *Machine
	active   int   // freeze faults that act
	since    int64 // kernel time at which the machine stopped
	deferred []func()
}

// begin stops the machine with its clock, timers and watchdog, as the host of a virtual machine can. What is
// sent to it waits in its receive buffers.
func (f *freeze) begin() {
	m := f.machine
	if f.active++; f.active > 1 {
		return
	}
	now := m.world.Kernel.Now()
	f.since = now
	m.clock.stop(now)
	m.Each("", (*Proc).Pause)
	m.world.logMachine(m, "machine", "frozen")
}

// end ends one freeze. After the last one the machine continues where it was.
func (f *freeze) end() {
	m := f.machine
	if f.active == 0 {
		return // the machine has lost its power meanwhile
	}
	if f.active--; f.active > 0 {
		return
	}
	stood := m.world.Kernel.Now() - f.since
	f.resume()
	m.hardwareWatchdog.continueAfter(stood)
	for _, p := range m.procs {
		p.timers.reschedule()
		p.Unpause()
	}
	m.world.logMachine(m, "machine", "thawed after %v", time.Duration(stood))
}

// resume lets the clock run and carries out what had to wait for it.
func (f *freeze) resume() {
	f.active = 0
	f.machine.clock.start(f.machine.world.Kernel.Now())
	deferred := f.deferred
	f.deferred = nil
	for _, do := range deferred {
		do()
	}
}

// endByPower ends a freeze because the machine loses its power: what is switched on again runs.
func (f *freeze) endByPower() {
	if f.active == 0 {
		return
	}
	f.resume()
	for _, p := range f.machine.procs {
		p.activePauses = max(p.activePauses-1, 0)
	}
}

// postpone repeats a kernel event of a frozen machine after the freeze. It returns false for a machine
// that is not frozen.
func (f *freeze) postpone(repeat func()) bool {
	if f.active == 0 {
		return false
	}
	f.deferred = append(f.deferred, repeat)
	return true
}

// slowness is what slow faults add to the steps of a process.
type slowness struct {
	times int64 // further times the usual length
	by    int64 // in nanoseconds
}

// slowSteps adds to the length of a process's steps.
func (p *Proc) slowSteps(times int64, by time.Duration) {
	p.slowness.times += times
	p.slowness.by += int64(by)
}
