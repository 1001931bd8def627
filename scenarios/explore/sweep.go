package explore

import (
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Limits of a sweep.
const (
	maxSweptCall    = 64
	maxSweepWindows = 40
)

// sweptFaults are the faults that a sweep lets act at a disk call.
var sweptFaults = []struct {
	kind fault.Kind
	all  bool // on every machine
}{{fault.Kill, false}, {fault.PowerCut, false}, {fault.PowerCut, true}}

// addSweep replaces the nemesis by crashes at disk calls. The seeds enumerate the calls: each window of a run
// crashes at the next one, each seed goes on where the one before ended, with one of the kinds of crashes.
func (d *disturber) addSweep() {
	s := d.scenario
	windows := min(max(int(s.Duration/(4*d.timers.Longest)), 1), maxSweepWindows)
	length := s.Duration / time.Duration(windows)
	swept := sweptFaults[d.seed%uint64(len(sweptFaults))]
	round := d.seed / uint64(len(sweptFaults))
	for w := range uint64(windows) {
		step := round*uint64(windows) + w
		f := fault.Fault{Kind: swept.kind, At: length * time.Duration(w), Machines: []string{fault.All}}
		f.For = min(max(d.between("length", d.timers.Shortest/4, 2*d.timers.Longest), 1), length)
		f.AtDiskCall, f.AfterCall = int(1+step%maxSweptCall), step/maxSweptCall%2 == 1
		if !swept.all {
			f.Machines = nil
			if role := d.choose("role", len(d.roles)+1); role < len(d.roles) {
				f.Role = d.roles[role]
			} else {
				f.Machines = []string{s.Machines[d.choose("machine", len(s.Machines))]}
			}
		}
		d.schedule.Add(f)
	}
}
