package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Kinds of violations of the HA manager.
const (
	// EarlyTakeover: a lock was taken from a holder that had renewed it within its life.
	EarlyTakeover linearizability.Kind = "lock taken over too early"
	// NeedlessReset: a machine was reset though no fault concerned it.
	NeedlessReset linearizability.Kind = "needless reset"
	// RepeatedCommand: an agent carried out a command that it had carried out.
	RepeatedCommand linearizability.Kind = "command carried out twice"
	// LostService: a service that should run did not come back in time.
	LostService linearizability.Kind = "service not recovered"
)

// check judges the run as a whole.
func (w *haWatch) check(r *scenarios.Run) []linearizability.Verdict {
	return []linearizability.Verdict{
		verdict("ha-single", slices.Concat(w.double, w.dead.violations), fmt.Sprintf("no service ran on two machines, in %d times of running", len(w.spans))),
		verdict("ha-takeover", w.checkLocks(r), fmt.Sprintf("no lock was taken over within its life, in %d changes of locks", len(w.order))),
		verdict("ha-reset", w.checkResets(r), fmt.Sprintf("%d machines were reset by their watchdogs, each for a reason", len(w.resets))),
		verdict("ha-commands", w.repeated, fmt.Sprintf("none of %d commands was carried out twice", len(w.commands))),
		verdict("ha-recovery", w.checkServices(r), "every service that was to run was up or came back in time"),
	}
}

func verdict(checker string, violations []linearizability.Violation, fine string) linearizability.Verdict {
	if len(violations) == 0 {
		return linearizability.Verdict{Checker: checker, Validity: linearizability.Valid, Summary: fine}
	}
	return linearizability.Verdict{Checker: checker, Validity: linearizability.Invalid,
		Summary: violations[0].Explain, Violations: violations}
}

// driftAllowance is how much shorter than its life a lock may have been, in a hundred parts: the
// one who took it over counted by its own clock, which a fault may let run fast.
const driftAllowance = 5

// checkLocks goes through the changes that the store has confirmed, in their order.
func (w *haWatch) checkLocks(r *scenarios.Run) (violations []linearizability.Violation) {
	confirmed := slices.DeleteFunc(slices.Clone(w.order), func(c *lockChange) bool { return !c.answered })
	slices.SortStableFunc(confirmed, func(a, b *lockChange) int { return int(a.revision) - int(b.revision) })
	last := map[string]*lockChange{}
	for _, c := range confirmed {
		before := last[c.name]
		last[c.name] = c
		if before == nil || before.op == "delete" || before.by == c.by {
			continue
		}
		least := r.Timescale.Of(lock.Life) * (100 - driftAllowance) / 100
		if age := c.at - before.at; c.op != "delete" || age < least && !w.provenDead(r, before, c) {
			violations = append(violations, linearizability.Violation{Kind: EarlyTakeover,
				Revisions: []uint64{before.revision, c.revision},
				Explain: fmt.Sprintf("%s took %s at %v, only %v after %s had renewed it",
					c.by, c.name, c.at, age, before.by)})
		}
	}
	return violations
}

// blameWindow is how long before a reset its reason can lie: a watchdog's whole time, and what
// membership, store and rounds may have taken before that.
const blameWindow = watchdog.ResetTime + time.Minute

// longEnough is how long network and disk faults must have acted on a machine to excuse its reset:
// shorter ones leave a lock's renewals all the time they need before a watchdog's minute is over.
const longEnough = 30 * time.Second

// checkResets: a fault that concerns only other machines must not cost a machine its life, and
// neither must one that is over quickly.
func (w *haWatch) checkResets(r *scenarios.Run) (violations []linearizability.Violation) {
	window, enough := r.Timescale.Of(blameWindow), r.Timescale.Of(longEnough)
	for _, z := range w.resets {
		name := w.scenario.Machines[z.machine]
		var seen []string
		var acted time.Duration
		concerned := map[string]bool{}
		blamed := false
		for i := range r.Applied {
			a := &r.Applied[i]
			from, to := max(a.Begun[0], z.at-window), min(a.Ended[1], z.at)
			if a.Begun[0] == 0 || from >= to {
				continue
			}
			who := concernedBy(&a.Fault, w.scenario.Machines)
			seen = append(seen, fmt.Sprintf("%s of %s for %v", a.Fault.Kind, strings.Join(who, " "), to-from))
			for _, m := range who {
				concerned[m] = true
			}
			if slices.Contains(who, name) {
				acted += to - from
				blamed = blamed || endsProcesses(a.Fault.Kind)
			}
		}
		// With half of the machines in trouble the rest may have no quorum.
		blamed = blamed || acted >= enough || 2*len(concerned) >= len(w.scenario.Machines)
		if !blamed {
			violations = append(violations, linearizability.Violation{Kind: NeedlessReset, Nodes: []string{name},
				Explain: fmt.Sprintf("at %v the watchdog of %s resets it without a reason; faults within %v before: %s",
					z.at, name, window, strings.Join(append(seen, "that is all"), ", "))})
		}
	}
	return violations
}

func endsProcesses(k fault.Kind) bool {
	return k == fault.Kill || k == fault.Pause || k == fault.PowerCut
}

// concernedBy lists the machines that a fault may cost their quorum or their time: of a partition
// those outside of the largest group.
func concernedBy(f *fault.Fault, machines []string) []string {
	if f.Kind == fault.Partition {
		return smallerGroups(f.Groups, machines)
	}
	named := slices.Concat(f.Machines, f.From, f.To)
	if slices.Contains(named, fault.All) {
		return machines
	}
	return named
}

func smallerGroups(groups [][]string, machines []string) []string {
	rest := slices.DeleteFunc(slices.Clone(machines), func(m string) bool {
		return slices.ContainsFunc(groups, func(g []string) bool { return slices.Contains(g, m) })
	})
	all := append(slices.Clone(groups), rest)
	largest := 0
	for i, g := range all {
		if len(g) > len(all[largest]) {
			largest = i
		}
	}
	var out []string
	for i, g := range all {
		if i != largest || 2*len(g) <= len(machines) {
			out = append(out, g...)
		}
	}
	return out
}

// checkServices: whatever is to run is back within the bound, counted from the last thing that
// excuses its being down.
func (w *haWatch) checkServices(r *scenarios.Run) (violations []linearizability.Violation) {
	spec := w.subject.spec.HA
	bound := spec.RecoverWithin
	if bound == 0 {
		bound = DefaultRecoverWithin
	}
	bound = r.Timescale.Of(bound)
	lost := func(format string, args ...any) {
		violations = append(violations, linearizability.Violation{Kind: LostService, Explain: fmt.Sprintf(format, args...)})
	}
	wanted := spec.wanted()
	if w.inPlace == 0 {
		if len(wanted) > 0 {
			lost("the operator could not put the files into place in the whole run")
		}
		return violations
	}
	for _, sid := range wanted {
		down := w.inPlace
		for _, s := range append(w.spansOf(sid), serviceSpan{from: r.Duration}) {
			if excused := w.lastExcuse(r, down, s.from); s.from > excused+bound {
				lost("service %s was down from %v to %v, %v longer than the %v that recovery may take after what happened at %v",
					sid, down, s.from, s.from-excused-bound, bound, excused)
			}
			down = s.to
			if s.to == 0 {
				break
			}
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(spec.EndsOn)) {
		if on := w.names(w.active[sid]); on != spec.EndsOn[sid] {
			lost("service %s runs on %q in the end, not on %s", sid, on, spec.EndsOn[sid])
		}
	}
	return violations
}

func (w *haWatch) spansOf(sid string) []serviceSpan {
	var spans []serviceSpan
	for _, s := range w.spans {
		if s.sid == sid {
			spans = append(spans, s)
		}
	}
	return spans
}

// lastExcuse is the last instant in a time of being down at which something happened that may
// make recovery begin anew: a fault's beginning or end, or the return of quorum.
func (w *haWatch) lastExcuse(r *scenarios.Run, from, to time.Duration) time.Duration {
	last := from
	excuse := func(at time.Duration) {
		if at > last && at < to {
			last = at
		}
	}
	for i := range r.Applied {
		excuse(r.Applied[i].Begun[1])
		excuse(r.Applied[i].Ended[1])
	}
	for _, at := range w.regained {
		excuse(at)
	}
	for _, z := range w.resets {
		excuse(z.at)
	}
	return last
}
