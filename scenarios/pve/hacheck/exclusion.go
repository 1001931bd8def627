package hacheck

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// exclusion checks that no service runs on two machines, not for an instant.
type exclusion struct {
	machines  []string
	powerless *check.Powerless
}

func newExclusion(c Cluster) *exclusion {
	return &exclusion{c.Machines, check.NewPowerless(c.Machines)}
}

// Name implements check.Check.
func (*exclusion) Name() string { return "ha-single" }

// Observe implements check.Observer.
func (x *exclusion) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case scenarios.Power:
		x.powerless.Power(r, rec)
	case programs.Heartbeat:
		x.powerless.Life(r, rec.Name)
	}
}

// Judge implements check.Check.
func (x *exclusion) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	return check.Verdict(x.Name(), slices.Concat(check.Overlaps(e.runIntervals, x.machines),
		x.powerless.Violations()),
		fmt.Sprintf("no service ran on two machines, in %d run intervals", len(e.runningIntervals.All())))
}
