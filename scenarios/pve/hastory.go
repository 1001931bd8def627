package pve

import (
	"maps"
	"slices"

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
)

// maxServiceLanes bounds the services that a story shows.
const maxServiceLanes = 20

// haLanes are the names of the lanes that a machine has beside those of the cluster: so that a
// service's life across the machines can be read from top to bottom.
func (s *Subject) haLanes() []string {
	if s.spec.HA == nil {
		return nil
	}
	sids := slices.Sorted(maps.Keys(s.spec.HA.Services))
	lanes := []string{laneMaster, laneAgent, laneWatchdog}
	if s.spec.HA.Fence != "" {
		lanes = append(lanes, laneFencing)
	}
	return append(lanes, sids[:min(len(sids), maxServiceLanes)]...)
}

// takeHA shows who is master, whom the watchdog guards, and where services run.
func (t *teller) takeHA(r scenarios.Stamped) {
	t.takeFence(r)
	switch rec := r.Record.(type) {
	case haproc.CRMState:
		class := "idle"
		if rec.State == "master" {
			class = "good"
		}
		t.begin(r.Machine, laneMaster, r.At, rec.State, class)
	case haproc.LRMState:
		class := "idle"
		switch rec.State {
		case "active":
			class = "good"
		case "lost_agent_lock":
			class = "bad"
		}
		t.begin(r.Machine, laneAgent, r.At, rec.State, class)
	case watchdog.Guarded:
		if rec.Client != haproc.LRMProcess {
			return
		}
		text, class := "not needed", "idle"
		if rec.On {
			text, class = "guards the services", "good"
		}
		t.begin(r.Machine, laneWatchdog, r.At, text, class)
	case watchdog.Late:
		t.begin(r.Machine, laneWatchdog, r.At, rec.Client+" is late", "warn")
	case watchdog.Expired:
		t.begin(r.Machine, laneWatchdog, r.At, rec.Client+": "+rec.Reason, "bad")
	case resource.Active:
		text, class := rec.Why, "idle"
		if rec.On {
			text, class = "runs", "good"
		}
		if t.lanes[laneKey{r.Machine, rec.SID}] != nil {
			t.begin(r.Machine, rec.SID, r.At, text, class)
		}
	case scenarios.Power:
		if rec.On {
			t.everywhere(r, "not running", "idle")
		} else {
			t.everywhere(r, "off: "+rec.Cause, "bad")
		}
	}
}

// everywhere says the same on all lanes of a machine that have begun.
func (t *teller) everywhere(r scenarios.Stamped, text, class string) {
	for _, name := range t.subject.haLanes() {
		if l := t.lane(r.Machine, name); len(l.Spans) > 0 && name != laneFencing {
			t.begin(r.Machine, name, r.At, text, class)
		}
	}
}
