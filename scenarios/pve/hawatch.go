package pve

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// haWatch observes the HA manager in one run. It believes the guests, the machines' power
// switches and the store's order, and nothing that the HA manager says of itself, except which
// commands its agents carried out.
type haWatch struct {
	subject  *Subject
	scenario *scenarios.Scenario
	dead     deadWatch

	active   map[string][]bool // sid -> on which machines it runs
	lives    []life
	open     map[placed]int // the life that goes on
	inPlace  time.Duration  // when the operator had put the files into place; 0 before
	did      []didAt
	power    []powerChange
	resets   []reset
	expired  map[env.MachineID]watchdogSays // the last word of a machine's watchdog since it was on
	guarded  []guard
	givenUp  []fenced
	failures []failure
	moves    []home                   // targets of moves that agents began
	seen     map[string]time.Duration // request -> when the first machine had its change on disk
	commands map[commandKey]bool
	agents   []int // lives of each machine's agent
	life     *haLife
	repeated []linearizability.Violation
	fences   haFences
	live     liveness
}

// placed is a service on a machine.
type placed struct {
	sid     string
	machine env.MachineID
}

// life is a time in which a service ran on a machine.
type life struct {
	placed
	from, to time.Duration // to is forever while it lasts
}

const forever = time.Duration(math.MaxInt64)

// didAt is a command that the operator has given.
type didAt struct {
	on, what string
	at       time.Duration
}

// reset is the end of a machine by its watchdog.
type reset struct {
	machine env.MachineID
	at      time.Duration
	says    watchdogSays // zero when the hardware was not petted and nobody decided so
}

// watchdogSays is why a watchdog gave a machine up.
type watchdogSays struct {
	client string
	gone   bool // the client's process ended; else it was overdue
	at     time.Duration
}

// guard is the opening of a watchdog's connection.
type guard struct {
	machine env.MachineID
	client  string
	at      time.Duration
}

// fenced is the master's decision to do without a node.
type fenced struct {
	node string
	at   time.Duration
}

// failure is a start of a service that failed.
type failure struct {
	placed
	at time.Duration
}

// commandKey is a command in one life of an agent's machine.
type commandKey struct {
	machine env.MachineID
	life    int
	uid     string
}

func newHAWatch(subject *Subject, s *scenarios.Scenario) *haWatch {
	return &haWatch{subject: subject, scenario: s, active: map[string][]bool{}, open: map[placed]int{},
		expired: map[env.MachineID]watchdogSays{}, seen: map[string]time.Duration{},
		commands: map[commandKey]bool{}, agents: make([]int, len(s.Machines)), life: newHALife(s), live: newLiveness()}
}

func (w *haWatch) record(r scenarios.Stamped) {
	w.live.record(r)
	w.dead.record(w.scenario, r)
	w.fences.record(r, w.scenario.Machines[r.Machine])
	w.life.record(r)
	switch rec := r.Record.(type) {
	case resource.Active:
		w.setActive(r, rec.SID, rec.On)
	case resource.HostStarted:
		w.allDown(r)
	case host.ProgramHeartbeat:
		// A sign of life is as good as a start: whatever gives one runs, wherever it came from.
		if on := rec.Phase != host.ProgramEnded; on != w.runsOn(rec.Name, r.Machine) {
			w.setActive(r, rec.Name, on)
		}
	case scenarios.Power:
		w.switched(r, rec)
	case store.Applied:
		if _, known := w.seen[rec.Request]; !known && byProcess(rec.Request) {
			w.seen[rec.Request] = r.At
		}
	case watchdog.Guarded:
		if rec.On {
			w.guarded = append(w.guarded, guard{r.Machine, rec.Client, r.At})
		}
	case watchdog.Expired:
		w.expired[r.Machine] = watchdogSays{client: rec.Client, gone: !rec.Overdue, at: r.At}
	case haproc.LRMState:
		if rec.Started {
			w.agents[r.Machine]++
		}
	case haproc.CommandDone:
		w.commandDone(r, rec)
	case haproc.CommandBegun:
		w.commandBegun(r, rec)
	case haproc.FenceStep:
		if rec.Step == fenceBegins {
			w.givenUp = append(w.givenUp, fenced{rec.Node, r.At})
		}
	case haspec.OperatorDid:
		w.did = append(w.did, didAt{w.scenario.Machines[r.Machine], rec.What, r.At})
		if w.inPlace == 0 {
			w.inPlace = r.At
		}
	}
}

// fenceBegins is the step of a fence at which the master decides.
const fenceBegins = "FENCE"

func (w *haWatch) switched(r scenarios.Stamped, rec scenarios.Power) {
	w.power = append(w.power, powerChange{r.At, r.Machine, rec.On})
	if rec.On {
		return
	}
	if rec.Cause == scenarios.CauseWatchdog {
		w.resets = append(w.resets, reset{r.Machine, r.At, w.expired[r.Machine]})
	}
	delete(w.expired, r.Machine)
	w.allDown(r)
}

func (w *haWatch) names(machines []bool) string {
	var on []string
	for m, is := range machines {
		if is {
			on = append(on, w.scenario.Machines[m])
		}
	}
	return strings.Join(on, " and ")
}

// setActive notes that a service begins or ends to run on a machine.
func (w *haWatch) setActive(r scenarios.Stamped, sid string, on bool) {
	machines := w.active[sid]
	if machines == nil {
		machines = make([]bool, len(w.scenario.Machines))
		w.active[sid] = machines
	}
	if machines[r.Machine] == on {
		return
	}
	machines[r.Machine] = on
	key := placed{sid, r.Machine}
	if on {
		w.open[key] = len(w.lives)
		w.lives = append(w.lives, life{key, r.At, forever})
		return
	}
	w.lives[w.open[key]].to = r.At
}

func (w *haWatch) runsOn(sid string, m env.MachineID) bool {
	machines := w.active[sid]
	return machines != nil && machines[m]
}

// allDown: with the machine, or the process that holds them, all its guests end.
func (w *haWatch) allDown(r scenarios.Stamped) {
	for _, sid := range slices.Sorted(maps.Keys(w.active)) {
		if w.active[sid][r.Machine] {
			w.setActive(r, sid, false)
		}
	}
}

// commandDone notes a command that needs no repetition. Results do not survive an agent's life.
func (w *haWatch) commandDone(r scenarios.Stamped, rec haproc.CommandDone) {
	if rec.UID == "" || rec.State == string(ha.Stopped) {
		return // enforced for ever
	}
	key := commandKey{r.Machine, w.agents[r.Machine], rec.UID}
	if rec.ExitCode != int(ha.ExitSuccess) && rec.State == string(ha.Started) {
		w.failures = append(w.failures, failure{placed{rec.SID, r.Machine}, r.At})
	}
	retried := rec.State == string(ha.Started) && rec.ExitCode == int(ha.ExitError)
	w.commands[key] = !retried && rec.ExitCode != int(ha.ExitTryAgain)
}

// commandBegun: a command that came to its end must not be carried out again.
func (w *haWatch) commandBegun(r scenarios.Stamped, rec haproc.CommandBegun) {
	if rec.Target != "" {
		w.moves = append(w.moves, home{r.At, rec.Target})
	}
	if w.commands[commandKey{r.Machine, w.agents[r.Machine], rec.UID}] && rec.UID != "" {
		w.repeated = append(w.repeated, linearizability.Violation{Kind: RepeatedCommand, Explain: fmt.Sprintf(
			"at %v %s carries out %s of %s again, which has been done already (uid %s)",
			r.At, w.scenario.Machines[r.Machine], rec.State, rec.SID, rec.UID)})
	}
}
