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

// leaveCase is a leave, and what the operator has taken from the manager meanwhile.
type leaveCase struct {
	down     bool
	leftAt   time.Duration
	removed  map[string][]check.Span
	disarmed []check.Span
	valid    bool
}

func (c leaveCase) desired() *desiredState {
	return &desiredState{removedSpans: c.removed, disarmedSpans: c.disarmed}
}

// A machine that goes down leaves its ring when nothing runs on it any longer; one that stays on may leave
// with services that run on.
func TestTheOrderOfALeave(t *testing.T) {
	running := check.Interval{Service: "vm:100", Machine: 1,
		Span: check.Span{From: 10 * time.Second, To: 50 * time.Second}}
	span := func(from, to time.Duration) []check.Span {
		return []check.Span{{From: from * time.Second, To: to * time.Second}}
	}
	removed := func(from, to time.Duration) map[string][]check.Span {
		return map[string][]check.Span{"vm:100": span(from, to)}
	}
	for name, c := range map[string]leaveCase{"after the service": {down: true, leftAt: 60 * time.Second,
		valid: true},
		"before it has ended":  {down: true, leftAt: 30 * time.Second},
		"the machine stays on": {leftAt: 30 * time.Second, valid: true},
		"the service is removed": {down: true, leftAt: 30 * time.Second, removed: removed(15, 40),
			valid: true},
		"the service was removed": {down: true, leftAt: 30 * time.Second, removed: removed(5, 15)},
		"disarmed when ordered": {down: true, leftAt: 30 * time.Second,
			disarmed: span(15, 25), valid: true},
		"armed before it goes down": {down: true, leftAt: 30 * time.Second, disarmed: span(5, 15)},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := Cluster{Machines: []string{"n1", "n2"}}
			l := newLeaveOrderCheck(cluster)
			if c.down {
				l.Observe(scenarios.Stamped{At: 20 * time.Second, Machine: 1, Record: initd.GoingDown{}})
			}
			l.Observe(scenarios.Stamped{At: c.leftAt, Machine: 1, Record: store.Left{}})
			v := l.Judge(t.Context(), &Evidence{Cluster: cluster, runIntervals: []check.Interval{running},
				desired: c.desired()})
			if c.valid {
				require.Equal(t, valid, v.Validity, v.Summary)
				return
			}
			require.Equal(t, invalid, v.Validity)
			require.Equal(t, LeftWithService, v.Violations[0].Kind)
		})
	}
}
