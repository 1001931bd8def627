package hacheck

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestRecoveryIsJudgedByWhatConcernsIt: a storm elsewhere does not buy time.
func TestRecoveryIsJudgedByWhatConcernsIt(t *testing.T) {
	down := func(commands ...haspec.Command) *made {
		x := running(t, commands...)
		x.at(100, 0, resource.Active{SID: "vm:100"})
		return x
	}
	back := func(x *made, second int) *made {
		x.at(second, 2, resource.Active{SID: "vm:100", On: true})
		return x
	}
	back(down(), 335).require(recovery{}, valid, "")
	back(down(), 345).require(recovery{}, invalid, LostService)
	x := back(down(), 345)
	for second := 110; second < 340; second += 20 {
		x.fault(second, second+10, cut([]string{"n3"}))
	}
	x.require(recovery{}, invalid, LostService)
	x = back(down(), 345)
	x.fault(150, 160, cut([]string{"n2"})) // the master
	x.require(recovery{}, valid, "")
	x = back(down(), 345)
	x.fault(150, 160, cut([]string{"n1"})) // its own node
	x.require(recovery{}, valid, "")
	for second, want := range map[int]linearizability.Validity{455: valid,
		465: invalid} { // a lock's life more on the fenced node itself
		x = down()
		x.change(220, "n2/crm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
		x.at(second, 0, resource.Active{SID: "vm:100", On: true})
		x.require(recovery{}, want, LostService)
		x = down() // the same if its agent moves it away at last
		x.change(220, "n2/crm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
		x.change(second, "n1/lrm", "rename", haproc.GuestPath("vm:100", "n1"),
			haproc.GuestPath("vm:100", "n3"))
		x.at(second+1, 2, resource.Active{SID: "vm:100", On: true})
		x.require(recovery{}, want, LostService)
	}
	x = back(down(), 600)
	x.fault(90, 380, cut([]string{"n1"}, []string{"n2"}, []string{"n3"}))
	x.require(recovery{}, valid, "")
	x = down(haspec.Command{At: 60 * time.Second, On: "n1", Run: "set vm:100 state stopped"})
	x.at(75, 0, haspec.OperatorDid{What: "set vm:100 state stopped"})
	x.require(recovery{}, valid, "")
}

// TestALockedGuestNeedNotStart: where the operator locked it, and until the lock is taken away again.
func TestALockedGuestNeedNotStart(t *testing.T) {
	locked := func(more func(x *made)) *made {
		x := running(t)
		x.at(90, 0, haspec.OperatorDid{What: "lock vm:100 backup"})
		x.at(100, 0, resource.Active{SID: "vm:100"})
		more(x)
		x.at(130, 0, haproc.CommandDone{UID: "u", SID: "vm:100", State: ha.Started, ExitCode: ha.ExitError})
		x.ends(&ha.ManagerStatus{ServiceStatus: map[string]*ha.ServiceStatus{
			"vm:100": {Node: "n1", State: ha.Error}}}, map[string]*ha.ServiceConfig{"vm:100": {}})
		return x
	}
	locked(func(*made) {}).require(recovery{}, valid, "")
	locked(func(x *made) { x.at(110, 0, haspec.OperatorDid{What: "unlock vm:100"}) }).
		require(recovery{}, invalid, LostService)
	locked(func(x *made) {
		x.change(110, "n2/crm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
		x.change(111, "n2/crm", "rename", haproc.GuestPath("vm:100", "n1"), haproc.GuestPath("vm:100", "n3"))
	}).require(recovery{}, invalid, LostService) // a master that moves it takes the lock away
}

// TestAnAgentWaitsForALockThatAMasterTook: until it has it, its guests are not guarded.
func TestAnAgentWaitsForALockThatAMasterTook(t *testing.T) {
	for second, want := range map[int]linearizability.Validity{150: invalid, 100: valid} {
		x := running(t)
		x.change(20, "n2/crm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
		x.at(second+1, 0, resource.Active{SID: "vm:100"})
		x.fault(second, 900, cut([]string{"n1"}))
		x.at(1000, 0, resource.Active{SID: "vm:100", On: true})
		x.require(recovery{}, want, LostService)
	}
}

// TestALockedGuestNeedNotMove: a service that is down and must move first waits for its guest's lock, as long
// as its node is there.
func TestALockedGuestNeedNotMove(t *testing.T) {
	for lock, want := range map[string]linearizability.Validity{"lock vm:100 backup": valid,
		"unlock vm:100": invalid} {
		x := running(t)
		x.at(90, 0, haspec.OperatorDid{What: lock})
		x.at(100, 0, resource.Active{SID: "vm:100"})
		x.require(recovery{}, want, LostService)
		x.fault(110, 1800, cut([]string{"n1"}))
		x.require(recovery{}, invalid, LostService)
	}
}

// TestAServiceWhoseStartsFailMayBeGivenUp: after as many starts as its settings allow, where the scenario
// lets them fail, and not before.
func TestAServiceWhoseStartsFailMayBeGivenUp(t *testing.T) {
	for _, c := range []struct {
		flaw   haspec.Flaw
		failed int
		want   linearizability.Validity
	}{
		{haspec.Flaw{Starts: 9}, 2, valid},
		{haspec.Flaw{Starts: 9}, 1, invalid},
		{haspec.Flaw{Starts: 9, On: []string{"n1"}}, 2, valid},
		{haspec.Flaw{Starts: 9, On: []string{"n2"}}, 2, invalid},
		{haspec.Flaw{Moves: 9}, 2, invalid},
	} {
		x := running(t)
		x.cluster.HA.Flaws = map[string]haspec.Flaw{"vm:100": c.flaw}
		x.at(100, 0, resource.Active{SID: "vm:100"})
		for i := range c.failed {
			x.at(110+10*i, 0, haproc.CommandDone{UID: "u", SID: "vm:100", State: ha.Started,
				ExitCode: ha.ExitError})
		}
		x.ends(&ha.ManagerStatus{ServiceStatus: map[string]*ha.ServiceStatus{
			"vm:100": {Node: "n1", State: ha.Error}}},
			map[string]*ha.ServiceConfig{"vm:100": {State: ha.WantStarted}})
		x.require(finalState{}, c.want, LostService)
	}
}

// TestFailingStartsBuyTimeOnlyAsOftenAsAllowed: a manager that always tries again recovers nothing.
func TestFailingStartsBuyTimeOnlyAsOftenAsAllowed(t *testing.T) {
	for failed, want := range map[int]linearizability.Validity{4: valid, 9: invalid} {
		x := running(t)
		x.cluster.HA.Flaws = map[string]haspec.Flaw{"vm:100": {Starts: 9}}
		x.at(100, 0, resource.Active{SID: "vm:100"})
		for i := range failed {
			x.at(110+50*i, 0, haproc.CommandDone{UID: "u", SID: "vm:100", State: ha.Started,
				ExitCode: ha.ExitError})
		}
		x.at(110+50*failed, 0, resource.Active{SID: "vm:100", On: true})
		x.require(recovery{}, want, LostService)
	}
}
