package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// laneServices has one row for each service: where it runs, when it is on its way, when it is down
// and why, with the requests for it as marks.
const laneServices = "services"

// maxLifeLanes bounds the services whose lives a story tells.
const maxLifeLanes = 60

// biography is one service's life.
type biography struct {
	lane   scenarios.Lane
	on     map[env.MachineID]bool
	last   env.MachineID // where it ran last
	begun  bool
	why    string // why it does not run
	target string // where it is going
	done   int    // percent of the way there
}

// biographer tells the lives of services across the machines.
type biographer struct {
	names []string // of the machines
	lives map[string]*biography
	sids  []string
}

func newBiographer(h *haspec.Spec, names []string) *biographer {
	b := &biographer{names: names, lives: map[string]*biography{}}
	for _, sid := range slices.Sorted(maps.Keys(h.Services)) {
		if len(b.sids) < maxLifeLanes {
			b.sids = append(b.sids, sid)
			b.lives[sid] = &biography{lane: scenarios.Lane{Machine: sid, Name: laneServices}, on: map[env.MachineID]bool{}}
		}
	}
	return b
}

func (b *biographer) take(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case resource.Active:
		why := rec.Why
		if rec.On {
			why = ""
		}
		b.active(r, rec.SID, rec.On, why)
	case host.ProgramHeartbeat:
		b.active(r, rec.Name, rec.Phase != host.ProgramEnded, "ended")
	case resource.HostStarted:
		b.allDown(r, "down")
	case scenarios.Power:
		if !rec.On {
			b.allDown(r, "down: "+b.names[r.Machine]+" off, "+rec.Cause)
		}
	case haproc.CommandBegun:
		if l := b.lives[rec.SID]; l != nil && rec.Target != "" {
			l.target, l.done = rec.Target, 0
			b.write(l, r.At)
		}
	case haproc.MoveProgress:
		if l := b.lives[rec.SID]; l != nil {
			l.done = rec.Percent
		}
	case haproc.CommandDone:
		if l := b.lives[rec.SID]; l != nil && l.target != "" {
			if rec.ExitCode != 0 {
				b.mark(rec.SID, r.At, fmt.Sprintf("the way to %s has failed at %d%%", l.target, l.done), "fail")
			}
			l.target = ""
			b.write(l, r.At)
		}
	case haproc.FenceStep:
		b.fenced(r.At, rec)
	case haspec.OperatorDid:
		if words := strings.Fields(rec.What); len(words) > 1 && b.lives[words[1]] != nil {
			b.mark(words[1], r.At, "operator: "+rec.What, "info")
		}
	}
}

func (b *biographer) active(r scenarios.Stamped, sid string, on bool, why string) {
	l := b.lives[sid]
	if l == nil || !on && !l.on[r.Machine] {
		return
	}
	if l.on[r.Machine] = on; on {
		l.last, l.begun = r.Machine, true
	} else {
		delete(l.on, r.Machine)
		l.why = why
	}
	b.write(l, r.At)
}

// allDown: with a machine, or the process that holds them, its services end.
func (b *biographer) allDown(r scenarios.Stamped, why string) {
	for _, sid := range b.sids {
		if l := b.lives[sid]; l.on[r.Machine] {
			b.active(r, sid, false, why)
			if p, ok := r.Record.(scenarios.Power); ok && p.Cause == scenarios.CauseWatchdog {
				b.mark(sid, r.At, "the watchdog resets "+b.names[r.Machine], "fail")
			}
		}
	}
}

// fenced tells it on the lives that wait for a node's death.
func (b *biographer) fenced(at time.Duration, f haproc.FenceStep) {
	for _, sid := range b.sids {
		l := b.lives[sid]
		if len(l.on) > 0 || !l.begun || b.names[l.last] != f.Node {
			continue
		}
		l.why = "down: fencing " + f.Node
		if f.Step != "FENCE" {
			l.why = "down: " + f.Node + " is fenced"
		}
		b.write(l, at)
	}
}

// write begins a new span with what is so now.
func (b *biographer) write(l *biography, at time.Duration) {
	text, class := l.why, "idle"
	var nodes []string
	for _, m := range slices.Sorted(maps.Keys(l.on)) {
		nodes = append(nodes, b.names[m])
	}
	switch {
	case len(nodes) > 1:
		text, class = strings.Join(nodes, " and "), "bad"
	case len(nodes) == 1 && l.target != "" && l.target != nodes[0]:
		text, class = nodes[0]+" → "+l.target, "warn"
	case len(nodes) == 1:
		text, class = nodes[0], "good"
	case l.why == resource.WhySwitching:
		text, class = "stands still, "+b.names[l.last]+" ⇒ "+l.target, "warn"
	case l.why == resource.WhyStopped || l.why == "ended":
		text, class = "stopped", "idle"
	case !l.begun:
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

func (b *biographer) mark(sid string, at time.Duration, text, class string) {
	l := &b.lives[sid].lane
	l.Marks = append(l.Marks, scenarios.Mark{At: at, Text: text, Class: class})
}

// requests marks what clients asked for.
func (b *biographer) requests(events []history.Event) {
	for i := range events {
		e := &events[i]
		if !haspec.IsRequest(e.F) || e.Type == history.Invoke || b.lives[e.Key] == nil {
			continue
		}
		what := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.F, e.Key, text(e)))
		switch e.Type {
		case history.OK:
			b.mark(e.Key, time.Duration(e.Time), "request "+e.ID+": "+what+", acknowledged", "ok")
		case history.Fail:
			b.mark(e.Key, time.Duration(e.Time), "request "+e.ID+": "+what+", failed: "+e.Error, "fail")
		default:
			b.mark(e.Key, time.Duration(e.Time), "request "+e.ID+": "+what+", outcome unknown: "+e.Error, "info")
		}
	}
}

// lanes are the lives, ended with the run.
func (b *biographer) lanes(end time.Duration) []scenarios.Lane {
	lanes := make([]scenarios.Lane, 0, len(b.sids))
	for _, sid := range b.sids {
		l := b.lives[sid].lane
		if n := len(l.Spans); n > 0 {
			l.Spans[n-1].To = max(end, l.Spans[n-1].From+1)
		}
		slices.SortStableFunc(l.Marks, func(a, b scenarios.Mark) int { return int(a.At - b.At) })
		lanes = append(lanes, l)
	}
	return lanes
}
