package hacheck

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/hacheck/allowed"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// desiredState is what operator and clients requested of the services over time. From the earliest time at
// which a command may have been sent until it is known to be carried out, the desired state is unknown and
// nothing is required.
//
// Worked example: `set vm:100 state stopped` is due at 60 s, its machine is without quorum, and the operator
// reports it done at 300 s. Another machine has carried out `... started` at 100 s. vm:100 need not run from
// 60 s to 300 s, because the command may take effect at any time, and after 300 s, because the commands
// count in the order in which they were carried out.
type desiredState struct {
	services         map[string]*ha.ServiceConfig // at the beginning
	rules            allowed.Rules
	notRequired      map[string][]check.Span // by service: when it need not run
	maintenanceSpans map[string][]check.Span // by node: when it may be in maintenance
	disarmedSpans    []check.Span            // when the HA manager may be disarmed: no service need run
	removedSpans     map[string][]check.Span // by service: when it may not be configured
}

// intent is a command or request that changes whether a service must run, or what lasts on a node.
type intent struct {
	dueAt       time.Duration // the earliest time at which it may have been sent
	doneAt      time.Duration // when it is known to have been carried out; Forever if it never is
	verb        intentVerb
	commandLine string // of a command for the master
}

// intentVerb is what an intent does to a service.
type intentVerb int

const (
	intentStart  intentVerb = iota + 1 // the service must run
	intentStop                         // it must not
	intentOrder                        // the order to the master to stop it
	intentAdd                          // it is configured
	intentRemove                       // it is not
)

// intents are all commands and requests of a run that change the desired state.
type intents struct {
	services    map[string][]intent
	removed     map[string]*lastingIntents // by service
	maintenance map[string]*lastingIntents // by node
	disarmed    lastingIntents
}

// lastingIntents are the intents that begin and end one lasting state, such as the maintenance of a node.
type lastingIntents struct{ begins, ends []intent }

// newDesiredState derives it from the scenario, from what the operator reports as done and masters as taken,
// and from what clients requested.
func newDesiredState(e *Evidence) *desiredState {
	d := &desiredState{notRequired: map[string][]check.Span{}}
	d.services = mustParse(config.ParseResources(e.HA.ResourcesText()))
	parsed, groups := mustParse(config.ParseRules(e.HA.Rules)), mustParse(config.ParseGroups(e.HA.Groups))
	d.rules = allowed.Rules(rules.AddGroups(parsed, groups, d.services))
	all := intents{services: map[string][]intent{}, removed: map[string]*lastingIntents{},
		maintenance: map[string]*lastingIntents{}}
	done := commandsDoneAt(e)
	for i := range e.HA.Commands {
		c := &e.HA.Commands[i]
		all.addCommand(c, intent{dueAt: e.commandDueAt(c), doneAt: done[i], commandLine: c.Run})
	}
	all.addRequests(e.run.Events)
	d.maintenanceSpans, d.removedSpans = possibleSpansOf(all.maintenance), possibleSpansOf(all.removed)
	d.disarmedSpans = all.disarmed.possibleSpans()
	d.delayStops(all.services, e.orderLog.takenBatches)
	for sid, service := range d.services {
		d.notRequired[sid] = timesNotRequired(service.State == ha.WantStarted, e.operatorLog.filesInPlaceAt,
			all.services[sid])
	}
	return d
}

// mustParse returns what a parser made of a part of the specification, which haspec.Spec.Check has accepted.
func mustParse[T, P any](parsed T, _ []P, err error) T {
	if err != nil {
		panic("hacheck: a specification that was accepted cannot be read: " + err.Error())
	}
	return parsed
}

// commandsDoneAt is when each command of the scenario was first known to be carried out, by its place in the
// list. Of equal commands on one machine each has a report of its own.
func commandsDoneAt(e *Evidence) []time.Duration {
	commands, reports := e.HA.Commands, e.operatorLog.actions
	done, counted := make([]time.Duration, len(commands)), make([]bool, len(reports))
	byDue := make([]int, len(commands))
	for i := range byDue {
		byDue[i] = i
	}
	slices.SortStableFunc(byDue, func(a, b int) int { return cmp.Compare(commands[a].At, commands[b].At) })
	for _, i := range byDue {
		c := &commands[i]
		done[i] = check.Forever
		for n, r := range reports {
			if !counted[n] && r.machine == c.On && r.action == c.Run && r.doneAt >= e.commandDueAt(c) {
				done[i], counted[n] = r.doneAt, true
				break
			}
		}
	}
	return done
}

// addCommand notes what a command means, for the services that it is about or for what it begins or ends.
func (all *intents) addCommand(c *haspec.Command, i intent) {
	p := c.Parsed()
	about := func(sid string, verb intentVerb) {
		i.verb = verb
		all.services[sid] = append(all.services[sid], i)
	}
	switch p.Verb {
	case haspec.VerbSet:
		switch {
		case p.Key == "state" && (p.Value == string(ha.WantStarted) || p.Value == "enabled"):
			about(p.SID, intentStart)
		case p.Key == "state":
			about(p.SID, intentStop)
		}
	case haspec.VerbAdd:
		about(p.SID, intentAdd)
		findOrAddLasting(all.removed, p.SID).ends = append(findOrAddLasting(all.removed, p.SID).ends, i)
	case haspec.VerbRemove:
		about(p.SID, intentRemove)
		findOrAddLasting(all.removed, p.SID).begins = append(findOrAddLasting(all.removed, p.SID).begins, i)
	case haspec.VerbCRM:
		all.addMasterCommand(&p, i, about)
	}
}

// findOrAddLasting returns the intents of a node or service that begin and end a lasting state, and adds an
// empty list of them if there is none.
func findOrAddLasting(of map[string]*lastingIntents, name string) *lastingIntents {
	if of[name] == nil {
		of[name] = &lastingIntents{}
	}
	return of[name]
}

// mayBeUnmanaged reports whether the manager may have nothing to do with a service at an instant: it is not
// configured, must be ignored, or the manager is disarmed or has just been armed, so that agents have no
// locks.
func (d *desiredState) mayBeUnmanaged(sid string, at time.Duration) bool {
	service := d.services[sid]
	return check.Within(d.disarmedSpans, at) || check.Within(d.disarmedSpans, at-stopGrace) ||
		check.Within(d.removedSpans[sid], at) ||
		service != nil && service.State == ha.WantIgnored
}

// addMasterCommand notes what a command to the master means.
func (all *intents) addMasterCommand(p *haspec.ParsedCommand, i intent,
	about func(sid string, verb intentVerb)) {
	of := func(node string) *lastingIntents { return findOrAddLasting(all.maintenance, node) }
	switch p.CRM.Verb {
	case ha.CommandStop:
		about(p.CRM.SID, intentOrder)
	case ha.CommandEnableMaintenance:
		of(p.CRM.Node).begins = append(of(p.CRM.Node).begins, i)
	case ha.CommandDisableMaintenance:
		of(p.CRM.Node).ends = append(of(p.CRM.Node).ends, i)
	case ha.CommandDisarm:
		all.disarmed.begins = append(all.disarmed.begins, i)
	case ha.CommandArm:
		all.disarmed.ends = append(all.disarmed.ends, i)
	}
}

// addRequests adds what clients requested. Requests that were acknowledged count in the store's order.
func (all *intents) addRequests(events []history.Event) {
	last := map[string]time.Duration{}
	for _, r := range requestsOf(events) {
		if r.outcome == history.Fail || r.Moves() {
			continue
		}
		i := intent{dueAt: r.From, doneAt: r.To, verb: intentStop}
		if r.Kind == haspec.RequestStart {
			i.verb = intentStart
		}
		if r.outcome == history.OK {
			i.doneAt = max(i.doneAt, last[r.SID]+1)
			last[r.SID] = i.doneAt
		}
		all.services[r.SID] = append(all.services[r.SID], i)
	}
}

// possibleSpansOf returns the possibleSpans of each.
func possibleSpansOf(of map[string]*lastingIntents) map[string][]check.Span {
	spans := map[string][]check.Span{}
	for name, l := range of {
		spans[name] = l.possibleSpans()
	}
	return spans
}

// possibleSpans are the times in which it may last: from when an intent that begins it is due until one that
// was due later, and carried out later, is done.
func (l *lastingIntents) possibleSpans() (spans []check.Span) {
	for _, begin := range l.begins {
		until := check.Forever
		for _, end := range l.ends {
			if begin.dueAt <= end.dueAt && (begin.doneAt == check.Forever || begin.doneAt < end.doneAt) {
				until = min(until, end.doneAt)
			}
		}
		spans = append(spans, check.Span{From: begin.dueAt, To: until})
	}
	return spans
}

// stopGrace is how long after it has taken an order a master may need to carry it out.
const stopGrace = time.Minute

// delayStops moves the end of each order to stop a service. The order goes to the master, which takes it
// when there is one and carries it out when it can, after arming at the earliest. Then the service is not
// required, whatever was commanded in between.
func (d *desiredState) delayStops(services map[string][]intent, taken []takenBatch) {
	for _, list := range services {
		for i := range list {
			stop := &list[i]
			if stop.verb != intentOrder || stop.doneAt == check.Forever {
				continue
			}
			first := slices.IndexFunc(taken, func(b takenBatch) bool {
				return b.takenAt >= stop.dueAt && slices.Contains(b.Lines, stop.commandLine)
			})
			if first < 0 {
				stop.doneAt = check.Forever
				continue
			}
			stop.doneAt = max(stop.doneAt, taken[first].takenAt)
			for _, s := range d.disarmedSpans {
				if s.Contains(stop.doneAt) {
					stop.doneAt = s.To
				}
			}
			if stop.doneAt != check.Forever {
				stop.doneAt += stopGrace
			}
		}
	}
}

// timesNotRequired returns the times in which a service need not run, or in which that is unknown.
// required means that it must run as soon as the files are in place. Intents take effect in the order in
// which they were carried out, which may differ from the order in which they were due.
func timesNotRequired(required bool, inPlace time.Duration, intents []intent) []check.Span {
	spans := []check.Span{{From: 0, To: inPlace}}
	slices.SortStableFunc(intents, func(a, b intent) int { return cmp.Compare(a.doneAt, b.doneAt) })
	configured, since := true, inPlace
	for _, i := range intents {
		spans = append(spans, check.Span{From: i.dueAt, To: i.doneAt})
		if !required || !configured {
			spans = append(spans, check.Span{From: since, To: i.doneAt})
		}
		since = i.doneAt
		switch i.verb {
		case intentAdd:
			required = required || !configured
			configured = true
		case intentRemove:
			configured = false
		default:
			required = i.verb == intentStart
		}
	}
	if !required || !configured {
		spans = append(spans, check.Span{From: since, To: check.Forever})
	}
	return spans
}
