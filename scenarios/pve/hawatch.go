package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// haWatch observes the HA manager in one run. It believes the guests, the machines' power
// switches and the store's order, and nothing that the HA manager says of itself, except which
// commands its agents carried out.
type haWatch struct {
	subject  *Subject
	scenario *scenarios.Scenario
	dead     deadWatch
	quorate  []bool // by machine
	regained []time.Duration

	active   map[string][]bool // sid -> on which machines it runs
	spans    []serviceSpan     // in which it ran anywhere
	open     map[string]int    // sid -> its open span
	inPlace  time.Duration     // when the operator had put the files into place; 0 before
	resets   []reset
	changes  map[string]*lockChange // by request
	order    []*lockChange
	commands map[commandKey]bool
	lives    []int // of each machine's agent
	life     *haLife
	double   []linearizability.Violation
	repeated []linearizability.Violation
	fences   haFences
}

// serviceSpan is a time in which a service ran somewhere.
type serviceSpan struct {
	sid      string
	from, to time.Duration // to is 0 while it lasts
}

type reset struct {
	machine env.MachineID
	at      time.Duration
}

// lockChange is a change of a lock as the store's order has it.
type lockChange struct {
	name     string
	by       string // machine/process
	op       string
	revision uint64
	at       time.Duration // when the first machine had it on disk
	answered bool
}

// commandKey is a command in one life of an agent's machine.
type commandKey struct {
	machine env.MachineID
	life    int
	uid     string
}

func newHAWatch(subject *Subject, s *scenarios.Scenario) *haWatch {
	return &haWatch{subject: subject, scenario: s, quorate: make([]bool, len(s.Machines)),
		active: map[string][]bool{}, open: map[string]int{}, changes: map[string]*lockChange{},
		commands: map[commandKey]bool{}, lives: make([]int, len(s.Machines)), life: newHALife(s)}
}

func (w *haWatch) record(r scenarios.Stamped) {
	w.dead.record(w.scenario, r)
	w.fences.record(r, w.scenario.Machines[r.Machine])
	w.life.record(r)
	switch rec := r.Record.(type) {
	case resource.Active:
		w.setActive(r, rec.SID, rec.On)
	case resource.HostStarted:
		w.allDown(r)
	case host.ProgramLife:
		// A sign of life is as good as a start: whatever gives one runs, wherever it came from.
		if on := rec.Phase != host.ProgramEnded; on != w.runsOn(rec.Name, r.Machine) {
			w.setActive(r, rec.Name, on)
		}
	case scenarios.Power:
		if rec.On {
			return
		}
		if rec.Cause == scenarios.CauseWatchdog {
			w.resets = append(w.resets, reset{r.Machine, r.At})
		}
		w.quorate[r.Machine] = false
		w.allDown(r)
	case node.QuorumView:
		had := slices.Contains(w.quorate, true)
		w.quorate[r.Machine] = rec.Quorate
		if !had && rec.Quorate {
			w.regained = append(w.regained, r.At)
		}
	case store.Applied:
		w.applied(r, rec)
	case store.Acknowledged:
		if c := w.changes[rec.Request]; c != nil {
			c.answered = true
		}
	case daemon.LRMState:
		if rec.Started {
			w.lives[r.Machine]++
		}
	case daemon.CommandDone:
		w.commandDone(r, rec)
	case daemon.CommandBegun:
		w.commandBegun(r, rec)
	case OperatorDid:
		if w.inPlace == 0 {
			w.inPlace = r.At
		}
	}
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

// setActive: a service must not run on two machines, not for an instant.
func (w *haWatch) setActive(r scenarios.Stamped, sid string, on bool) {
	machines := w.active[sid]
	if machines == nil {
		machines = make([]bool, len(w.scenario.Machines))
		w.active[sid] = machines
	}
	before := slices.Contains(machines, true)
	machines[r.Machine] = on
	after := slices.Contains(machines, true)
	switch {
	case on && before:
		w.double = append(w.double, linearizability.Violation{Kind: linearizability.DoubleRun, Explain: fmt.Sprintf(
			"at %v service %s runs on %s", r.At, sid, w.names(machines))})
	case after && !before:
		w.open[sid] = len(w.spans)
		w.spans = append(w.spans, serviceSpan{sid: sid, from: r.At})
	case before && !after:
		w.spans[w.open[sid]].to = max(r.At, w.spans[w.open[sid]].from+1)
	}
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

func (w *haWatch) applied(r scenarios.Stamped, rec store.Applied) {
	name, isLock := strings.CutPrefix(rec.Path, lock.Dir+"/")
	if !isLock || w.changes[rec.Request] != nil {
		return
	}
	parts := strings.SplitN(rec.Request, "/", 3)
	by := rec.Request
	if len(parts) == 3 {
		by = parts[0] + "/" + parts[1]
	}
	c := &lockChange{name: name, by: by, op: rec.Op, revision: rec.Revision, at: r.At}
	w.changes[rec.Request] = c
	w.order = append(w.order, c)
}

// commandDone notes a command that needs no repetition. Results do not survive an agent's life.
func (w *haWatch) commandDone(r scenarios.Stamped, rec daemon.CommandDone) {
	if rec.UID == "" || rec.State == string(ha.Stopped) {
		return // enforced for ever
	}
	key := commandKey{r.Machine, w.lives[r.Machine], rec.UID}
	retried := rec.State == string(ha.Started) && rec.ExitCode == int(ha.ExitError)
	w.commands[key] = !retried && rec.ExitCode != int(ha.ExitTryAgain)
}

// commandBegun: a command that came to its end must not be carried out again.
func (w *haWatch) commandBegun(r scenarios.Stamped, rec daemon.CommandBegun) {
	if w.commands[commandKey{r.Machine, w.lives[r.Machine], rec.UID}] && rec.UID != "" {
		w.repeated = append(w.repeated, linearizability.Violation{Kind: RepeatedCommand, Explain: fmt.Sprintf(
			"at %v %s carries out %s of %s again, which has been done already (uid %s)",
			r.At, w.scenario.Machines[r.Machine], rec.State, rec.SID, rec.UID)})
	}
}

// wanted are the services that must run all the time: requested as started at the beginning and
// not touched by the operator.
func (h *HASpec) wanted() []string {
	services, _, err := config.ParseResources(h.resources())
	if err != nil {
		panic("pve: resources that were accepted cannot be read: " + err.Error())
	}
	for _, c := range h.Commands {
		if words := strings.Fields(c.Run); words[0] == "set" || words[0] == "remove" || words[0] == "stop" {
			delete(services, words[1])
		}
		if strings.Contains(c.Run, "disarm") {
			return nil
		}
	}
	for sid, cd := range services {
		if cd.State != ha.WantStarted {
			delete(services, sid)
		}
	}
	return slices.Sorted(maps.Keys(services))
}
