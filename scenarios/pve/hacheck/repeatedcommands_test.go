package hacheck

import (
	"testing"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/linearizability"
)

func TestACommandIsCarriedOutOnce(t *testing.T) {
	begun := haproc.CommandBegun{UID: "u", SID: "vm:100", State: ha.Started}
	ended := func(exit ha.ExitCode) haproc.CommandDone {
		return haproc.CommandDone{UID: "u", SID: "vm:100", State: ha.Started, ExitCode: exit}
	}
	for _, c := range []struct {
		name    string
		between func(x *made)
		want    linearizability.Validity
	}{
		{"it succeeded", func(x *made) { x.at(51, 0, ended(ha.ExitSuccess)) }, invalid},
		{"it failed for good", func(x *made) { x.at(51, 0, ended(ha.ExitWrongNode)) }, invalid},
		{"it must be tried again", func(x *made) { x.at(51, 0, ended(ha.ExitTryAgain)) }, valid},
		{"a start failed", func(x *made) { x.at(51, 0, ended(ha.ExitError)) }, valid},
		{"it did not end", func(*made) {}, valid},
		{"on another machine", func(x *made) { x.at(51, 1, ended(ha.ExitSuccess)) }, valid},
		{"by an agent that has restarted since", func(x *made) {
			x.at(51, 0, ended(ha.ExitSuccess))
			x.at(52, 0, haproc.LRMStateChange{State: "active", Started: true})
		}, valid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := running(t)
			x.at(50, 0, begun)
			c.between(x)
			x.at(60, 0, begun)
			x.require(newRepeatedCommandsCheck(x.cluster), c.want, RepeatedCommand)
		})
	}
}
