package main

import (
	"context"
	"slices"
	"time"

	hadaemon "github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/initd"
)

// endPoll is how often a process that is ending is looked at.
const endPoll = 50 * time.Millisecond

// endInGoodOrder ends the HA manager for a restart of the daemon, for example an update: services
// continue to run, frozen until the daemon is back, and the watchdog is disarmed. Otherwise the end of the
// daemon would reset the machine.
func endInGoodOrder(ctx context.Context, h *host.Host) {
	for _, service := range []string{hadaemon.LRMProcess, hadaemon.CRMProcess} {
		if !isRunning(h, service) {
			continue
		}
		request := initd.Request{Verb: initd.Stop, Service: service}
		if _, err := h.Invoke(ctx, initd.Process, request.Encode()); err != nil {
			return
		}
		for isRunning(h, service) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(endPoll):
			}
		}
	}
}

// isRunning reports whether a process of the host runs.
func isRunning(h *host.Host, name string) bool {
	return slices.ContainsFunc(h.Health().Processes, func(p hostapi.ProcessHealth) bool {
		return p.Name == name && p.State != hostapi.StateDown
	})
}
