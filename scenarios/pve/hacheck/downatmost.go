package hacheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// totalDowntime compares for how long services ran nowhere with what the scenario allows.
type totalDowntime struct{}

// Name implements check.Check.
func (totalDowntime) Name() string { return "ha-down" }

// Judge implements check.Check.
func (c totalDowntime) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	var violations []linearizability.Violation
	var text []string
	for _, sid := range slices.Sorted(maps.Keys(e.HA.DownAtMost)) {
		down, most := check.Downtime(e.runningIntervals.All(), sid, e.run.Duration),
			e.scaledTime(e.HA.DownAtMost[sid])
		text = append(text, fmt.Sprintf("%s was down for %v", sid, down))
		if down > most {
			violations = append(violations, violationOfKind(TooLongDown,
				"service %s was down for %v altogether, %v is the most", sid, down, most))
		}
	}
	v := check.Verdict(c.Name(), violations, strings.Join(text, ", "))
	v.Details = text
	return v
}
