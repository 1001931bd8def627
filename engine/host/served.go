package host

import (
	"context"
	"net/http"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// MachineOf returns a host as its API shows it.
func MachineOf(h *Host) hostapi.Machine { return served{h} }

// served is a host as its API shows it. It implements hostapi.Machine.
type served struct{ *Host }

// API returns what a process declares about the operations of its clients; nothing for one that does not
// exist.
func (s served) API(process string) hostapi.ProcessAPI {
	if p := s.byName[process]; p != nil {
		return p.spec.API
	}
	return hostapi.ProcessAPI{}
}

// Ready reports whether the machine serves its clients.
func (s served) Ready(ctx context.Context) hostapi.Readiness {
	if s.cfg.Ready != nil {
		return s.cfg.Ready(ctx, s.Host)
	}
	health := s.Health()
	return health.AllRunning()
}

// ServeMetrics answers a request to hostapi.PathMetrics.
func (s served) ServeMetrics(w http.ResponseWriter, r *http.Request) {
	if s.metrics == nil {
		http.Error(w, "this program has no metrics", http.StatusNotFound)
		return
	}
	s.metrics.ServeHTTP(w, r)
}
