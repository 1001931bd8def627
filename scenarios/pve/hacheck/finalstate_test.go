package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
)

// TestFinalStateHasEveryService compares what is configured, what the manager knows and what runs.
func TestFinalStateHasEveryService(t *testing.T) {
	cd := config.DefaultService("vm")
	cd.State = ha.WantStarted
	services := map[string]*ha.ServiceConfig{"vm:100": cd}
	status := func(state ha.ServiceState) *ha.ManagerStatus {
		s := ha.NewManagerStatus()
		s.ServiceStatus["vm:100"] = &ha.ServiceStatus{State: state, Node: "n1"}
		return s
	}
	for _, c := range []struct {
		status *ha.ManagerStatus
		kind   linearizability.Kind
	}{
		{status(ha.Started), ""},
		{ha.NewManagerStatus(), ForgottenService},
		{status(ha.Error), LostService},
		{status(ha.Freeze), LostService},
		{status(ha.Fence), LostService},
		{status(ha.Recovery), LostService},
	} {
		x := running(t)
		x.ends(c.status, services)
		want := invalid
		if c.kind == "" {
			want = valid
		}
		x.require(finalState{}, want, c.kind)
	}
	x := running(t)
	x.at(300, 0, resource.Active{SID: "vm:100"})
	x.ends(status(ha.Started), services)
	x.require(finalState{}, invalid, LostService)
	for taken, want := range map[int]linearizability.Validity{1850: valid, 1700: invalid} {
		x = running(t) // its node's agent waited until two minutes later
		x.at(300, 0, resource.Active{SID: "vm:100"})
		x.change(taken, "n2/crm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
		x.ends(status(ha.Started), services)
		x.require(finalState{}, want, LostService)
	}
	x = running(t)
	cd.State = ha.WantStopped
	x.ends(status(ha.Stopped), services)
	x.require(finalState{}, invalid, LostService)
}

// TestADisabledRuleIsNoRule for the final state.
func TestADisabledRuleIsNoRule(t *testing.T) {
	for rule, want := range map[string]linearizability.Validity{"": invalid, "\tdisable 1\n": valid} {
		x := running(t)
		x.cluster.HA.Rules = "node-affinity: far\n\tnodes n2,n3\n\tresources vm:100\n\tstrict 1\n" + rule
		cd := config.DefaultService("vm")
		cd.State = ha.WantStarted
		s := ha.NewManagerStatus()
		s.ServiceStatus["vm:100"] = &ha.ServiceStatus{State: ha.Started, Node: "n1"}
		x.ends(s, map[string]*ha.ServiceConfig{"vm:100": cd})
		x.require(finalState{}, want, LostService)
	}
}
