package manager

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Times of the node view, in seconds.
const (
	// FenceDelaySeconds is how long a node must be away before its services are fenced.
	FenceDelaySeconds = 60
	// goneSeconds is how long a node that left the cluster is remembered.
	goneSeconds = 3600
)

// nodeView is the master's view of the nodes.
type nodeView struct {
	env        ha.CRMEnv
	status     map[string]ha.NodeState
	lastOnline map[string]int64
}

// newNodeView continues from the states that the previous master left. The time at which that master
// last saw a node is not known, so the fence delay of absent nodes starts again.
func newNodeView(env ha.CRMEnv, states map[string]ha.NodeState) *nodeView {
	view := &nodeView{env: env, status: map[string]ha.NodeState{}, lastOnline: map[string]int64{}}
	now := env.NowSeconds()
	for node, state := range states {
		view.status[node] = state
		view.lastOnline[node] = now
	}
	return view
}

// state returns the state of a node, without an entry for a node that was never seen.
func (v *nodeView) state(node string) ha.NodeState {
	if state, ok := v.status[node]; ok {
		return state
	}
	return ha.NodeUnknown
}

func (v *nodeView) set(node string, state ha.NodeState) {
	old := v.state(node)
	if old == state {
		return
	}
	v.status[node] = state
	v.env.Log(ha.LevelInfo, fmt.Sprintf("node '%s': state changed from '%s' => '%s'", node, old, state))
}

// list returns all known nodes, sorted.
func (v *nodeView) list() []string {
	nodes := make([]string, 0, len(v.status))
	for node := range v.status {
		nodes = append(nodes, node)
	}
	sort.Strings(nodes)
	return nodes
}

// online returns the nodes that can take services, sorted.
func (v *nodeView) online() []string {
	var nodes []string
	for _, node := range v.list() {
		if v.isOnline(node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func (v *nodeView) isOnline(node string) bool { return v.state(node) == ha.NodeOnline }

// operational reports whether the node is present, possibly in maintenance.
func (v *nodeView) operational(node string) bool {
	state := v.state(node)
	return state == ha.NodeOnline || state == ha.NodeMaintenance
}

// offlineDelayed reports whether the node has not been online for the fence delay.
func (v *nodeView) offlineDelayed(node string) bool {
	if v.isOnline(node) {
		return false
	}
	last, known := v.lastOnline[node]
	if !known {
		return false
	}
	return v.env.NowSeconds()-last >= FenceDelaySeconds
}

// update applies what the membership and the LRMs report.
func (v *nodeView) update(info map[string]ha.NodeInfo, modes map[string]ha.Mode) {
	now := v.env.NowSeconds()
	for _, node := range sortedKeys(info) {
		if !info[node].Online {
			continue
		}
		v.lastOnline[node] = now
		maintenance := modes[node] == ha.ModeMaintenance
		switch v.state(node) {
		case ha.NodeOnline:
			if maintenance {
				v.set(node, ha.NodeMaintenance)
			}
		case ha.NodeMaintenance:
			if !maintenance {
				v.set(node, ha.NodeOnline)
			}
		case ha.NodeFence:
			// stays until the lock proves that it was reset
		default:
			v.set(node, ha.NodeOnline)
		}
	}
	for _, node := range v.list() {
		member, listed := info[node]
		if listed && member.Online {
			continue
		}
		v.updateAbsent(node, listed, modes[node], now)
	}
}

func (v *nodeView) updateAbsent(node string, listed bool, mode ha.Mode, now int64) {
	switch v.state(node) {
	case ha.NodeFence:
		return
	case ha.NodeMaintenance:
		if mode == ha.ModeMaintenance {
			return // it announced that it goes away
		}
		v.set(node, ha.NodeUnknown)
	case ha.NodeOnline:
		v.set(node, ha.NodeUnknown)
	case ha.NodeGone:
		last, known := v.lastOnline[node]
		if !known {
			v.lastOnline[node] = now
		} else if now-last > goneSeconds {
			delete(v.status, node)
			delete(v.lastOnline, node)
			v.env.Log(ha.LevelNotice, fmt.Sprintf("deleting gone node '%s', not a cluster member anymore.",
				node))
		}
	default:
		if !listed {
			v.set(node, ha.NodeGone)
		}
	}
}

// fence tries to prove that a node is dead. It returns true once this node holds its agent lock.
func (v *nodeView) fence(node string, manager *ha.ManagerStatus) bool {
	if v.state(node) != ha.NodeFence {
		v.set(node, ha.NodeFence)
		v.env.Notify(ha.FenceNotice{
			Step: ha.FenceStarted, Subject: fmt.Sprintf("Try to fence node '%s'", node), Node: node,
			Manager: manager,
		})
	}
	if !v.env.AcquireNodeLock(node) {
		return false
	}
	message := fmt.Sprintf("fencing: acknowledged - got agent lock for node '%s'", node)
	v.env.Log(ha.LevelInfo, message)
	v.set(node, ha.NodeUnknown)
	v.env.Notify(ha.FenceNotice{Step: ha.FenceSucceeded, Subject: message, Node: node, Manager: manager})
	return true
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
