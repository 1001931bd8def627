package hacheck

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// A machine that goes down leaves its ring when nothing runs on it any longer; one that stays on may leave
// with services that run on.
func TestTheOrderOfALeave(t *testing.T) {
	running := check.Interval{Service: "vm:100", Machine: 1,
		Span: check.Span{From: 10 * time.Second, To: 50 * time.Second}}
	for name, c := range map[string]struct {
		down   bool
		leftAt time.Duration
		valid  bool
	}{"after the service": {true, 60 * time.Second, true},
		"before it has ended":  {true, 30 * time.Second, false},
		"the machine stays on": {false, 30 * time.Second, true}} {
		t.Run(name, func(t *testing.T) {
			cluster := Cluster{Machines: []string{"n1", "n2"}}
			l := newLeaveOrder(cluster)
			if c.down {
				l.Observe(scenarios.Stamped{At: 20 * time.Second, Machine: 1, Record: initd.GoingDown{}})
			}
			l.Observe(scenarios.Stamped{At: c.leftAt, Machine: 1, Record: store.Left{}})
			v := l.Judge(t.Context(), &Evidence{Cluster: cluster, runIntervals: []check.Interval{running}})
			if c.valid {
				require.Equal(t, valid, v.Validity, v.Summary)
				return
			}
			require.Equal(t, invalid, v.Validity)
			require.Equal(t, LeftWithService, v.Violations[0].Kind)
		})
	}
}
