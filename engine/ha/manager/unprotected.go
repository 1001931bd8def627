package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// The lock of a node proves that the node is dead only if its LRM held lock and watchdog while the
// service was there. A guest can run on a node without that: it ran before it was configured for
// HA, it arrived there by live migration a moment ago, its LRM was just restarted, or HA was
// disarmed. Such a service is unguarded until the LRM of its node was seen active; while it is, it
// is not taken away from a node that disappears.

// markUnprotected notes that a guest may run on its node. What the LRM there said before proves nothing about
// the guest: the machine may have been reset since, and may take in guests again although its new LRM
// can neither take the lock nor say so, for instance because its store cannot write. So the guest is
// guarded when that LRM says that it is active in a status that was written later than everything the
// manager knows of now. Where writes have no order, its last word has to do.
func (m *Manager) markUnprotected(sd *ha.ServiceStatus) {
	sd.Unprotected = m.unprotectedMark()
	if m.protectedSince(sd) {
		sd.Unprotected = 0
	}
}

// neverProtected is the mark of a guest of which nobody knows when it came.
const neverProtected ha.Int = 1 << 62

// unprotectedMark is what [ha.ServiceStatus.Unprotected] holds of a guest that comes now.
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

// protectedSince: the LRM of the service's node has said that it is active since the guest came.
func (m *Manager) protectedSince(sd *ha.ServiceStatus) bool {
	if !m.lrmArmed(sd.Node) {
		return false
	}
	_, ordered := m.env.(ha.WriteOrder)
	return !ordered || m.lrmWritten[sd.Node] > uint64(sd.Unprotected)
}

// guarding: the LRM of the node holds lock and watchdog and keeps them as long as a service is
// configured there. An LRM that gives them back says so in the same round, so for a node that is
// away this still holds for what was there at that time: it left guarded, and nothing survives on it
// when its lock has expired.
func (m *Manager) lrmArmed(node string) bool {
	return m.lrmState[node] == ha.LRMActive && m.modes[node] == ha.ModeActive
}

// noteProtected takes over what the LRMs report.
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

// mustFence tells whether a service must be taken away from its node because the node has been away
// for too long.
func (m *Manager) mustFence(sid string, sd *ha.ServiceStatus) bool {
	if !m.nodes.offlineDelayed(sd.Node) {
		return false
	}
	if sd.Unprotected == 0 || m.env.NodeConfirmedDead(sd.Node) || m.seenStopped(sid, sd.Node) {
		return true
	}
	if !m.reportedUnprotected[sid] {
		m.reportedUnprotected[sid] = true
		m.env.Log(ha.LevelWarning, fmt.Sprintf(
			"service '%s' is not recovered from node '%s': the node was not guarded by its watchdog when it left", sid, sd.Node))
	}
	return false
}

// seenStopped: somebody who can tell says that the service does not run there. It stays so, since an
// LRM that is cut off starts nothing.
func (m *Manager) seenStopped(sid, node string) bool {
	witness, ok := m.env.(ha.GuestWitness)
	if !ok {
		return false
	}
	runs, known := witness.GuestRuns(sid, node)
	return known && !runs
}
