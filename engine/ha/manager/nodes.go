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

// nodeStates is the master's view of the nodes.
type nodeStates struct {
	env         ha.CRMEnv
	stateByNode map[string]ha.NodeState
	lastOnline  map[string]int64
}

// newNodeStates continues from the states that the previous master left. The time at which that master
// last saw a node is not known, so the fence delay of absent nodes starts again.
func newNodeStates(env ha.CRMEnv, states map[string]ha.NodeState) *nodeStates {
	view := &nodeStates{env: env, stateByNode: map[string]ha.NodeState{}, lastOnline: map[string]int64{}}
	now := env.NowSeconds()
	for node, state := range states {
		view.stateByNode[node] = state
		view.lastOnline[node] = now
	}
	return view
}

// stateOf returns the state of a node, without an entry for a node that was never seen.
func (v *nodeStates) stateOf(node string) ha.NodeState {
	if state, ok := v.stateByNode[node]; ok {
		return state
	}
	return ha.NodeUnknown
}

func (v *nodeStates) setState(node string, state ha.NodeState) {
	old := v.stateOf(node)
	if old == state {
		return
	}
	v.stateByNode[node] = state
	v.env.Log(ha.LevelInfo, fmt.Sprintf("node '%s': state changed from '%s' => '%s'", node, old, state))
}

// knownNodes returns all known nodes, sorted.
func (v *nodeStates) knownNodes() []string {
	nodes := make([]string, 0, len(v.stateByNode))
	for node := range v.stateByNode {
		nodes = append(nodes, node)
	}
	sort.Strings(nodes)
	return nodes
}

// onlineNodes returns the nodes that can take services, sorted.
func (v *nodeStates) onlineNodes() []string {
	var nodes []string
	for _, node := range v.knownNodes() {
		if v.isOnline(node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func (v *nodeStates) isOnline(node string) bool { return v.stateOf(node) == ha.NodeOnline }

// operational reports whether the node is present, possibly in maintenance.
func (v *nodeStates) operational(node string) bool {
	state := v.stateOf(node)
	return state == ha.NodeOnline || state == ha.NodeMaintenance
}

// offlineDelayed reports whether the node has not been online for the fence delay.
func (v *nodeStates) offlineDelayed(node string) bool {
	if v.isOnline(node) {
		return false
	}
	last, known := v.lastOnline[node]
	if !known {
		return false
	}
	return v.env.NowSeconds()-last >= FenceDelaySeconds
}

// updateFrom applies what the membership and the LRMs report.
func (v *nodeStates) updateFrom(info map[string]ha.NodeInfo, modes map[string]ha.Mode) {
	now := v.env.NowSeconds()
	for _, node := range sortedKeys(info) {
		if !info[node].Online {
			continue
		}
		v.lastOnline[node] = now
		maintenance := modes[node] == ha.ModeMaintenance
		switch v.stateOf(node) {
		case ha.NodeOnline:
			if maintenance {
				v.setState(node, ha.NodeMaintenance)
			}
		case ha.NodeMaintenance:
			if !maintenance {
				v.setState(node, ha.NodeOnline)
			}
		case ha.NodeFence:
			// stays until the lock proves that it was reset
		default:
			v.setState(node, ha.NodeOnline)
		}
	}
	for _, node := range v.knownNodes() {
		member, listed := info[node]
		if listed && member.Online {
			continue
		}
		v.updateAbsent(node, listed, modes[node], now)
	}
}

func (v *nodeStates) updateAbsent(node string, listed bool, mode ha.Mode, now int64) {
	switch v.stateOf(node) {
	case ha.NodeFence:
		return
	case ha.NodeMaintenance:
		if mode == ha.ModeMaintenance {
			return // it announced that it goes away
		}
		v.setState(node, ha.NodeUnknown)
	case ha.NodeOnline:
		v.setState(node, ha.NodeUnknown)
	case ha.NodeGone:
		last, known := v.lastOnline[node]
		if !known {
			v.lastOnline[node] = now
		} else if now-last > goneSeconds {
			delete(v.stateByNode, node)
			delete(v.lastOnline, node)
			v.env.Log(ha.LevelNotice, fmt.Sprintf("deleting gone node '%s', not a cluster member anymore.",
				node))
		}
	default:
		if !listed {
			v.setState(node, ha.NodeGone)
		}
	}
}

// tryFence tries to prove that a node is dead. It returns true once this node holds its agent lock.
func (v *nodeStates) tryFence(node string, manager *ha.ManagerStatus) bool {
	if v.stateOf(node) != ha.NodeFence {
		v.setState(node, ha.NodeFence)
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
	v.setState(node, ha.NodeUnknown)
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
