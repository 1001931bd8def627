package pve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/ha/manager"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

const (
	// renews is how long a healthy agent may take from one renewal of its lock to the next: it waits
	// 8 s for workers that do not end, pauses for 5 s, and writes.
	renews = 17 * time.Second
	// masterSees is how long a healthy master may take to notice that a node is there.
	masterSees = 15 * time.Second
)

// checkResets: a machine is reset for a reason of its own or not at all. The second result counts
// those that only a network that is not transitive excuses.
func (j *haJudge) checkResets() (violations []linearizability.Violation, unclear int) {
	for i := range j.resets {
		z := &j.resets[i]
		why, excused := j.needless(z)
		if excused {
			unclear++
		}
		if why == "" {
			continue
		}
		name := j.scenario.Machines[z.machine]
		violations = append(violations, linearizability.Violation{Kind: NeedlessReset, Nodes: []string{name},
			Explain: fmt.Sprintf("at %v the watchdog of %s resets it, and %s; %s", z.at, name, why, j.recent(z.at))})
	}
	for _, f := range j.givenUp {
		if why := j.needlessFence(f.node, f.at); why != "" {
			violations = append(violations, linearizability.Violation{Kind: NeedlessFence, Nodes: []string{f.node},
				Explain: fmt.Sprintf("at %v the master fences %s, and %s; %s", f.at, f.node, why, j.recent(f.at))})
		}
	}
	return append(violations, j.checkGuards()...), unclear
}

// needless says why a reset has no reason; nothing when it has one. The second result says that
// the reason is the network's not being transitive.
func (j *haJudge) needless(z *reset) (why string, unclear bool) {
	switch {
	case z.says.client == "":
		return j.unpetted(z), false
	case z.says.gone:
		if j.killed(z.machine, z.says.client, z.says.at, j.scaled(settles)+j.stoodStill(z.machine, z.says.at)) ||
			j.stuckShutdown(z.machine, z.says.at) {
			return "", false
		}
		return "its " + z.says.client + " ended by itself", false
	}
	name := j.nodes[z.machine]
	from := z.says.at - j.scaled(watchdog.ClientTime)
	good := func(p *phase) bool {
		return p.fine[z.machine] && !p.late[z.machine] && !j.health.stopped(z.machine, z.says.client, p.from) &&
			!j.health.stopped(z.machine, watchdog.Process, p.from)
	}
	last, settled := j.health.settled(from+j.scaled(renews), z.says.at, good)
	if !settled {
		_, clear := j.health.settled(from+j.scaled(renews), z.says.at, func(p *phase) bool { return good(p) || p.unclear })
		return "", clear
	}
	// A node that the master has given up is not to come back before it was reset.
	for _, f := range j.givenUp {
		if f.node == name && f.at < z.says.at && f.at > from-j.scaled(watchdog.ResetTime) && j.needlessFence(name, f.at) == "" {
			return "", false
		}
	}
	return fmt.Sprintf("its %s had no trouble until %v and for long before, but did not feed it since %v",
		z.says.client, last, from), false
}

func (j *haJudge) scaled(d time.Duration) time.Duration { return j.run.Timescale.Of(d) }

// unpetted judges a reset that nobody decided: the multiplexer did not run.
func (j *haJudge) unpetted(z *reset) string {
	hardware, slack := j.scaled(watchdog.HardwareTime), j.scaled(2*watchdog.CheckPeriod)
	for i := range j.run.Applied {
		a := &j.run.Applied[i]
		f := &a.Fault
		if !stops(f.Kind) || !j.health.hits(f, z.machine) || f.Process != "" && f.Process != watchdog.Process ||
			a.Begun[1] == 0 || a.Begun[0] >= z.at {
			continue
		}
		stood := min(j.health.ends(a), z.at) - a.Begun[0]
		if f.Kind == fault.Kill && z.at-a.Begun[0] <= hardware+slack || f.Kind == fault.Pause && stood >= hardware-slack &&
			j.health.ends(a) >= z.at-slack {
			return ""
		}
	}
	if j.run.Backend != simulated {
		return "" // the last words of a machine may be lost with it
	}
	return "its watchdog was served all the time"
}

// stoodStill is for how long, until an instant or shortly before, a machine's watchdog could notice
// nothing.
func (j *haJudge) stoodStill(m env.MachineID, until time.Duration) (longest time.Duration) {
	for i := range j.run.Applied {
		a := &j.run.Applied[i]
		if a.Fault.Kind == fault.Pause && j.health.hits(&a.Fault, m) && a.Begun[1] > 0 && a.Begun[0] <= until &&
			(a.Fault.Process == "" || a.Fault.Process == watchdog.Process) && j.health.ends(a) >= until-j.scaled(2*watchdog.CheckPeriod) {
			longest = max(longest, until-a.Begun[0])
		}
	}
	return longest
}

// killed says whether a fault ended a process at an instant or shortly before.
func (j *haJudge) killed(m env.MachineID, process string, at, before time.Duration) bool {
	return slices.ContainsFunc(j.run.Applied, func(a scenarios.Applied) bool {
		return a.Fault.Kind == fault.Kill && j.health.hits(&a.Fault, m) && a.Begun[1] > 0 &&
			(a.Fault.Process == "" || a.Fault.Process == process) && a.Begun[0] <= at && at-before <= a.Begun[1]
	})
}

// needlessFence says why a node must not have been given up; nothing when there was a reason.
func (j *haJudge) needlessFence(node string, at time.Duration) string {
	m := slices.Index(j.nodes, node)
	if m < 0 {
		return "there is no such machine"
	}
	from := at - j.scaled(manager.FenceDelaySeconds*time.Second)
	// A master that stands still takes that for the absence of those who are away when it goes on.
	master := slices.Index(j.scenario.Machines, lastHome(j.master, at))
	last, settled := j.health.settled(from+j.scaled(masterSees), at, func(p *phase) bool {
		return p.fine[m] && !p.late[m] && (master < 0 || p.manager[master])
	})
	if !settled {
		return ""
	}
	return fmt.Sprintf("that node had no trouble until %v and for long before, so it was there after %v", last, from)
}

// recent lists the faults that acted shortly before an instant.
func (j *haJudge) recent(at time.Duration) string {
	window := j.scaled(watchdog.ResetTime + time.Minute)
	var seen []string
	for i := range j.run.Applied {
		a := &j.run.Applied[i]
		from, to := max(a.Begun[0], at-window), min(j.health.ends(a), at)
		if a.Begun[1] == 0 || from >= to {
			continue
		}
		f := &a.Fault
		who := slices.Concat(append([][]string{f.Machines, f.From, f.To}, f.Groups...)...)
		seen = append(seen, strings.TrimSpace(fmt.Sprintf("%s %s of %s from %v to %v", f.Kind, f.Process,
			strings.Join(who, " "), a.Begun[0], j.health.ends(a))))
	}
	return fmt.Sprintf("faults within %v before: %s", window, strings.Join(append(seen, "that is all"), ", "))
}

// guardEarly is how long an agent may be armed before a service comes that it was told of.
const guardEarly = time.Minute

// checkGuards: nobody may be exposed to a watchdog for nothing. A manager's is only needed while
// there are services at all, an agent's on a machine that had one once, or was to get one. Where
// rules, balancing and maintenance may offer services to any node, every agent may have a reason.
func (j *haJudge) checkGuards() (violations []linearizability.Violation) {
	spec := j.subject.spec.HA
	anywhere := spec.Rules+spec.Groups != "" || strings.Contains(spec.Datacenter, "rebalance") || spec.ManagerStatus != "" ||
		slices.ContainsFunc(spec.Commands, func(c haspec.Command) bool { return strings.Contains(c.Run, "maintenance") })
	for _, g := range j.guarded {
		name := j.nodes[g.machine]
		if g.client != haproc.LRMProcess && (len(j.homes) > 0 || spec.ManagerStatus != "" || j.commanded(g.at)) || g.client == haproc.LRMProcess &&
			(anywhere || j.concerned(name, g.at+j.scaled(guardEarly)) || j.life.comes(name, 0, g.at+j.scaled(guardEarly))) {
			continue
		}
		violations = append(violations, linearizability.Violation{Kind: NeedlessReset, Nodes: []string{name},
			Explain: fmt.Sprintf("at %v the watchdog of %s is armed for its %s although no service needs it",
				g.at, name, g.client)})
	}
	return violations
}

// commanded says whether a master was given anything to do before an instant: a cluster without
// services needs one for that.
func (j *haJudge) commanded(at time.Duration) bool {
	return slices.ContainsFunc(j.subject.spec.HA.Commands, func(c haspec.Command) bool {
		_, err := config.ParseCommand(c.Run)
		return err == nil && j.scaled(j.subject.warmup+c.At) <= at
	})
}

// concerned says whether until an instant anything had to do with a node: a service was at home
// there or was to come, or the operator spoke of it.
func (j *haJudge) concerned(node string, until time.Duration) bool {
	here := func(h home) bool { return h.node == node && h.at <= until }
	for _, homes := range j.homes {
		if slices.ContainsFunc(homes, here) {
			return true
		}
	}
	if slices.ContainsFunc(j.spokenOf(), here) {
		return true
	}
	return slices.ContainsFunc(j.moves, here)
}

// spokenOf are the nodes that the operator's commands named, from when they were due.
func (j *haJudge) spokenOf() (nodes []home) {
	for _, c := range j.subject.spec.HA.Commands {
		for _, word := range strings.Fields(c.Run) {
			nodes = append(nodes, home{j.scaled(j.scenario.Warmup + c.At), word})
		}
	}
	return nodes
}
