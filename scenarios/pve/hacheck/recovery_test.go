package hacheck

import (
	"testing"
	"time"

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
	}
	x = back(down(), 600)
	x.fault(90, 380, cut([]string{"n1"}, []string{"n2"}, []string{"n3"}))
	x.require(recovery{}, valid, "")
	x = down(haspec.Command{At: 60 * time.Second, On: "n1", Run: "set vm:100 state stopped"})
	x.at(75, 0, haspec.OperatorDid{What: "set vm:100 state stopped"})
	x.require(recovery{}, valid, "")
}
