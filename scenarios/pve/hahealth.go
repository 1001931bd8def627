package pve

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// health is what the faults and the power switches of a run left of the cluster, over time. It is
// worked out from what was done to the machines, never from what they say of themselves, so it
// tells what a cluster without mistakes could have done.
type health struct {
	names  []string
	votes  []uint32
	run    *scenarios.Run
	power  []powerChange
	phases []phase
}

// powerChange is a machine's going on or off.
type powerChange struct {
	at      time.Duration
	machine env.MachineID
	on      bool
}

// phase is a time in which nothing changed.
type phase struct {
	from, to time.Duration
	there    []bool // by machine: it may be in a ring
	late     []bool // and whatever it sends or gets takes longer than the members of a ring wait for each other's joins
	failing  []bool // and its disk fails, so it falls out of the next ring and comes back with its disk
	up       []bool // and its store works
	cut      []bool // by pair of machines: the link is cut
	fine     []bool // by machine: it is in a partition that must have quorum, and its store works
	agent    []bool // fine, and its LRM and its guests' host run
	manager  []bool // fine, and its CRM runs
	halted   []halted
	// unclear: the network is not transitive, or loses so much to and from a machine of the ring that
	// the ring does not hold. Nobody can say who belongs together.
	unclear bool
}

// halted are the processes of a machine that faults keep from running.
type halted struct{ lrm, crm, host, watchdog bool }

// newHealth works the phases out.
func newHealth(subject *Subject, s *scenarios.Scenario, r *scenarios.Run, power []powerChange) *health {
	h := &health{names: s.Machines, run: r, power: power}
	for i := range s.Machines {
		votes := uint32(1)
		if i < len(subject.conf.Nodes) {
			votes = subject.conf.Nodes[i].Votes()
		}
		h.votes = append(h.votes, votes)
	}
	points := []time.Duration{0, r.Duration}
	for i := range r.Applied {
		a := &r.Applied[i]
		points = append(points, a.Begun[0], h.ends(a))
		if k := a.Fault.Kind; k == fault.DiskError || k == fault.DiskFull {
			points = append(points, h.ends(a)+r.Timescale.Of(diskReturns))
		}
	}
	for _, p := range power {
		points = append(points, p.at)
	}
	points = slices.DeleteFunc(points, func(at time.Duration) bool { return at < 0 || at > r.Duration })
	slices.Sort(points)
	points = slices.Compact(points)
	for i, from := range points[:len(points)-1] {
		p := h.phase(from, points[i+1])
		if last := len(h.phases) - 1; last >= 0 && h.phases[last].same(&p) {
			h.phases[last].to = p.to
			continue
		}
		h.phases = append(h.phases, p)
	}
	return h
}

// same says whether nothing that matters is different in two phases.
func (p *phase) same(q *phase) bool {
	return p.unclear == q.unclear && slices.Equal(p.there, q.there) && slices.Equal(p.late, q.late) && slices.Equal(p.failing, q.failing) &&
		slices.Equal(p.up, q.up) && slices.Equal(p.cut, q.cut) && slices.Equal(p.fine, q.fine) && slices.Equal(p.agent, q.agent) &&
		slices.Equal(p.manager, q.manager) && slices.Equal(p.halted, q.halted)
}

// acts says whether a fault acts on a phase that begins at an instant.
func (h *health) acts(a *scenarios.Applied, at time.Duration) bool {
	return a.Problem == "" && a.Begun[1] > 0 && a.Begun[0] <= at && at < h.ends(a)
}

// ends is when a fault was over; the run's end when it never was.
func (h *health) ends(a *scenarios.Applied) time.Duration {
	if a.Ended[1] == 0 {
		return h.run.Duration
	}
	return a.Ended[1]
}

func (h *health) on(m env.MachineID, at time.Duration) bool {
	on := false
	for _, p := range h.power {
		if p.machine == m && p.at <= at {
			on = p.on
		}
	}
	return on
}

// hits says whether a fault is one of this machine.
func (h *health) hits(f *fault.Fault, m env.MachineID) bool {
	return slices.Contains(f.Machines, h.names[m]) || slices.Contains(f.Machines, fault.All)
}

func stops(k fault.Kind) bool { return k == fault.Kill || k == fault.Pause }

// stopped says whether a process of a machine is kept from running by a fault.
func (h *health) stopped(m env.MachineID, process string, at time.Duration) bool {
	for i := range h.run.Applied {
		a := &h.run.Applied[i]
		f := &a.Fault
		// What a reset machine runs is not paused, unless the pause came while it was off.
		over := f.Kind == fault.Pause && h.on(m, a.Begun[0]) && h.started(m, a.Begun[0], at)
		if stops(f.Kind) && !over && h.hits(f, m) && (f.Process == "" || f.Process == process) && h.acts(a, at) {
			return true
		}
	}
	return false
}

// diskReturns is how long after an error of its disk a store may take to serve again.
const diskReturns = 15 * time.Second

// broken says whether a machine's disk keeps its store from working.
func (h *health) broken(m env.MachineID, at time.Duration) bool {
	for i := range h.run.Applied {
		a := &h.run.Applied[i]
		if !h.hits(&a.Fault, m) || a.Begun[1] == 0 || a.Begun[0] > at {
			continue
		}
		switch a.Fault.Kind {
		case fault.DiskStall:
			if h.acts(a, at) {
				return true
			}
		case fault.DiskError, fault.DiskFull:
			if at < h.ends(a)+h.run.Timescale.Of(diskReturns) && !h.started(m, h.ends(a), at) {
				return true
			}
		}
	}
	return false
}

// failing says whether a machine's disk refuses what a ring keeps there.
func (h *health) failing(m env.MachineID, at time.Duration) bool {
	return slices.ContainsFunc(h.run.Applied, func(a scenarios.Applied) bool {
		return (a.Fault.Kind == fault.DiskError || a.Fault.Kind == fault.DiskFull) && h.hits(&a.Fault, m) && h.acts(&a, at)
	})
}

// started says whether a machine was switched on in a time.
func (h *health) started(m env.MachineID, from, to time.Duration) bool {
	return slices.ContainsFunc(h.power, func(p powerChange) bool {
		return p.on && p.machine == m && from <= p.at && p.at <= to
	})
}

func (h *health) phase(from, to time.Duration) phase {
	n := len(h.names)
	p := phase{from: from, to: to, fine: make([]bool, n), agent: make([]bool, n), manager: make([]bool, n)}
	there, late, up, failing := make([]bool, n), make([]bool, n), make([]bool, n), make([]bool, n)
	for m := range env.MachineID(n) {
		there[m] = h.on(m, from) && !h.stopped(m, cpg.Process, from)
		late[m] = there[m] && h.link(m, from, func(f *fault.Fault) bool { return f.Latency+f.Jitter >= lateJoin })
		failing[m] = there[m] && h.failing(m, from)
		up[m] = there[m] && !h.broken(m, from) && !h.stopped(m, store.Process, from)
	}
	p.there, p.late, p.failing, p.up = there, late, failing, up
	reaches, unclear := h.reach(from, there) // a ring has members whose store is not up, too
	for m := range env.MachineID(n) {
		unclear = unclear || there[m] && h.link(m, from, func(f *fault.Fault) bool { return f.Loss >= badLoss })
	}
	p.unclear = unclear
	for a := range n {
		for b := range n {
			p.cut = append(p.cut, !reaches(a, b))
		}
	}
	var all uint32
	for _, v := range h.votes {
		all += v
	}
	for m := range n {
		id := env.MachineID(m)
		var votes uint32
		for other := range n {
			if up[other] && reaches(m, other) {
				votes += h.votes[other]
			}
		}
		p.fine[m] = up[m] && !unclear && 2*votes > all
		off := halted{lrm: h.stopped(id, haproc.LRMProcess, from), crm: h.stopped(id, haproc.CRMProcess, from),
			host: h.stopped(id, resource.HostProcess, from), watchdog: h.stopped(id, watchdog.Process, from)}
		p.halted = append(p.halted, off)
		p.agent[m] = p.fine[m] && !off.lrm && !off.host && !off.watchdog
		p.manager[m] = p.fine[m] && !off.crm && !off.watchdog
	}
	return p
}

// reach says who reaches whom, and whether that fails to divide those who are up into groups: a
// link that flaps or passes only one way, or two that have only a third in common.
func (h *health) reach(at time.Duration, up []bool) (reaches func(a, b int) bool, unclear bool) {
	net := fault.NewNet(h.names, fault.Condition{})
	for i := range h.run.Applied {
		a := &h.run.Applied[i]
		if a.Fault.IsNetwork() && h.acts(a, at) {
			f := a.Fault
			unclear = unclear || f.Kind == fault.Flap
			net.Begin(&f)
		}
	}
	reaches = func(a, b int) bool {
		c := net.Between(a, b)
		return !c.Cut && c.Loss < fault.Always
	}
	n := len(h.names)
	for a := range n {
		for b := range n {
			if !up[a] || !up[b] || a == b {
				continue
			}
			unclear = unclear || reaches(a, b) != reaches(b, a)
			for c := range n {
				unclear = unclear || up[c] && reaches(a, b) && reaches(b, c) && !reaches(a, c)
			}
		}
	}
	return reaches, unclear
}

// badLoss is how much may be lost to and from a machine before its ring cannot be relied on: a token
// that passes it some hundred times a second gets lost for good every few seconds.
const badLoss = fault.Always / 20

// lateJoin is half of what Totem waits for the others' joins before it asks again (corosync.conf(5), join):
// the answer of a machine that is further away comes into the next gathering, so it may take long to come
// back.
const lateJoin = 25 * time.Millisecond

// link says whether a fault of a kind acts on the link between a machine and the network.
func (h *health) link(m env.MachineID, at time.Duration, is func(*fault.Fault) bool) bool {
	return slices.ContainsFunc(h.run.Applied, func(a scenarios.Applied) bool {
		f := &a.Fault
		return f.Kind == fault.Link && slices.Contains(f.From, h.names[m]) && h.acts(&a, at) && is(f)
	})
}

// at is the phase of an instant.
func (h *health) at(at time.Duration) *phase {
	i, found := slices.BinarySearchFunc(h.phases, at, func(p phase, at time.Duration) int { return cmp.Compare(p.from, at) })
	if !found {
		i--
	}
	return &h.phases[max(i, 0)]
}

// What a machine needs to come back from trouble.
const (
	// settles is how long a machine may take from the end of its troubles until its lock is renewed:
	// a new ring, the store's new epoch, a call that runs out of time, a round.
	settles = 32 * time.Second
	// resettles is the same after another machine came or went, for one that had settled.
	resettles = 24 * time.Second
)

// settled is the last instant within a time at which something had held for so long, without
// interruption, that whatever is done every round has certainly been done shortly before; false when
// there is none. Times before from count, too: who was well until a short trouble had no need to
// settle before it.
func (h *health) settled(from, to time.Duration, holds func(*phase) bool) (last time.Duration, found bool) {
	scaled := h.run.Timescale.Of
	back := from - scaled(2*settles)
	troubled := true
	var begun time.Duration
	for i := range h.phases {
		p := &h.phases[i]
		if p.to <= back || p.from >= to {
			continue
		}
		if !holds(p) {
			troubled = true
			continue
		}
		if troubled {
			begun, troubled = p.from, false
		}
		end := min(p.to, to)
		if needs := begun + scaled(settles); end > from && end >= needs && end-p.from >= scaled(resettles) {
			last, found = end, true
		}
	}
	return last, found
}
