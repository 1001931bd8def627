package lrm

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// RequestShutdown asks the LRM to exit, because its program restarts or because the node goes down. In
// the second case the shutdown policy decides what happens to the services, also when the LRM is about to
// restart already.
func (l *LRM) RequestShutdown() {
	shutdown, reboot := l.env.NodeShutdown()
	if l.shutdownRequested && (l.nodeGoesDown || !shutdown || !l.deviates(ha.DiffRestartGoesDown)) {
		return
	}
	l.nodeGoesDown = shutdown
	policy := ha.PolicyConditional
	if settings, err := l.env.ReadDatacenter(); err != nil {
		l.env.Log(ha.LevelErr, fmt.Sprintf("unable to read the shutdown policy - %v", err))
	} else if settings.ShutdownPolicy != "" {
		policy = settings.ShutdownPolicy
	}
	if shutdown {
		l.env.Log(ha.LevelInfo, fmt.Sprintf("got shutdown request with shutdown policy '%s'", policy))
	}
	freeze := false
	switch policy {
	case ha.PolicyConditional:
		freeze = reboot
	case ha.PolicyFreeze:
		freeze = true
	case ha.PolicyFailover, ha.PolicyMigrate:
	default:
		l.env.Log(ha.LevelErr, fmt.Sprintf("unknown shutdown policy '%s', fall back to conditional", policy))
		freeze = reboot
	}
	kind := "shutdown"
	if reboot {
		kind = "reboot"
	}
	if shutdown && policy != ha.PolicyMigrate && !(l.maintenance && l.deviates(ha.DiffStopAtMaintenance)) {
		l.stopsServices = true
		l.queueStops()
	}
	switch {
	case !shutdown && l.maintenance:
		l.env.Log(ha.LevelInfo,
			"Restarting LRM in maintenance mode may be delayed until all services are moved")
		l.mode = ha.ModeMaintenance
	case !shutdown:
		l.env.Log(ha.LevelInfo, "restart LRM, freeze all services")
		l.mode = ha.ModeRestart
	case l.maintenance && policy == ha.PolicyMigrate:
		l.env.Log(ha.LevelInfo, kind+" LRM, ignore maintenance policy, already in maintenance mode")
		l.mode = ha.ModeMaintenance
	case l.maintenance:
		l.env.Log(ha.LevelInfo,
			fmt.Sprintf("%s LRM, ignore %s policy as manual maintenance mode is enabled", kind, policy))
		l.mode = ha.ModeMaintenance
	case policy == ha.PolicyMigrate:
		l.env.Log(ha.LevelInfo, kind+" LRM, doing maintenance, removing this node from active list")
		l.mode = ha.ModeMaintenance
	case freeze:
		l.env.Log(ha.LevelInfo, kind+" LRM, stop and freeze all services")
		l.mode = ha.ModeRestart
	default:
		l.env.Log(ha.LevelInfo, "shutdown LRM, stop all services")
		l.mode = ha.ModeShutdown
	}
	l.shutdownRequested = true
	if !l.writeStatus() {
		l.env.Log(ha.LevelErr, "unable to update lrm status file - not quorate?")
	}
}

// declineMoves answers the moves from this node that have not started. An LRM that restarts starts none,
// and the manager freezes a service only when it is not moving.
func (l *LRM) declineMoves() {
	for sid, sd := range l.services {
		if !sd.State.Moving() || sd.Node != l.env.NodeName() || sd.UID == "" || l.jobBySID[sid] != nil {
			continue
		}
		if _, answered := l.resultByUID[sd.UID]; !answered && l.deviates(ha.DiffDeclinedMoves) {
			l.resultByUID[sd.UID] = ha.LRMResult{SID: sid, State: sd.State, ExitCode: ha.ExitError}
		}
	}
}

// mayLeaveGuestsRunning reports whether something of this node may run when the LRM has ended: a stop
// failed, or there was none.
func (l *LRM) mayLeaveGuestsRunning() bool { return l.stopErrors > 0 || l.hasLateArrivals() }

// leavesUnstopped reports whether services may run on this node that an LRM without lock does not stop: one
// before it has left them running, frozen or in error, or they were never let go.
func (l *LRM) leavesUnstopped() bool {
	if l.activeServices() > 0 {
		return true
	}
	for _, sd := range l.services {
		if l.stopsServices && sd.Node == l.env.NodeName() && (sd.State == ha.Freeze || sd.State == ha.Error) {
			return true
		}
	}
	return false
}

// hasLateArrivals reports whether a service has come to this node after the LRM had queued its stops: its
// move was under way. Nothing stops it, so it runs until the machine goes off.
func (l *LRM) hasLateArrivals() bool {
	if !l.stopsServices {
		return false
	}
	for sid, sd := range l.services {
		if sd.Node == l.env.NodeName() && !l.stopsQueued[sid] {
			return true
		}
	}
	return false
}

// queueStops queues a stop for every service of this node: the services end with the node, and an
// orderly stop is better than a power loss. The jobs have no uid, so the manager gets no results.
func (l *LRM) queueStops() {
	sids := make([]string, 0, len(l.services))
	for sid := range l.services {
		sids = append(sids, sid)
	}
	sort.Strings(sids)
	for _, sid := range sids {
		if l.services[sid].Node == l.env.NodeName() {
			l.stopsQueued[sid] = true
			l.queueCommand(Command{SID: sid, State: ha.RequestStop})
		}
	}
}
