package pve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Kinds of violations of the HA manager.
const (
	// EarlyTakeover: a lock was taken from a holder that had renewed it within its life.
	EarlyTakeover linearizability.Kind = "lock taken over too early"
	// Unproven: a service was moved by somebody who did not hold the lock of its node.
	Unproven linearizability.Kind = "service taken without its node's lock"
	// NeedlessReset: a machine was reset though no fault concerned it.
	NeedlessReset linearizability.Kind = "needless reset"
	// NeedlessFence: the master gave up a node that it could see.
	NeedlessFence linearizability.Kind = "needless fence"
	// RepeatedCommand: an agent carried out a command that it had carried out.
	RepeatedCommand linearizability.Kind = "command carried out twice"
	// LostService: a service that should run did not come back in time.
	LostService linearizability.Kind = "service not recovered"
	// ForgottenService: a configured service that the manager does not know of any more.
	ForgottenService linearizability.Kind = "service forgotten"
)

// haJudge judges a finished run.
type haJudge struct {
	*haWatch
	run    *scenarios.Run
	health *health
	order  []change
	homes  map[string][]home // sid -> where it was at home, over time
	master []home            // who held the manager's lock
	wishes *wishes
	nodes  []string // the nodes' names, by machine
}

// change is a change of a lock or of a service's place, as the order that won has it.
type change struct {
	*history.WitnessEntry
	at time.Duration // when the first machine had it on disk
	by string        // machine/process
}

// home is where something was from an instant on; "" is nowhere.
type home struct {
	at   time.Duration
	node string
}

// check judges the run as a whole.
func (w *haWatch) check(r *scenarios.Run, log []*history.WitnessEntry) []linearizability.Verdict {
	j := &haJudge{haWatch: w, run: r, homes: map[string][]home{}, nodes: w.subject.NodeNames()}
	j.health = newHealth(w.subject, w.scenario, r, w.power)
	j.wishes = newWishes(w.subject.spec.HA, j.scaled(w.scenario.Warmup), w.inPlace, w.did, w.life.taken, r.Events)
	j.read(log)
	resets, unclear := j.checkResets()
	fine := fmt.Sprintf("%d machines were reset by their watchdogs, each for a reason", len(w.resets))
	if unclear > 0 {
		fine += fmt.Sprintf("; %d of them while the network was not transitive, or lost many packets", unclear)
	}
	final, remark := j.checkEnd()
	return j.withFences([]linearizability.Verdict{
		verdict("ha-single", slices.Concat(j.checkSingle(), w.dead.violations),
			fmt.Sprintf("no service ran on two machines, in %d times of running", len(w.lives))),
		verdict("ha-takeover", j.checkLocks(), fmt.Sprintf("no lock and no service was taken over without proof, in %d changes", len(j.order))),
		verdict("ha-reset", resets, fine),
		verdict("ha-commands", w.repeated, fmt.Sprintf("none of %d commands was carried out twice", len(w.commands))),
		verdict("ha-recovery", j.checkServices(), "every service that was to run was up or came back in time"),
		verdict("ha-end", final, remark),
		verdict("ha-liveness", w.live.check(j), "nobody wandered, was not heard or was guarded for nothing"),
	})
}

func verdict(checker string, violations []linearizability.Violation, fine string) linearizability.Verdict {
	if len(violations) == 0 {
		return linearizability.Verdict{Checker: checker, Validity: linearizability.Valid, Summary: fine}
	}
	return linearizability.Verdict{Checker: checker, Validity: linearizability.Invalid,
		Summary: violations[0].Explain, Violations: violations}
}

// read takes what concerns locks and the places of services from the store's order.
func (j *haJudge) read(log []*history.WitnessEntry) {
	for _, e := range log {
		if !strings.HasPrefix(e.Key, lock.Dir+"/") && !strings.HasSuffix(e.Key, haspec.GuestSuffix) {
			continue
		}
		c := change{WitnessEntry: e, at: time.Duration(e.Time), by: e.ID}
		if first, known := j.seen[e.ID]; known {
			c.at = first
		}
		if parts := strings.SplitN(e.ID, "/", 3); len(parts) == 3 {
			c.by = parts[0] + "/" + parts[1]
		}
		j.order = append(j.order, c)
		name, isLock := strings.CutPrefix(e.Key, lock.Dir+"/")
		switch {
		case isLock && name == haproc.ManagerLock && e.F == tree.Delete.String():
			j.master = append(j.master, home{c.at, ""})
		case isLock && name == haproc.ManagerLock:
			j.master = append(j.master, home{c.at, machineOf(c.by)})
		case isLock:
		case e.To != "":
			j.settle(e.To, c.at)
		default:
			j.settle(e.Key, c.at)
		}
	}
}

func machineOf(by string) string {
	machine, _, _ := strings.Cut(by, "/")
	return machine
}

func (j *haJudge) settle(path string, at time.Duration) {
	if sid, node := haspec.PlacementOf(path); sid != "" {
		j.homes[sid] = append(j.homes[sid], home{at, node})
	}
}

// lastHome is where something was at an instant.
func lastHome(homes []home, at time.Duration) string {
	node := ""
	for _, h := range homes {
		if h.at > at {
			break
		}
		node = h.node
	}
	return node
}

// ended are the times in which services ran, cut off where their guests' host was killed: in the
// simulator guests live in that process. On real nodes they do not end with anybody.
func (j *haJudge) ended() []life {
	lives := slices.Clone(j.lives)
	if j.run.Backend != simulated {
		return lives
	}
	for i := range j.run.Applied {
		a := &j.run.Applied[i]
		if a.Fault.Kind != fault.Kill || a.Fault.Process != "" && a.Fault.Process != resource.HostProcess {
			continue
		}
		for n := range lives {
			if l := &lives[n]; j.health.hits(&a.Fault, l.machine) && l.from <= a.Begun[0] && a.Begun[0] < l.to && a.Begun[1] > 0 {
				l.to = a.Begun[0]
			}
		}
	}
	return lives
}

// checkSingle: a service must not run on two machines, not for an instant.
func (j *haJudge) checkSingle() (violations []linearizability.Violation) {
	lives := j.ended()
	slices.SortStableFunc(lives, func(a, b life) int { return cmp.Or(cmp.Compare(a.sid, b.sid), cmp.Compare(a.from, b.from)) })
	for i, a := range lives {
		for _, b := range lives[i+1:] {
			if b.sid != a.sid {
				break
			}
			if b.from >= a.to || a.machine == b.machine {
				continue
			}
			violations = append(violations, linearizability.Violation{Kind: linearizability.DoubleRun, Explain: fmt.Sprintf(
				"at %v service %s begins to run on %s while it runs on %s", b.from, b.sid,
				j.scenario.Machines[b.machine], j.scenario.Machines[a.machine])})
		}
	}
	return violations
}

// leastLife is the shortest time, by the judge's clock, after which a lock may be taken away: the
// one who takes it counts by a clock of its own, which a fault may let run fast.
func (j *haJudge) leastLife() time.Duration {
	drift := int64(0)
	for i := range j.run.Applied {
		if f := &j.run.Applied[i].Fault; f.Kind == fault.ClockDrift {
			drift = max(drift, f.DriftPPM, -f.DriftPPM)
		}
	}
	if j.run.Backend != simulated {
		drift += nodesClockPPM
	}
	life := j.run.Timescale.Of(lock.TTL)
	return life - life/ppmWhole*time.Duration(drift)
}

const (
	ppmWhole = 1_000_000
	// nodesClockPPM is what the times of records of real nodes may be off, in parts of a lock's life.
	nodesClockPPM = 10_000
)

// checkLocks goes through the store's order: a lock passes to another holder only when nobody has
// renewed it for its whole life, and a service's configuration is moved only by its own node's
// agent or by a master, in either case under the lock of that node.
func (j *haJudge) checkLocks() (violations []linearizability.Violation) {
	least := j.leastLife()
	held := map[string]*change{}
	for i := range j.order {
		c := &j.order[i]
		name, isLock := strings.CutPrefix(c.Key, lock.Dir+"/")
		if !isLock {
			if v := j.unproven(i, held); v != "" {
				violations = append(violations, linearizability.Violation{Kind: Unproven, Revisions: []uint64{c.Rev}, Explain: v})
			}
			continue
		}
		before := held[name]
		held[name] = c
		if c.F == tree.Delete.String() {
			delete(held, name)
		}
		if before == nil || before.by == c.by {
			continue
		}
		if age := c.at - before.at; c.F != tree.Delete.String() || age < least && !j.provenDead(j.run, before, c) {
			violations = append(violations, linearizability.Violation{Kind: EarlyTakeover,
				Revisions: []uint64{before.Rev, c.Rev},
				Explain: fmt.Sprintf("%s took %s at %v, only %v after %s had renewed it",
					c.by, name, c.at, age, before.by)})
		}
	}
	return violations
}

// unproven says what is wrong with a move of a service's configuration; nothing when all is well.
func (j *haJudge) unproven(at int, held map[string]*change) string {
	c := &j.order[at]
	sid, from := haspec.PlacementOf(c.Key)
	if c.To == "" || sid == "" || strings.HasSuffix(c.by, "/"+haspec.OperatorProcess) {
		return "" // what a human does by hand needs no lock, only the wish that the manager keeps away
	}
	holder := "nobody"
	if h := held[haproc.AgentLock(from)]; h != nil {
		holder = h.by
	}
	_, to := haspec.PlacementOf(c.To)
	m := slices.Index(j.nodes, from)
	own := m >= 0 && c.by == j.scenario.Machines[m]+"/"+haproc.LRMProcess
	if (own || byMaster(c.by)) && holder == c.by || byMaster(c.by) && m >= 0 && j.provenBefore(at, sid, env.MachineID(m)) {
		return ""
	}
	return fmt.Sprintf("%s moved %s from %s to %s at %v, while %s held %s",
		c.by, sid, from, to, c.at, holder, haproc.AgentLock(from))
}

func byMaster(by string) bool {
	_, process, _ := strings.Cut(by, "/")
	return process == haproc.CRMProcess
}

// provenBefore says whether an earlier master had owned the lock of a service's node, and the
// service has not run there since: what that master knew and wrote down is as good as owning it.
func (j *haJudge) provenBefore(at int, sid string, m env.MachineID) bool {
	now := j.order[at].at
	for i := range j.order[:at] {
		proof := &j.order[i]
		if proof.Key != lock.Dir+"/"+haproc.AgentLock(j.nodes[m]) || proof.F == tree.Delete.String() || !byMaster(proof.by) {
			continue
		}
		if !slices.ContainsFunc(j.ended(), func(l life) bool {
			return l.sid == sid && l.machine == m && l.from < now && l.to > proof.at
		}) {
			return true
		}
	}
	return false
}
