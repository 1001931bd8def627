package pve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
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
		if w.fences.wasOff(machine, c.from, c.to) && (r.Backend != "sim" || w.fences.wasSwitched(machine, c.from, c.to)) {
			return true
		}
	}
	return false
}

// Kinds of violations of fencing.
const (
	// FalseProof: a fencing was taken for confirmed although the machine had power all the time.
	FalseProof linearizability.Kind = "fencing confirmed without effect"
	// NoProof: a node's lock was taken without the device's confirmation that is configured as needed.
	NoProof linearizability.Kind = "takeover without fencing"
)

// withFences adds the verdict about fence devices where there are some.
func (j *haJudge) withFences(verdicts []linearizability.Verdict) []linearizability.Verdict {
	if j.subject.spec.HA.Fence == "" {
		return verdicts
	}
	var violations []linearizability.Violation
	confirmed := 0
	for _, c := range j.fences.claims {
		if !c.ended {
			continue
		}
		confirmed++
		m := slices.Index(j.nodes, c.node)
		if m < 0 || !j.fences.wasOff(env.MachineID(m), c.from, c.to) {
			violations = append(violations, linearizability.Violation{Kind: FalseProof, Nodes: []string{c.node},
				Explain: fmt.Sprintf("%s fenced %s from %v to %v and takes it for confirmed, but the machine had power all the time",
					c.by, c.node, c.from, c.to)})
		}
	}
	if j.needsBoth() {
		violations = append(violations, j.unprovenTakeovers()...)
	}
	return append(verdicts, verdict("ha-fence", violations, fmt.Sprintf(
		"%d of %d fencings were confirmed, each of a machine that was off", confirmed, len(j.fences.claims))))
}

// needsBoth: the expiry of a lock is not enough for a takeover.
func (j *haJudge) needsBoth() bool {
	dc, err := config.ParseDatacenter(j.subject.spec.HA.Datacenter)
	return err == nil && dc.Fencing == "both"
}

// unprovenTakeovers are the takeovers of agents' locks that no confirmed fencing came before.
func (j *haJudge) unprovenTakeovers() (violations []linearizability.Violation) {
	held := map[string]*change{}
	for i := range j.order {
		c := &j.order[i]
		name, isLock := strings.CutPrefix(c.Key, lock.Dir+"/")
		if !isLock {
			continue
		}
		before := held[name]
		held[name] = c
		if c.F == tree.Delete.String() {
			delete(held, name)
		}
		if before == nil || before.by == c.by || !strings.HasSuffix(before.by, "/"+haproc.LRMProcess) {
			continue
		}
		if !j.provenDead(j.run, before, c) {
			violations = append(violations, linearizability.Violation{Kind: NoProof, Revisions: []uint64{before.Rev, c.Rev},
				Explain: fmt.Sprintf("%s took %s from %s at %v, and no device had confirmed that the machine was off",
					c.by, name, before.by, c.at)})
		}
	}
	return violations
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
