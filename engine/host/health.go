package host

import (
	"fmt"
	"maps"
	"os"
	"sync"
	"time"
)

// Health is the state of a host.
type Health struct {
	Machine   int             `json:"machine"`
	Name      string          `json:"name"`
	PID       int             `json:"pid"`
	Boot      uint64          `json:"boot"`
	Uptime    time.Duration   `json:"uptime_ns"`
	Processes []ProcessHealth `json:"processes"`
	// RecordsLost counts records that could not be written.
	RecordsLost uint64 `json:"records_lost"`
}

// ProcessHealth is the state of one process.
type ProcessHealth struct {
	Name        string       `json:"name"`
	State       ProcessState `json:"state"`
	Incarnation uint64       `json:"incarnation"`
	// Ended is why its last incarnation ended by itself; "" if none did.
	Ended string `json:"ended,omitempty"`

	Received        uint64 `json:"received"`
	Sent            uint64 `json:"sent"`
	SendErrors      uint64 `json:"send_errors"`
	QueueOverflows  uint64 `json:"queue_overflows"`
	UnknownSources  uint64 `json:"unknown_sources"`
	OperationsGiven uint64 `json:"operations_given"`

	Probes map[string]uint64 `json:"probes,omitempty"`
}

// ProcessState is whether a process runs.
type ProcessState string

const (
	// StateStarting has not returned from its Start yet.
	StateStarting ProcessState = "starting"
	// StateRunning takes events.
	StateRunning ProcessState = "running"
	// StatePaused was paused with [Host.Pause].
	StatePaused ProcessState = "paused"
	// StateDown has ended and was not started again yet.
	StateDown ProcessState = "down"
)

// Health returns the present state of the host.
func (h *Host) Health() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := Health{Machine: int(h.cfg.Machine), Name: h.cfg.Name, PID: os.Getpid(), Boot: h.state.Boot,
		Uptime: kernelNow() - h.started, RecordsLost: h.records.lost.Load()}
	for _, p := range h.procs {
		out.Processes = append(out.Processes, p.health())
	}
	return out
}

func (p *proc) health() ProcessHealth {
	s := &p.stats
	return ProcessHealth{Name: p.spec.Name, State: p.state(), Ended: p.ended,
		Incarnation: p.host.state.Incarnations[p.spec.Name],
		Received:    s.received.Load(), Sent: s.sent.Load(), SendErrors: s.sendErrors.Load(),
		QueueOverflows: s.overflows.Load(), UnknownSources: s.unknownSource.Load(),
		OperationsGiven: p.ops.given(), Probes: p.probes.counts()}
}

func (p *proc) state() ProcessState {
	switch {
	case !p.up:
		return StateDown
	case p.paused:
		return StatePaused
	case !p.running:
		return StateStarting
	}
	return StateRunning
}

func (o *ops) given() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return uint64(o.next)
}

// maxProbes bounds the different probes of one process.
const maxProbes = 4096

// probes count the rare paths that a process reached.
type probes struct {
	mu   sync.Mutex
	hits map[string]uint64
}

func (p *probes) hit(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hits == nil {
		p.hits = map[string]uint64{}
	}
	if _, known := p.hits[id]; !known && len(p.hits) >= maxProbes {
		panic(fmt.Sprintf("host: more than %d different probes: %q is made at run time", maxProbes, id))
	}
	p.hits[id]++
}

func (p *probes) counts() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hits)
}

// Kill ends a process as a crash would: it gets no further event, and nothing that it still does has an
// effect. It stays down until [Host.Start]. It fails with ErrNoProcess.
func (h *Host) Kill(process string) error {
	p := h.byName[process]
	if p == nil {
		return fmt.Errorf("killing: %w: %q", ErrNoProcess, process)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.held = true
	h.markDown(p)
	return nil
}

// Start starts a process that is down; it does nothing if the process is up. The new incarnation starts
// once the old one has left its last Step. It fails with ErrNoProcess.
func (h *Host) Start(process string) error {
	p := h.byName[process]
	if p == nil {
		return fmt.Errorf("starting: %w: %q", ErrNoProcess, process)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.held = false
	if p.up {
		return nil
	}
	select {
	case p.restart <- struct{}{}:
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
		return fmt.Errorf("pausing: %w: %q", ErrNoProcess, process)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.paused = on
	p.gate.set(on)
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
	h.state.Skew = h.clock.set(offset, driftPPM)
	for _, p := range h.procs {
		p.inbox.nudge()
	}
	if err := h.state.save(h.top); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}

const maxDriftPPM = 100_000
