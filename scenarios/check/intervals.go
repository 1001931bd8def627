package check

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Interval is a run interval: a time in which a service ran on a machine. To is Forever while it runs.
type Interval struct {
	Service string
	Machine env.MachineID
	Span
}

// Intervals collects the run intervals of services. A service is anything that must not run on two machines
// at once, such as a virtual machine, a leader or the holder of a lock.
type Intervals struct {
	machines         int
	runningByService map[string][]bool        // by service: on which machines it runs now
	inBeginOrder     []Interval               // in the order of their beginnings
	openIndex        map[serviceOnMachine]int // the interval of all that has not ended
}

// serviceOnMachine is a service on a machine.
type serviceOnMachine struct {
	service string
	machine env.MachineID
}

// NewIntervals makes an empty collection for a number of machines.
func NewIntervals(machines int) *Intervals {
	return &Intervals{machines: machines, runningByService: map[string][]bool{},
		openIndex: map[serviceOnMachine]int{}}
}

// Set records that a service starts or stops on a machine at an instant. It does nothing if the service is
// already in that state. Instants must not decrease.
func (v *Intervals) Set(service string, m env.MachineID, at time.Duration, running bool) {
	machines := v.runningByService[service]
	if machines == nil {
		machines = make([]bool, v.machines)
		v.runningByService[service] = machines
	}
	if machines[m] == running {
		return
	}
	machines[m] = running
	if running {
		v.openIndex[serviceOnMachine{service, m}] = len(v.inBeginOrder)
		v.inBeginOrder = append(v.inBeginOrder, Interval{service, m, Span{at, Forever}})
		return
	}
	v.inBeginOrder[v.openIndex[serviceOnMachine{service, m}]].To = at
}

// EndAll records that all services of a machine have stopped, because it lost power or their host process
// ended.
func (v *Intervals) EndAll(m env.MachineID, at time.Duration) {
	for _, service := range slices.Sorted(maps.Keys(v.runningByService)) {
		v.Set(service, m, at, false)
	}
}

// Running reports whether a service runs on a machine now, or ran there when the run ended.
func (v *Intervals) Running(service string, m env.MachineID) bool {
	machines := v.runningByService[service]
	return machines != nil && machines[m]
}

// Machines returns the machines on which a service runs now, or ran when the run ended.
func (v *Intervals) Machines(service string) (on []env.MachineID) {
	for m, is := range v.runningByService[service] {
		if is {
			on = append(on, env.MachineID(m))
		}
	}
	return on
}

// All are the run intervals in the order of their beginnings. Do not change them.
func (v *Intervals) All() []Interval { return v.inBeginOrder }

// Outages are the times until end in which a service ran on no machine, by its run intervals among those
// given, in any order.
func Outages(intervals []Interval, service string, end time.Duration) (outages []Span) {
	own := slices.DeleteFunc(slices.Clone(intervals), func(i Interval) bool { return i.Service != service })
	slices.SortFunc(own, func(a, b Interval) int { return cmp.Compare(a.From, b.From) })
	up := time.Duration(0) // it had run somewhere until then, or nothing is known before
	for _, i := range append(own, Interval{Span: Span{end, Forever}}) {
		if i.From > up {
			outages = append(outages, Span{up, i.From})
		}
		up = max(up, i.To)
	}
	return outages
}

// Downtime is for how long a service ran on no machine from its first start until end, or in the whole
// time when it never ran.
func Downtime(intervals []Interval, service string, end time.Duration) (down time.Duration) {
	first := Forever
	for _, i := range intervals {
		if i.Service == service {
			first = min(first, i.From)
		}
	}
	for _, o := range Outages(intervals, service, end) {
		if first == Forever || o.From >= first {
			down += o.To - o.From
		}
	}
	return down
}
