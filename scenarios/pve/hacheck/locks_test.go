package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
)

// TestLocksChangeHandsOnlyWhenTheyRanOut goes by the store's order.
func TestLocksChangeHandsOnlyWhenTheyRanOut(t *testing.T) {
	name := "priv/lock/" + haproc.AgentLock("n1")
	for seconds, want := range map[int]linearizability.Validity{119: invalid, 121: valid} {
		x := running(t)
		x.change(50, "n1/lrm", "cas", name, "")
		x.change(50+seconds, "n2/crm", "delete", name, "")
		x.change(50+seconds, "n2/crm", "cas", name, "")
		x.require(takeovers{}, want, EarlyTakeover)
	}
	x := running(t)
	x.change(500, "n2/crm", "cas", name, "") // over the holder's, without taking it away
	x.require(takeovers{}, invalid, EarlyTakeover)
}

// TestServicesMoveUnderTheirNodesLock: by whoever holds it, agent or master.
func TestServicesMoveUnderTheirNodesLock(t *testing.T) {
	name, from, to := "priv/lock/"+haproc.AgentLock("n1"), haproc.GuestPath("vm:100", "n1"),
		haproc.GuestPath("vm:100", "n3")
	x := running(t)
	x.change(50, "n1/lrm", "rename", from, to)
	x.require(takeovers{}, valid, "")
	for _, thief := range []string{"n2/crm", "n3/lrm", "n1/crm", "n2/lrm"} {
		x = running(t)
		x.change(50, thief, "rename", from, to)
		x.require(takeovers{}, invalid, TakeoverWithoutLock)
	}
	x = running(t)
	x.at(40, 0, resource.Active{SID: "vm:100"})
	x.change(200, "n2/crm", "delete", name, "")
	x.change(200, "n2/crm", "cas", name, "")
	x.change(201, "n3/crm", "rename", from, to)
	x.require(takeovers{}, valid, "")
	x.at(200, 0, resource.Active{SID: "vm:100", On: true})
	x.at(300, 0, resource.Active{SID: "vm:100"})
	x.require(takeovers{}, invalid, TakeoverWithoutLock)
}
