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
	// runningNodes is the node on which each guest runs at the end, double the guests that ran on two at
	// once.
	runningNodes map[string]string
	doubleRuns   []conformance.DoubleRun
}

// observeRun returns what a run showed.
func observeRun(run *scenarios.Run) *observed {
	f := &runFollower{run: run, runningOn: map[string][]bool{},
		beginTime: run.Scenario.Warmup + allOffTime, endTime: run.Scenario.Warmup + run.Scenario.Duration}
	logs, records := run.Logs, run.Records
	for len(logs) > 0 || len(records) > 0 {
		if len(records) == 0 || len(logs) > 0 && logs[0].At <= records[0].At {
			f.onLogLine(&logs[0])
			logs = logs[1:]
			continue
		}
		f.onRecord(&records[0])
		records = records[1:]
	}
	f.observed.runningNodes = map[string]string{}
	for _, sid := range slices.Sorted(maps.Keys(f.runningOn)) {
		var names []string
		for m, is := range f.runningOn[sid] {
			if is {
				names = append(names, run.Scenario.Machines[m])
			}
		}
		if len(names) > 0 {
			f.observed.runningNodes[sid] = strings.Join(names, " and ")
		}
	}
	return &f.observed
}

// runFollower goes through the log lines and records of a run in the order of time.
type runFollower struct {
	run                *scenarios.Run
	beginTime, endTime time.Duration
	runningOn          map[string][]bool
	observed           observed
}

func (f *runFollower) scenarioSeconds(at time.Duration) int64 {
	return int64((at - f.beginTime) / time.Second)
}

func (f *runFollower) isInWindow(at time.Duration) bool { return at >= f.beginTime && at < f.endTime }

// levels are the words of expected logs.
var levels = map[string]string{"INFO": "info", "WARN": "warn", "ERROR": "err"}

func (f *runFollower) onLogLine(l *scenarios.LogLine) {
	if !f.isInWindow(l.At) || l.Process != haproc.CRMProcess && l.Process != haproc.LRMProcess {
		return
	}
	f.observed.log = append(f.observed.log,
		conformance.Line{Level: levels[l.Level], Seconds: f.scenarioSeconds(l.At),
			ID: l.Machine + "/" + l.Process, Message: l.Text})
}

func (f *runFollower) onRecord(r *scenarios.Stamped) {
	if !f.isInWindow(r.At) {
		return
	}
	switch rec := r.Record.(type) {
	case resource.Active:
		f.onActive(r, rec.SID, rec.On)
	case resource.HostStarted:
		f.onMachineDown(r.Machine)
	case scenarios.Power:
		if rec.On {
			return
		}
		f.onMachineDown(r.Machine)
		f.observed.log = append(f.observed.log,
			conformance.Line{Level: "info", Seconds: f.scenarioSeconds(r.At), ID: string(rec.Cause),
				Message: "execute power " + f.run.Scenario.Machines[r.Machine] + " off"})
	}
}

func (f *runFollower) onActive(r *scenarios.Stamped, sid string, on bool) {
	if f.runningOn[sid] == nil {
		f.runningOn[sid] = make([]bool, len(f.run.Scenario.Machines))
	}
	f.runningOn[sid][r.Machine] = on
	for m, is := range f.runningOn[sid] {
		if on && is && env.MachineID(m) != r.Machine {
			f.observed.doubleRuns = append(f.observed.doubleRuns,
				conformance.DoubleRun{SID: sid, Seconds: f.scenarioSeconds(r.At),
					Nodes: [2]string{f.run.Scenario.Machines[m], f.run.Scenario.Machines[r.Machine]}})
		}
	}
}

func (f *runFollower) onMachineDown(m env.MachineID) {
	for _, machines := range f.runningOn {
		machines[m] = false
	}
}
