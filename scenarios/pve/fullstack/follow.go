package fullstack

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// observed is what a run showed from a scenario's time 0 to its end.
type observed struct {
	// log has the lines of the HA manager's daemons and of the machines' power switches.
	log []conformance.Line
	// running is the node on which each guest runs at the end, double the guests that ran on two at once.
	running map[string]string
	double  []conformance.DoubleRun
}

// observe returns what a run showed.
func observe(run *scenarios.Run) *observed {
	f := &follower{run: run, on: map[string][]bool{},
		from: run.Scenario.Warmup + darkTime, to: run.Scenario.Warmup + run.Scenario.Duration}
	logs, records := run.Logs, run.Records
	for len(logs) > 0 || len(records) > 0 {
		if len(records) == 0 || len(logs) > 0 && logs[0].At <= records[0].At {
			f.logged(&logs[0])
			logs = logs[1:]
			continue
		}
		f.recorded(&records[0])
		records = records[1:]
	}
	f.out.running = map[string]string{}
	for _, sid := range slices.Sorted(maps.Keys(f.on)) {
		var names []string
		for m, is := range f.on[sid] {
			if is {
				names = append(names, run.Scenario.Machines[m])
			}
		}
		if len(names) > 0 {
			f.out.running[sid] = strings.Join(names, " and ")
		}
	}
	return &f.out
}

// follower goes through the log lines and records of a run in the order of time.
type follower struct {
	run      *scenarios.Run
	from, to time.Duration
	on       map[string][]bool
	out      observed
}

func (f *follower) seconds(at time.Duration) int64 { return int64((at - f.from) / time.Second) }

func (f *follower) within(at time.Duration) bool { return at >= f.from && at < f.to }

// levels are the words of expected logs.
var levels = map[string]string{"INFO": "info", "WARN": "warn", "ERROR": "err"}

func (f *follower) logged(l *scenarios.LogLine) {
	if !f.within(l.At) || l.Process != haproc.CRMProcess && l.Process != haproc.LRMProcess {
		return
	}
	f.out.log = append(f.out.log, conformance.Line{Level: levels[l.Level], Seconds: f.seconds(l.At),
		ID: l.Machine + "/" + l.Process, Message: l.Text})
}

func (f *follower) recorded(r *scenarios.Stamped) {
	if !f.within(r.At) {
		return
	}
	switch rec := r.Record.(type) {
	case resource.Active:
		f.active(r, rec.SID, rec.On)
	case resource.HostStarted:
		f.allDown(r.Machine)
	case scenarios.Power:
		if rec.On {
			return
		}
		f.allDown(r.Machine)
		f.out.log = append(f.out.log, conformance.Line{Level: "info", Seconds: f.seconds(r.At), ID: rec.Cause,
			Message: "execute power " + f.run.Scenario.Machines[r.Machine] + " off"})
	}
}

func (f *follower) active(r *scenarios.Stamped, sid string, on bool) {
	if f.on[sid] == nil {
		f.on[sid] = make([]bool, len(f.run.Scenario.Machines))
	}
	f.on[sid][r.Machine] = on
	for m, is := range f.on[sid] {
		if on && is && env.MachineID(m) != r.Machine {
			f.out.double = append(f.out.double, conformance.DoubleRun{SID: sid, Seconds: f.seconds(r.At),
				Nodes: [2]string{f.run.Scenario.Machines[m], f.run.Scenario.Machines[r.Machine]}})
		}
	}
}

func (f *follower) allDown(m env.MachineID) {
	for _, machines := range f.on {
		machines[m] = false
	}
}
