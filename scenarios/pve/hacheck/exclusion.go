package hacheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// exclusion checks that no service runs on two machines, not for an instant.
type exclusion struct {
	machines  []string
	powerless *check.Powerless
}

func newExclusionCheck(c Cluster) *exclusion {
	return &exclusion{c.Machines, check.NewPowerless(c.Machines)}
}

// Name implements check.Check.
func (*exclusion) Name() string { return "ha-single" }

// Observe implements check.Observer.
func (x *exclusion) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case scenarios.Power:
		x.powerless.OnPower(r, rec)
	case programs.Heartbeat:
		x.powerless.OnLife(r, rec.Name)
	}
}

// Judge implements check.Check.
func (x *exclusion) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	v := check.Verdict(x.Name(), slices.Concat(check.Overlaps(e.runIntervals, x.machines),
		x.powerless.Violations()),
		fmt.Sprintf("no service ran on two machines, in %d run intervals", len(e.runningIntervals.All())))
	v.Details = append(v.Details, longFreezes(e)...)
	return v
}

// longFreezes lists the freezes that lasted longer than a lock is valid. The argument that a machine
// is reset before its services start elsewhere rests on a watchdog that runs on; the one of a frozen
// machine does not, and continues together with the services.
func longFreezes(e *Evidence) (list []string) {
	for i := range e.run.Applied {
		if a := &e.run.Applied[i]; outlastsLock(e, a) {
			list = append(list, fmt.Sprintf("%s stood still with its watchdog from %v to %v, longer than "+
				"its lock is valid: no watchdog fences it", strings.Join(a.Fault.Machines, ", "),
				a.Begun[0], e.health.EndOf(a)))
		}
	}
	return list
}

// outlastsLock reports whether a fault is a freeze that lasted longer than a lock is valid.
func outlastsLock(e *Evidence, a *scenarios.Applied) bool {
	stood := e.health.EndOf(a) - a.Begun[0]
	return a.Fault.Kind == fault.Freeze && a.Begun[1] > 0 && stood >= e.scaledTime(lock.TTL)
}
