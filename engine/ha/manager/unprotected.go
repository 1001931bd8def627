package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// The lock of a node proves that the node is dead only if its LRM held lock and watchdog while the
// service was there. A guest can run on a node without that: it ran before it was configured for HA, it
// has just arrived by live migration, its LRM was just restarted, or HA was disarmed. Such a service is
// unprotected until the LRM of its node was seen active. If the node disappears, the master does not
// recover an unprotected service.

// markUnprotected records that a guest may run on its node without protection. A status that the LRM
// wrote earlier proves nothing about the guest: the machine may have been reset since, and may accept
// guests again although its new LRM can neither take the lock nor report that, for example because its
// store cannot write.
//
// So the guest counts as protected only when the LRM reports that it is active in a status that was
// written after everything that the manager knows now. For example, the guest arrives when the store is
// at revision 40: a status that the LRM wrote at 38 proves nothing, a status that it writes at 43 does.
// Without an order of writes the last status counts.
func (m *Manager) markUnprotected(sd *ha.ServiceStatus) {
	sd.Unprotected = m.unprotectedMark()
	if m.protectedSince(sd) {
		sd.Unprotected = 0
	}
}

// neverProtected is the mark of a guest whose time of arrival is unknown.
const neverProtected ha.Int = 1 << 62

// unprotectedMark returns the value of [ha.ServiceStatus.Unprotected] for a guest that arrives now.
func (m *Manager) unprotectedMark() ha.Int {
	order, ok := m.env.(ha.WriteOrder)
	if !ok {
		return 1
	}
	now, err := order.Revision()
	if err != nil {
		m.env.Log(ha.LevelErr, "asking up to where the store is known: "+err.Error())
		return neverProtected
	}
	return max(1, ha.Int(now))
}

// protectedSince reports whether the LRM of the service's node has reported that it is active since the
// guest arrived.
func (m *Manager) protectedSince(sd *ha.ServiceStatus) bool {
	if !m.lrmArmed(sd.Node) {
		return false
	}
	_, ordered := m.env.(ha.WriteOrder)
	return !ordered || m.lrmWritten[sd.Node] > uint64(sd.Unprotected)
}

// lrmArmed reports whether the LRM of the node holds lock and watchdog and keeps them as long as a
// service is configured there. An LRM that releases them reports that in the same round. So the last
// report of an absent node still applies to the services that it had then: the node was protected when
// it left, and nothing survives on it when its lock has expired.
func (m *Manager) lrmArmed(node string) bool {
	return m.lrmStates[node] == ha.LRMActive && m.lrmModes[node] == ha.ModeActive
}

// noteProtected removes the mark from the services whose LRMs report that they are active.
func (m *Manager) noteProtected() {
	if m.status.Disarm != nil {
		return
	}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		if sd := m.status.ServiceStatus[sid]; sd.Unprotected != 0 && m.protectedSince(sd) {
			sd.Unprotected = 0
			delete(m.reportedUnprotected, sid)
		}
	}
}

// mustFence reports whether a service must be taken away from its node because the node has been away
// for too long.
func (m *Manager) mustFence(sid string, sd *ha.ServiceStatus) bool {
	if !m.nodes.awayForFenceDelay(sd.Node) {
		return false
	}
	if sd.Unprotected == 0 || m.settings.Decisions == ha.DecisionsUpstream ||
		m.env.NodeConfirmedDead(sd.Node) || m.seenStopped(sid, sd.Node) || !m.deviates(ha.DiffUnprotected) {
		return true
	}
	if !m.reportedUnprotected[sid] {
		m.reportedUnprotected[sid] = true
		m.env.Log(ha.LevelWarning, fmt.Sprintf(
			"service '%s' is not recovered from node '%s': "+
				"the node was not guarded by its watchdog when it left",
			sid, sd.Node))
	}
	return false
}

// seenStopped reports whether an external witness sees that the service does not run on the node. That
// does not change later, because an LRM without quorum starts nothing.
func (m *Manager) seenStopped(sid, node string) bool {
	witness, ok := m.env.(ha.GuestWitness)
	if !ok {
		return false
	}
	runs, known := witness.GuestRuns(sid, node)
	return known && !runs
}
