package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// fencedBy is a fencing of n1 by a process of n2 from second 50 to second 60, of the lock's given version.
func (x *made) fencedBy(process string, version uint64) {
	for second, r := range map[int]env.Record{50: fence.Started{Node: "n1", Version: version},
		60: fence.Ended{Node: "n1", OK: true}} {
		x.records = append(x.records, scenarios.Stamped{At: seconds(second), Machine: 1, Process: process,
			Record: r})
	}
}

// TestAConfirmedFenceTookThePower compares what processes accept as confirmed with the machine's power.
func TestAConfirmedFenceTookThePower(t *testing.T) {
	for off, want := range map[int]linearizability.Validity{0: invalid, 45: valid, 55: valid, 65: invalid} {
		x := running(t)
		x.fencedBy("crm", 3)
		if off > 0 {
			x.at(off, 0, scenarios.Power{Cause: scenarios.CauseDevice})
		}
		x.require(fencing{}, want, FalseFenceProof)
	}
}

// TestAFenceAllowsATakeover: of the very version of the lock that was fenced, and only when a device did it.
func TestAFenceAllowsATakeover(t *testing.T) {
	name := "priv/lock/" + haproc.AgentLock("n1")
	for _, c := range []struct {
		name    string
		process string
		version uint64
		device  bool
		want    linearizability.Validity
	}{
		{"as it must be", "crm", 3, true, valid},
		{"of an older version", "crm", 2, true, invalid},
		{"by another process", "lrm", 3, true, invalid},
		{"no device did it", "crm", 3, false, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			x.cluster.HA.Datacenter = "fencing: both\n"
			x.fencedBy(c.process, c.version)
			if c.device {
				x.at(54, 0, scenarios.Switched{Device: "made up"})
			}
			x.at(55, 0, scenarios.Power{Cause: scenarios.CauseDevice})
			x.change(61, "n2/crm", "delete", name, "")
			x.change(61, "n2/crm", "cas", name, "")
			x.require(takeovers{}, c.want, EarlyTakeover)
			x.require(fencing{}, c.want, TakeoverWithoutFence)
		})
	}
}
