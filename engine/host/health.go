package host

import (
	"fmt"
	"maps"
	"os"
	"sync"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
)

// Health returns the present state of the host.
func (h *Host) Health() hostapi.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := hostapi.Health{Machine: int(h.cfg.Machine), Name: h.cfg.Name, PID: os.Getpid(),
		Boot:   h.savedState.Boot,
		Uptime: kernel.Now() - h.started, RecordsLost: h.records.Lost(), Timescale: h.cfg.Timescale,
		Nodes: h.cfg.Nodes}
	for _, p := range h.procs {
		out.Processes = append(out.Processes, p.health())
	}
	for _, s := range h.apiServers {
		out.Listeners = append(out.Listeners, s.Health())
	}
	return out
}

// health returns the state of a process. The caller holds the host's lock.
func (p *proc) health() hostapi.ProcessHealth {
	s := &p.stats
	return hostapi.ProcessHealth{Name: p.spec.Name, State: p.state(), Ended: p.endReason,
		Incarnation: p.host.savedState.Incarnations[p.spec.Name],
		Received:    s.received.Load(), Sent: s.sent.Load(), SendErrors: s.sendErrors.Load(),
		QueueOverflows: s.overflows.Load(), UnknownSources: s.unknownSource.Load(),
		Strangers:       s.strangers.list(),
		OperationsGiven: p.ops.givenCount(), Probes: p.probes.counts()}
}

// state returns whether and how a process runs. The caller holds the host's lock.
func (p *proc) state() hostapi.ProcessState {
	switch {
	case !p.isUp:
		return hostapi.StateDown
	case p.isPaused:
		return hostapi.StatePaused
	case !p.startReturned:
		return hostapi.StateStarting
	}
	return hostapi.StateRunning
}

// givenCount returns how many operations the process was given.
func (o *clientOperations) givenCount() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return uint64(o.nextID)
}

// maxProbes bounds the different probes of one process.
const maxProbes = 4096

// probes count the rare paths that a process reached.
type probes struct {
	mu       sync.Mutex
	hitsByID map[string]uint64
}

// countHit counts a probe.
func (p *probes) countHit(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hitsByID == nil {
		p.hitsByID = map[string]uint64{}
	}
	if _, known := p.hitsByID[id]; !known && len(p.hitsByID) >= maxProbes {
		panic(fmt.Sprintf("host: more than %d different probes: %q is made at run time", maxProbes, id))
	}
	p.hitsByID[id]++
}

// counts returns the number of hits of each probe.
func (p *probes) counts() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hitsByID)
}
