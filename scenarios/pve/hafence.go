package pve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// haFences observes fence devices: what masters claim of them, and what the world knows.
type haFences struct {
	claims   []fenceClaim
	switched []switchedOff
	powered  []powerSpan
}

// fenceClaim is a fencing that a process says was confirmed.
type fenceClaim struct {
	by       string // machine/process
	node     string
	version  uint64
	from, to time.Duration
	ended    bool
}

// switchedOff is an instant at which a device took a machine's power away, or kept it off.
type switchedOff struct {
	machine env.MachineID
	at      time.Duration
}

// powerSpan is a time in which a machine had no power; to is 0 while it lasts.
type powerSpan struct {
	machine  env.MachineID
	from, to time.Duration
}

func (f *haFences) record(r scenarios.Stamped, machine string) {
	switch rec := r.Record.(type) {
	case fence.Started:
		f.claims = append(f.claims, fenceClaim{by: machine + "/" + r.Process, node: rec.Node, version: rec.Version, from: r.At})
	case fence.Ended:
		for i := len(f.claims) - 1; i >= 0; i-- {
			if c := &f.claims[i]; c.by == machine+"/"+r.Process && c.node == rec.Node {
				c.to, c.ended = r.At, rec.OK
				break
			}
		}
	case scenarios.Switched:
		if !rec.On {
			f.switched = append(f.switched, switchedOff{r.Machine, r.At})
		}
	case scenarios.Power:
		if !rec.On {
			f.powered = append(f.powered, powerSpan{machine: r.Machine, from: r.At})
			return
		}
		for i := range f.powered {
			if p := &f.powered[i]; p.machine == r.Machine && p.to == 0 {
				p.to = r.At
			}
		}
	}
}

// provenDead says whether a lock may change hands within its life, because its holder of that very
// version is dead: the one who takes it has fenced the holder's machine after that version came into
// being and before taking it, and the world confirms for that time that the machine had no power,
// and, where the world knows its devices, that one of them did it.
func (w *haWatch) provenDead(r *scenarios.Run, before, taken *change) bool {
	holder, _, _ := strings.Cut(before.by, "/")
	machine := w.machineNamed(holder)
	for _, c := range w.fences.claims {
		if !c.ended || c.by != taken.by || c.version != before.Rev || c.from < before.at || c.to > taken.at ||
			machine < 0 || c.node != w.subject.NodeNames()[machine] {
			continue
		}
		if w.fences.wasOff(machine, c.from, c.to) && (r.World != "sim" || w.fences.wasSwitched(machine, c.from, c.to)) {
			return true
		}
	}
	return false
}

// laneFencing shows what fence devices do to a machine.
const laneFencing = "fencing"

// takeFence shows the fencing of a machine on that machine's lanes.
func (t *teller) takeFence(r scenarios.Stamped) {
	show := func(node, text, class string) {
		m := slices.Index(t.subject.NodeNames(), node)
		if m >= 0 && t.subject.spec.HA.Fence != "" {
			t.begin(env.MachineID(m), laneFencing, r.At, text, class)
		}
	}
	switch rec := r.Record.(type) {
	case fence.Started:
		by := t.subject.NodeNames()[r.Machine]
		show(rec.Node, by+" fences it: "+strings.Join(rec.Devices, ", "), "warn")
	case fence.Attempt:
		if !rec.OK {
			show(rec.Node, fmt.Sprintf("%s, attempt %d: %s", rec.Device, rec.Number, rec.Reason), "warn")
		}
	case fence.Ended:
		if rec.OK {
			show(rec.Node, "off, confirmed by "+rec.Device, "good")
		} else {
			show(rec.Node, "not confirmed: "+rec.Reason, "bad")
		}
	case scenarios.Switched:
		if rec.On {
			show(t.subject.NodeNames()[r.Machine], "switched on by "+rec.Device, "idle")
		}
	}
}

func (w *haWatch) machineNamed(name string) env.MachineID {
	for i, m := range w.scenario.Machines {
		if m == name {
			return env.MachineID(i)
		}
	}
	return -1
}

func (f *haFences) wasOff(m env.MachineID, from, to time.Duration) bool {
	for _, p := range f.powered {
		if p.machine == m && p.from <= to && (p.to == 0 || p.to >= from) {
			return true
		}
	}
	return false
}

func (f *haFences) wasSwitched(m env.MachineID, from, to time.Duration) bool {
	for _, s := range f.switched {
		if s.machine == m && s.at >= from && s.at <= to {
			return true
		}
	}
	return false
}
