package pve_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/sim"
)

func TestRolesFollowTheRecords(t *testing.T) {
	s, subject := load(t, "ha-master-hunted")
	require.Equal(t, []string{pve.RoleAcknowledger, pve.RoleLockHolder, pve.RoleMaster, pve.RoleMover,
		pve.RoleRepresentative, scenarios.RoleServing, pve.RoleSource}, scenarios.RolesOf(subject))
	_, plain := load(t, "standard")
	require.NotContains(t, scenarios.RolesOf(plain), pve.RoleMaster, "there is no HA manager")

	w := subject.Judge().(scenarios.RoleJudge).WatchRoles(s)
	holders := func() map[string]int {
		found := map[string]int{}
		for _, role := range scenarios.RolesOf(subject) {
			if m, has := w.Holder(role); has {
				found[role] = int(m)
			}
		}
		return found
	}
	require.Empty(t, holders())
	for _, r := range []scenarios.Stamped{
		{Machine: 0, Record: node.QuorumView{Ring: ring.ID{Seq: 8, Rep: 2}, Quorate: true}},
		{Machine: 0, Record: node.QuorumView{Ring: ring.ID{Seq: 12, Rep: 1}}}, // has no quorum
		{Machine: 4, Record: node.QuorumView{Ring: ring.ID{Seq: 4, Rep: 1}, Quorate: true}},
		{Machine: 0, Record: store.Installed{Epoch: ring.ID{Seq: 8, Rep: 2}, Source: 3}},
		{Machine: 3, Record: store.Acknowledged{}},
		{Machine: 1, Record: haproc.CRMStateChange{State: ha.CRMMaster}},
		{Machine: 2, Record: haproc.CRMStateChange{State: ha.CRMSlave}},
		{Machine: 4, Record: lock.Taken{Lock: haproc.AgentLock("n5")}},
		{Machine: 1, Record: lock.Taken{Lock: haproc.ManagerLock}},
		{Machine: 2, Record: haproc.MoveProgress{}},
	} {
		w.Observe(r)
	}
	require.Equal(t, map[string]int{pve.RoleRepresentative: 1, pve.RoleSource: 2, pve.RoleAcknowledger: 3,
		pve.RoleMaster: 1, pve.RoleLockHolder: 4, pve.RoleMover: 2}, holders())
	w.Observe(scenarios.Stamped{Machine: 1, Record: scenarios.Power{}})
	w.Observe(scenarios.Stamped{Machine: 4, Record: scenarios.Power{}})
	require.Equal(t, map[string]int{pve.RoleSource: 2, pve.RoleAcknowledger: 3, pve.RoleLockHolder: 4,
		pve.RoleMover: 2}, holders(), "a lock outlives its holder's power")
	w.Observe(scenarios.Stamped{Machine: 4, Record: lock.Released{Lock: haproc.AgentLock("n5")}})
	_, held := w.Holder(pve.RoleLockHolder)
	require.False(t, held)
}

// TestMasterIsHit compares what a fault hit with the machine that had become master last.
func TestMasterIsHit(t *testing.T) {
	s, subject := load(t, "ha-master-hunted")
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	for _, a := range run.Applied[:3] {
		require.Equal(t, pve.RoleMaster, a.Fault.Role)
		master := ""
		for _, r := range run.Records {
			change, is := r.Record.(haproc.CRMStateChange)
			if is && r.At < a.Begun[0] && change.State == ha.CRMMaster {
				master = s.Machines[r.Machine]
			}
		}
		hit := append(a.Fault.Machines, nil...)
		for _, group := range a.Fault.Groups {
			hit = append(hit, group...)
		}
		require.Equal(t, []string{master}, hit, "at %v", a.Begun[0].Round(time.Second))
		require.False(t, a.WithoutEffect())
	}
}
