package hacheck

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// leaveOrder checks the order of an orderly shutdown: when a machine that goes down leaves its ring, none of
// its services runs any longer. Nothing on it could end one from then on. Guests that the manager does not
// manage are not its to end.
type leaveOrder struct {
	orderedAt []time.Duration // by machine that goes down: since when; 0 for the others
	leaves    []machineLeave
}

// machineLeave is when a machine that goes down left its ring.
type machineLeave struct {
	machine           env.MachineID
	orderedAt, leftAt time.Duration
}

func newLeaveOrderCheck(c Cluster) *leaveOrder {
	return &leaveOrder{orderedAt: make([]time.Duration, len(c.Machines))}
}

// Name implements check.Check.
func (*leaveOrder) Name() string { return "ha-leave" }

// Observe implements check.Observer.
func (l *leaveOrder) Observe(r scenarios.Stamped) {
	switch r.Record.(type) {
	case initd.GoingDown:
		l.orderedAt[r.Machine] = r.At
	case scenarios.Power:
		l.orderedAt[r.Machine] = 0
	case store.Left:
		if at := l.orderedAt[r.Machine]; at > 0 {
			l.leaves = append(l.leaves, machineLeave{r.Machine, at, r.At})
		}
	}
}

// Judge implements check.Check.
func (l *leaveOrder) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	var violations []linearizability.Violation
	for _, one := range l.leaves {
		for _, run := range e.runIntervals {
			if run.Machine == one.machine && run.From <= one.leftAt && run.To > one.leftAt &&
				!e.desired.mayBeUnmanaged(run.Service, one.orderedAt) &&
				!e.desired.mayBeUnmanaged(run.Service, one.leftAt) {
				violations = append(violations, violationOf(e.Machines[one.machine], LeftWithService,
					"%s goes down and leaves its ring at %v while %s runs there until %v",
					e.Machines[one.machine], one.leftAt, run.Service, run.To))
			}
		}
	}
	return check.Verdict(l.Name(), violations,
		fmt.Sprintf("%d machines that went down left their rings after their services had ended",
			len(l.leaves)))
}
