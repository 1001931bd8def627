package pve

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// The roles that a fault can be aimed at.
const (
	// RoleRepresentative is the representative of the latest ring that has quorum.
	RoleRepresentative = "representative"
	// RoleAcknowledger is the machine whose store has acknowledged a change last.
	RoleAcknowledger = "acknowledger"
	// RoleSource is the machine from which the stores of the latest epoch took their state.
	RoleSource = "source"
	// RoleMaster is the master of the HA manager.
	RoleMaster = "master"
	// RoleLockHolder is the machine that got its agent's lock last.
	RoleLockHolder = "lock-holder"
	// RoleMover is the machine from which a running service moves, or moved last.
	RoleMover = "mover"
)

// Roles implements scenarios.RoleJudge. Those of the HA manager exist only with it.
func (j judge) Roles() []string {
	roles := []string{RoleRepresentative, RoleAcknowledger, RoleSource}
	if j.subject.spec.HA != nil {
		roles = append(roles, RoleMaster, RoleLockHolder, RoleMover)
	}
	return roles
}

// WatchRoles implements scenarios.RoleJudge.
func (j judge) WatchRoles(*scenarios.Scenario) scenarios.RoleWatch {
	return &roleWatch{nodes: j.subject.nodeIDs()}
}

// roleWatch follows the roles of the engine.
type roleWatch struct {
	scenarios.RoleTable
	nodes  []ring.NodeID // by machine
	latest ring.ID       // the latest ring that has quorum
	epoch  ring.ID       // the latest epoch
}

// Observe implements scenarios.RoleWatch.
func (w *roleWatch) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case scenarios.Power:
		if !rec.On {
			w.loseAll(r.Machine)
		}
	case node.QuorumView:
		if rec.Quorate && rec.Ring.Compare(w.latest) > 0 {
			w.latest = rec.Ring
			w.giveNode(RoleRepresentative, rec.Ring.Rep)
		}
	case store.Installed:
		if rec.Epoch.Compare(w.epoch) > 0 {
			w.epoch = rec.Epoch
			w.giveNode(RoleSource, rec.Source)
		}
	case store.Acknowledged:
		w.Give(RoleAcknowledger, r.Machine)
	case haproc.CRMStateChange:
		w.set(RoleMaster, r.Machine, rec.State == ha.CRMMaster)
	case lock.Taken:
		if rec.Lock != haproc.ManagerLock {
			w.Give(RoleLockHolder, r.Machine)
		}
	case lock.Released:
		if rec.Lock != haproc.ManagerLock {
			w.Take(RoleLockHolder, r.Machine)
		}
	case haproc.MoveProgress:
		w.Give(RoleMover, r.Machine)
	}
}

func (w *roleWatch) set(role string, m env.MachineID, has bool) {
	if has {
		w.Give(role, m)
		return
	}
	w.Take(role, m)
}

// giveNode gives a role to the machine of a node.
func (w *roleWatch) giveNode(role string, n ring.NodeID) {
	if m := slices.Index(w.nodes, n); m >= 0 {
		w.Give(role, env.MachineID(m))
	}
}

// loseAll takes every role from a machine that was switched off, but for its lock: it stays in the store.
func (w *roleWatch) loseAll(m env.MachineID) {
	for _, role := range []string{RoleRepresentative, RoleAcknowledger, RoleSource, RoleMaster, RoleMover} {
		w.Take(role, m)
	}
}
