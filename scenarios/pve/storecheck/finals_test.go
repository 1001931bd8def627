package storecheck

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// TestOnlyNoticedDamageIsExcused: a machine that does not serve at the end is excused if a fault has damaged
// its disk and a record shows that it noticed.
func TestOnlyNoticedDamageIsExcused(t *testing.T) {
	rot := fault.Fault{Kind: fault.DiskCorrupt, Machines: []string{"n1"}}
	on := []env.Record{scenarios.Power{On: true}, totem.Started{}, store.Opened{}}
	for name, c := range map[string]struct {
		fault   fault.Fault
		records []env.Record
		stopped []string
	}{
		"the store has stopped": {rot, append(on, store.Failed{}), []string{"n1"}},
		"a file was cut, and the store has stopped": {fault.Fault{Kind: fault.DiskCut,
			Machines: []string{"n1"}},
			append(on, store.Failed{}), []string{"n1"}},
		"the ring does not start": {rot, append(on, scenarios.Power{On: true}, store.Opened{}),
			[]string{"n1"}},
		"it has a new disk meanwhile":  {rot, append(on, store.Failed{}, store.Opened{}), nil},
		"the ring did not start again": {rot, append(on, store.Opened{}), []string{"n1"}},
		"it has noticed nothing":       {rot, on, nil},
		"another kind of fault": {fault.Fault{Kind: fault.DiskWipe, Machines: []string{"n1"}},
			append(on, store.Failed{}), nil},
		"another machine's disk": {fault.Fault{Kind: fault.DiskLatent, Machines: []string{"n2"}},
			append(on, store.Failed{}), nil},
	} {
		check := newRecoveryCheck(Cluster{Machines: []string{"n1", "n2"}, Votes: []uint32{1, 1},
			ExpectedVotes: 2})
		for m := range env.MachineID(2) {
			for _, r := range on {
				check.Observe(scenarios.Stamped{Machine: m, Record: r})
			}
		}
		for _, r := range c.records {
			check.Observe(scenarios.Stamped{Machine: 0, Record: r})
		}
		run := &scenarios.Run{Finals: []scenarios.Final{{Machine: 0}, {Machine: 1}, {Machine: 0}},
			Applied:  []scenarios.Applied{{Fault: c.fault, Begun: [2]time.Duration{1, 1}}},
			Duration: time.Minute}
		if name == "the ring did not start again" {
			run.Applied = append(run.Applied, scenarios.Applied{
				Begun: [2]time.Duration{time.Second, time.Second},
				Fault: fault.Fault{Kind: fault.Kill, Machines: []string{"n1"}}})
		}
		rest, stopped := check.withoutDamaged(run)
		require.Equal(t, c.stopped, stopped, name)
		require.Len(t, rest.Finals, 3-2*len(c.stopped), name)
	}
}

// TestWhatWasShutDownIsNotMissed: a machine that an operator has shut down last needs its power button, and
// without the votes of a quorum no other one serves. A reboot or a power cut excuses nothing.
func TestWhatWasShutDownIsNotMissed(t *testing.T) {
	on, off := scenarios.Power{On: true}, scenarios.Power{}
	down := []env.Record{initd.GoingDown{}, off}
	for name, c := range map[string]struct {
		records [3][]env.Record // by machine, after the first start
		left    int             // audits that are judged
		valid   bool
	}{
		"one is off":               {[3][]env.Record{down}, 2, false},
		"it was switched on again": {[3][]env.Record{append(down, on)}, 3, false},
		"it reboots":               {[3][]env.Record{{initd.GoingDown{Reboot: true}, off}}, 3, false},
		"its power fails":          {[3][]env.Record{{off}}, 3, false},
		"two are off":              {[3][]env.Record{down, down}, 0, true},
	} {
		check := newRecoveryCheck(Cluster{Machines: []string{"n1", "n2", "n3"}, Votes: []uint32{1, 1, 1},
			ExpectedVotes: 3})
		run := &scenarios.Run{Scenario: &scenarios.Scenario{Machines: check.Machines}}
		for m := range env.MachineID(3) {
			run.Finals = append(run.Finals, scenarios.Final{Machine: m, Err: errors.New("no answer")})
			for _, r := range append([]env.Record{on}, c.records[m]...) {
				check.Observe(scenarios.Stamped{Machine: m, Record: r})
			}
		}
		rest, _ := check.withoutDamaged(run)
		require.Len(t, rest.Finals, c.left, name)
		v := check.Judge(t.Context(), &Evidence{Run: run})
		require.Equal(t, c.valid, v.Validity == linearizability.Valid, "%s: %s", name, v.Summary)
	}
}
