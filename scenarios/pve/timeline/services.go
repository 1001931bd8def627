package timeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// laneServices has one row for each service: where it runs, when it moves, when it is down and why, with the
// requests for it as marks.
const laneServices = "services"

// maxServices bounds the services that have a lane of their own.
const maxServices = 60

// serviceLane is where one service runs.
type serviceLane struct {
	lane        scenarios.Lane
	runningOn   map[env.MachineID]bool
	lastMachine env.MachineID // where it ran last
	wasStarted  bool
	downReason  string // why it does not run
	moveTarget  string // where it is going
	movePercent int    // percent of the way there
}

// serviceLanes shows services across the machines.
type serviceLanes struct {
	nodeNames []string // of the nodes, by machine
	lanes     map[string]*serviceLane
	sids      []string
}

// newServiceLanes makes the lanes of the services that exist from the beginning.
func newServiceLanes(h *haspec.Spec, names []string) *serviceLanes {
	s := &serviceLanes{nodeNames: names, lanes: map[string]*serviceLane{}}
	for _, sid := range slices.Sorted(maps.Keys(h.Services)) {
		if len(s.sids) < maxServices {
			s.sids = append(s.sids, sid)
			s.lanes[sid] = &serviceLane{lane: scenarios.Lane{Machine: sid, Name: laneServices},
				runningOn: map[env.MachineID]bool{}}
		}
	}
	return s
}

// onRecord shows a record on the lanes of the services that it is about.
func (s *serviceLanes) onRecord(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case resource.Active:
		why := string(rec.Cause)
		if rec.On {
			why = ""
		}
		s.onActive(r, rec.SID, rec.On, why)
	case programs.Heartbeat:
		s.onActive(r, rec.Name, rec.Phase != programs.Ended, "ended")
	case resource.HostStarted:
		s.onMachineDown(r, "down")
	case scenarios.Power:
		if !rec.On {
			s.onMachineDown(r, "down: "+s.nodeNames[r.Machine]+" off, "+string(rec.Cause))
		}
	case haproc.CommandBegun:
		if l := s.lanes[rec.SID]; l != nil && rec.Target != "" {
			l.moveTarget, l.movePercent = rec.Target, 0
			s.writeSpan(l, r.At)
		}
	case haproc.MoveProgress:
		if l := s.lanes[rec.SID]; l != nil {
			l.movePercent = rec.Percent
		}
	case haproc.CommandDone:
		if l := s.lanes[rec.SID]; l != nil && l.moveTarget != "" {
			if rec.ExitCode != 0 {
				s.addMark(rec.SID, r.At, fmt.Sprintf("the way to %s has failed at %d%%", l.moveTarget,
					l.movePercent),
					"fail")
			}
			l.moveTarget = ""
			s.writeSpan(l, r.At)
		}
	case haproc.FenceStep:
		s.onFenced(r.At, rec)
	case haspec.OperatorDid:
		if words := strings.Fields(rec.What); len(words) > 1 && s.lanes[words[1]] != nil {
			text := "operator: " + rec.What
			if rec.Refused != "" {
				text += " (refused)"
			}
			s.addMark(words[1], r.At, text, "info")
		}
	}
}

// onActive shows that a service runs on a machine, or why it no longer does.
func (s *serviceLanes) onActive(r scenarios.Stamped, sid string, on bool, why string) {
	l := s.lanes[sid]
	if l == nil || !on && !l.runningOn[r.Machine] {
		return
	}
	if l.runningOn[r.Machine] = on; on {
		l.lastMachine, l.wasStarted = r.Machine, true
	} else {
		delete(l.runningOn, r.Machine)
		l.downReason = why
	}
	s.writeSpan(l, r.At)
}

// onMachineDown shows that all services of a machine have ended with it, or with the process that they run
// in.
func (s *serviceLanes) onMachineDown(r scenarios.Stamped, why string) {
	for _, sid := range s.sids {
		if l := s.lanes[sid]; l.runningOn[r.Machine] {
			s.onActive(r, sid, false, why)
			if p, ok := r.Record.(scenarios.Power); ok && p.Cause == scenarios.CauseWatchdog {
				s.addMark(sid, r.At, "the watchdog resets "+s.nodeNames[r.Machine], "fail")
			}
		}
	}
}

// onFenced shows the steps of a fence on the lanes of the services that wait for the node's death.
func (s *serviceLanes) onFenced(at time.Duration, f haproc.FenceStep) {
	for _, sid := range s.sids {
		l := s.lanes[sid]
		if len(l.runningOn) > 0 || !l.wasStarted || s.nodeNames[l.lastMachine] != f.Node {
			continue
		}
		l.downReason = "down: fencing " + f.Node
		if f.Step != ha.FenceStarted {
			l.downReason = "down: " + f.Node + " is fenced"
		}
		s.writeSpan(l, at)
	}
}

// writeSpan begins a new span with the present state, unless nothing changes.
func (s *serviceLanes) writeSpan(l *serviceLane, at time.Duration) {
	text, class := l.downReason, "idle"
	var nodes []string
	for _, m := range slices.Sorted(maps.Keys(l.runningOn)) {
		nodes = append(nodes, s.nodeNames[m])
	}
	switch {
	case len(nodes) > 1:
		text, class = strings.Join(nodes, " and "), "bad"
	case len(nodes) == 1 && l.moveTarget != "" && l.moveTarget != nodes[0]:
		text, class = nodes[0]+" → "+l.moveTarget, "warn"
	case len(nodes) == 1:
		text, class = nodes[0], "good"
	case l.downReason == string(resource.CauseSwitching):
		text, class = "stands still, "+s.nodeNames[l.lastMachine]+" ⇒ "+l.moveTarget, "warn"
	case l.downReason == string(resource.CauseStopped) || l.downReason == "ended":
		text, class = "stopped", "idle"
	case !l.wasStarted:
		text = "not started"
	default:
		class = "bad"
	}
	spans := &l.lane.Spans
	if n := len(*spans); n > 0 {
		s := &(*spans)[n-1]
		if s.Text == text && s.Class == class {
			return
		}
		s.To = max(at, s.From+1)
	}
	*spans = append(*spans, scenarios.Span{From: at, Text: text, Class: class})
}

// addMark puts an instant onto the lane of a service.
func (s *serviceLanes) addMark(sid string, at time.Duration, text, class string) {
	l := &s.lanes[sid].lane
	l.Marks = append(l.Marks, scenarios.Mark{At: at, Text: text, Class: class})
}

// markRequests marks what clients requested.
func (s *serviceLanes) markRequests(events []history.Event) {
	for i := range events {
		e := &events[i]
		if !haspec.IsRequest(e.F) || e.Type == history.Invoke || s.lanes[e.Key] == nil {
			continue
		}
		what := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.F, e.Key, strings.Trim(string(e.Value), `"`)))
		switch e.Type {
		case history.OK:
			s.addMark(e.Key, time.Duration(e.Time), "request "+e.ID+": "+what+", acknowledged", "ok")
		case history.Fail:
			s.addMark(e.Key, time.Duration(e.Time), "request "+e.ID+": "+what+", failed: "+e.Error, "fail")
		default:
			s.addMark(e.Key, time.Duration(e.Time), "request "+e.ID+": "+what+", outcome unknown: "+e.Error,
				"info")
		}
	}
}

// finishedLanes are the lanes, ended with the run.
func (s *serviceLanes) finishedLanes(end time.Duration) []scenarios.Lane {
	lanes := make([]scenarios.Lane, 0, len(s.sids))
	for _, sid := range s.sids {
		l := s.lanes[sid].lane
		if n := len(l.Spans); n > 0 {
			l.Spans[n-1].To = max(end, l.Spans[n-1].From+1)
		}
		slices.SortStableFunc(l.Marks, func(a, b scenarios.Mark) int { return int(a.At - b.At) })
		lanes = append(lanes, l)
	}
	return lanes
}
