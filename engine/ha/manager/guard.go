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

// guard notes that a guest may run on its node, which is harmless if the LRM there is active.
func (m *Manager) guard(sd *ha.ServiceStatus) {
	sd.Unguarded = 1
	if m.guarding(sd.Node) {
		sd.Unguarded = 0
	}
}

// arrived notes that a running guest came to a node. What the LRM there said before proves nothing:
// its machine may have been reset since, and may have begun anew without being able to tell. The
// guest is guarded when that LRM says so anew.
func (m *Manager) arrived(sid string, sd *ha.ServiceStatus) {
	sd.Unguarded = 1
	m.saidBefore[sid] = m.lrmSaid[sd.Node]
}

// guarding: the LRM of the node holds lock and watchdog and keeps them as long as a service is
// configured there. An LRM that gives them back says so in the same round, so for a node that is
// away this still holds: it left guarded, and nothing survives on it when its lock has expired.
func (m *Manager) guarding(node string) bool {
	return m.lrmState[node] == "active" && m.modes[node] == ha.ModeActive
}

// noteGuarded takes over what the LRMs report.
func (m *Manager) noteGuarded() {
	if m.status.Disarm != nil {
		return
	}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		if sd.Unguarded != 0 && m.guarding(sd.Node) {
			if before, waits := m.saidBefore[sid]; waits && before == m.lrmSaid[sd.Node] {
				continue
			}
			delete(m.saidBefore, sid)
			sd.Unguarded = 0
			delete(m.unproven, sid)
		}
	}
}

// mustFence tells whether a service must be taken away from its node because the node has been away
// for too long.
func (m *Manager) mustFence(sid string, sd *ha.ServiceStatus) bool {
	if !m.nodes.offlineDelayed(sd.Node) {
		return false
	}
	if sd.Unguarded == 0 || m.env.NodeConfirmedDead(sd.Node) || m.seenStopped(sid, sd.Node) {
		return true
	}
	if !m.unproven[sid] {
		m.unproven[sid] = true
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
