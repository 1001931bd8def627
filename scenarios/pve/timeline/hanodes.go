package timeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Lanes of the HA manager; each service has one more, with its sid as the name.
const (
	laneMaster   = "ha master"
	laneAgent    = "ha agent"
	laneWatchdog = "watchdog"
	laneFencing  = "fencing" // what fence devices do to the machine
)

// maxServiceLanes bounds the services that the lanes of each machine show.
const maxServiceLanes = 20

// haLanes are the names of the lanes that a machine has beside those of the cluster. The services are among
// them, so that the way of one across the machines can be read from top to bottom.
func (c *Cluster) haLanes() []string {
	if c.HA == nil {
		return nil
	}
	sids := slices.Sorted(maps.Keys(c.HA.Services))
	lanes := []string{laneMaster, laneAgent, laneWatchdog}
	if c.HA.Fence != "" {
		lanes = append(lanes, laneFencing)
	}
	return append(lanes, sids[:min(len(sids), maxServiceLanes)]...)
}

// onHARecord shows which CRM is master, whom the watchdog guards, and where services run.
func (b *builder) onHARecord(r scenarios.Stamped) {
	b.onFenceRecord(r)
	switch rec := r.Record.(type) {
	case haproc.CRMStateChange:
		class := "idle"
		if rec.State == ha.CRMMaster {
			class = "good"
		}
		b.beginSpan(r.Machine, laneMaster, r.At, string(rec.State), class)
	case haproc.LRMStateChange:
		class := "idle"
		switch rec.State {
		case ha.LRMActive:
			class = "good"
		case ha.LRMLostAgentLock:
			class = "bad"
		}
		b.beginSpan(r.Machine, laneAgent, r.At, string(rec.State), class)
	case watchdog.ConnectionChange:
		if rec.Client != haproc.LRMProcess {
			return
		}
		text, class := "not needed", "idle"
		if rec.Open {
			text, class = "guards the services", "good"
		}
		b.beginSpan(r.Machine, laneWatchdog, r.At, text, class)
	case watchdog.Late:
		b.beginSpan(r.Machine, laneWatchdog, r.At, rec.Client+" is late", "warn")
	case watchdog.Expired:
		b.beginSpan(r.Machine, laneWatchdog, r.At, rec.Client+": "+rec.Reason, "bad")
	case resource.Active:
		text, class := string(rec.Cause), "idle"
		if rec.On {
			text, class = "runs", "good"
		}
		if b.lanes[laneKey{r.Machine, rec.SID}] != nil {
			b.beginSpan(r.Machine, rec.SID, r.At, text, class)
		}
	case scenarios.Power:
		if rec.On {
			b.markAllLanes(r, "not running", "idle")
		} else {
			b.markAllLanes(r, "off: "+string(rec.Cause), "bad")
		}
	}
}

// markAllLanes shows the same on all lanes of a machine that have begun.
func (b *builder) markAllLanes(r scenarios.Stamped, text, class string) {
	for _, name := range b.cluster.haLanes() {
		if l := b.laneOf(r.Machine, name); len(l.Spans) > 0 && name != laneFencing {
			b.beginSpan(r.Machine, name, r.At, text, class)
		}
	}
}

// onFenceRecord shows the fencing of a machine on that machine's lane.
func (b *builder) onFenceRecord(r scenarios.Stamped) {
	show := func(node, text, class string) {
		m := slices.Index(b.cluster.Nodes, node)
		if m >= 0 && b.cluster.HA.Fence != "" {
			b.beginSpan(env.MachineID(m), laneFencing, r.At, text, class)
		}
	}
	switch rec := r.Record.(type) {
	case fence.Started:
		by := b.cluster.Nodes[r.Machine]
		show(rec.Node, by+" fences it: "+strings.Join(rec.Devices, ", "), "warn")
	case fence.Attempt:
		switch {
		case rec.OK:
		case rec.Number == 0:
			show(rec.Node, fmt.Sprintf("%s is not called: %s", rec.Device, rec.Reason), "warn")
		default:
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
			show(b.cluster.Nodes[r.Machine], "switched on by "+rec.Device, "idle")
		}
	}
}
