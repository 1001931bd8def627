package host

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// maxDriftPPM bounds the drift of a machine's clocks, in either direction.
const maxDriftPPM = 100_000

// Kill ends a process as a crash would: it gets no further event, and nothing that it still does has an
// effect. It stays down until [Host.Start]. It fails with ErrNoProcess.
func (h *Host) Kill(process string) error {
	p := h.byName[process]
	if p == nil {
		return fmt.Errorf("killing: %w: %q", hostapi.ErrNoProcess, process)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.heldDown = true
	h.markDown(p)
	return nil
}

// Start starts a process that is down; it does nothing if the process is up. The new incarnation starts
// once the old one has left its last Step. It fails with ErrNoProcess.
func (h *Host) Start(process string) error {
	p := h.byName[process]
	if p == nil {
		return fmt.Errorf("starting: %w: %q", hostapi.ErrNoProcess, process)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.heldDown = false
	if p.isUp {
		return nil
	}
	select {
	case p.startSignal <- struct{}{}:
	default:
	}
	return nil
}

// Pause stops a process between two events or before a disk call, until [Host.Resume]. It fails with
// ErrNoProcess.
func (h *Host) Pause(process string) error { return h.setPaused(process, true) }

// Resume continues a paused process. It fails with ErrNoProcess.
func (h *Host) Resume(process string) error { return h.setPaused(process, false) }

// setPaused pauses or resumes a process.
func (h *Host) setPaused(process string, on bool) error {
	p := h.byName[process]
	if p == nil {
		return fmt.Errorf("pausing: %w: %q", hostapi.ErrNoProcess, process)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.isPaused = on
	p.gate.Set(on)
	return nil
}

// SetClock makes the machine's clocks wrong from now on: the wall clock by offset, the rate of both
// clocks by driftPPM (within ±100,000). The effect of earlier drifts stays. The setting survives a
// restart of the program.
func (h *Host) SetClock(offset time.Duration, driftPPM int64) error {
	if driftPPM > maxDriftPPM || driftPPM < -maxDriftPPM {
		return fmt.Errorf("setting the clock: a drift of %d ppm is beyond ±%d", driftPPM, maxDriftPPM)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.savedState.Skew = h.clock.setSkew(offset, driftPPM)
	for _, p := range h.procs {
		p.inbox.wakeLoop()
	}
	if err := h.savedState.save(h.machineRoot); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}
