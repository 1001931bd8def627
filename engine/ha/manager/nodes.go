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

// LockLifeSeconds is how long the lock of a node lives without renewal.
const LockLifeSeconds = 120

// nodeStates is the master's view of the nodes.
type nodeStates struct {
	env         ha.CRMEnv
	stateByNode map[string]ha.NodeState
	// lastOnline is when this master saw a node online, or since when it knows that the node is away.
	lastOnline map[string]int64
	// atTakeover are the nodes whose lastOnline is the time of the takeover, until this master asks for it.
	atTakeover map[string]bool
	// neverSeen are nodes that this master asked about and that no master has seen online.
	neverSeen map[string]bool
	// deviates reports whether a deliberate difference from Proxmox VE's manager applies.
	deviates func(ha.Difference) bool
}

// newNodeStates continues from the states that the previous master left.
func newNodeStates(env ha.CRMEnv, old *ha.ManagerStatus, deviates func(ha.Difference) bool) *nodeStates {
	view := &nodeStates{env: env, stateByNode: map[string]ha.NodeState{}, lastOnline: map[string]int64{},
		atTakeover: map[string]bool{}, neverSeen: map[string]bool{}, deviates: deviates}
	for node, state := range old.NodeStatus {
		view.stateByNode[node] = state
	}
	for _, node := range old.NeverSeen {
		view.neverSeen[node] = true
	}
	return view
}

// countFromTakeover starts the absence of the nodes that an earlier master has seen. When that master saw
// them last is not known, so the fence delay of absent nodes starts again. The absence of a node that no
// master has seen starts when this master first asks.
func (v *nodeStates) countFromTakeover() {
	for node := range v.stateByNode {
		if !v.neverSeen[node] {
			v.lastOnline[node], v.atTakeover[node] = v.env.NowSeconds(), true
		}
	}
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

// awayForFenceDelay reports whether the node has not been online for the fence delay.
func (v *nodeStates) awayForFenceDelay(node string) bool {
	return v.awayFor(node, FenceDelaySeconds)
}

// awayFor reports whether the node has not been online for this time, as far as this master knows. The
// absence of a node that it knows nothing of starts with the first question. Otherwise the services of a
// node that no master has seen would wait for it forever.
func (v *nodeStates) awayFor(node string, seconds int64) bool {
	if v.isOnline(node) {
		return false
	}
	now := v.env.NowSeconds()
	last, known := v.lastOnline[node]
	if !known {
		v.lastOnline[node] = now
		if v.stateByNode[node] == "" {
			v.neverSeen[node] = true
		}
		return false
	}
	if v.atTakeover[node] {
		delete(v.atTakeover, node)
		if now > last && !v.deviates(ha.DiffTakeoverClock) {
			v.lastOnline[node] = now
			return false
		}
	}
	return now-last >= seconds
}

// lockCanProveDeath reports whether the lock of a node can prove its death now. The lock of a node that was
// seen online is either renewed or was given back by an agent that had ended everything. The lock of a node
// that no master has seen, absent or not, proves something only after this master has watched it for its
// whole life: an agent whose renewals this master has not seen would have lost it by then. A fence device
// proves the death at any time.
func (v *nodeStates) lockCanProveDeath(node string) bool {
	if !v.neverSeen[node] || v.awayFor(node, LockLifeSeconds) {
		return true
	}
	return !v.deviates(ha.DiffNeverSeen) || v.env.NodeConfirmedDead(node)
}

// differFrom reports whether the nodes of the membership are others than those that are known.
func (v *nodeStates) differFrom(info map[string]ha.NodeInfo) bool {
	for node := range info {
		if v.stateByNode[node] == "" {
			return true
		}
	}
	for node := range v.stateByNode {
		if _, listed := info[node]; !listed {
			return true
		}
	}
	return false
}

// updateFrom applies what the membership and the LRMs report.
func (v *nodeStates) updateFrom(info map[string]ha.NodeInfo, modes map[string]ha.Mode) {
	now := v.env.NowSeconds()
	for _, node := range sortedKeys(info) {
		if !info[node].Online {
			continue
		}
		v.lastOnline[node] = now
		delete(v.atTakeover, node)
		delete(v.neverSeen, node)
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
		v.updateAbsent(node, listed, modes[node])
	}
}

func (v *nodeStates) updateAbsent(node string, listed bool, mode ha.Mode) {
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
		if v.awayFor(node, goneSeconds) {
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
	if !v.lockCanProveDeath(node) || !v.env.AcquireNodeLock(node) {
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
