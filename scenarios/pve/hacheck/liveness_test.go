package hacheck

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// record is something that a machine emitted at a second.
type record struct {
	second  int
	machine env.MachineID
	what    env.Record
}

var placed = map[string]string{"vm:100": "n1"}

// quiet judges the liveness of records of a run in which nothing goes wrong.
func quiet(t *testing.T, spec haspec.Spec, records ...record) linearizability.Verdict {
	t.Helper()
	x := empty(t, spec)
	for _, r := range records {
		x.at(r.second, r.machine, r.what)
	}
	return x.verdict(liveness{})
}

func TestAFlappingServiceIsNoticed(t *testing.T) {
	var moves []record
	for i := range 7 {
		state := []ha.ServiceState{ha.Migrate, ha.Started, ha.Relocate}
		for _, s := range state[:1+i%3] {
			moves = append(moves, record{100 + 20*i, 0,
				haproc.CommandBegun{SID: "vm:100", UID: "u", State: s}})
		}
	}
	spec := haspec.Spec{Services: placed}
	v := quiet(t, spec, moves...)
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, FlappingService, v.Violations[0].Kind)
	require.Contains(t, v.Summary, "service vm:100 is moved for the 7th time")
	// A guest of which moves fail by the scenario is tried again and again.
	spec.Flaws = map[string]haspec.Flaw{"vm:100": {Moves: 9}}
	require.Equal(t, linearizability.Valid, quiet(t, spec, moves...).Validity)
	spec.Flaws = nil
	// Something that the operator did in between explains it.
	v = quiet(t, spec, append(moves, record{150, 1, haspec.OperatorDid{What: haspec.FilesInPlace}})...)
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
}

// TestMovesThatClientsRequestAreNoFlapping: requests for another service explain nothing.
func TestMovesThatClientsRequestAreNoFlapping(t *testing.T) {
	for sid, want := range map[string]linearizability.Validity{"vm:100": valid, "vm:101": invalid} {
		x := empty(t, haspec.Spec{Services: map[string]string{"vm:100": "n1", "vm:101": "n1"},
			Operations: &haspec.Operations{Count: 1}})
		for i := range 7 {
			x.at(100+20*i, 0, haproc.CommandBegun{SID: "vm:100", UID: "u", State: ha.Migrate})
		}
		x.requested(150, haspec.RequestMigrate, sid, "n2", 7)
		x.require(liveness{}, want, FlappingService)
	}
}

func TestAnIdleWatchdogIsNoticed(t *testing.T) {
	on := watchdog.ConnectionChange{Client: haproc.CRMProcess, Open: true}
	off := watchdog.ConnectionChange{Client: haproc.CRMProcess}
	spec := haspec.Spec{Services: placed,
		Commands: []haspec.Command{{At: 40 * time.Second, On: "n1", Run: "remove vm:100"}}}
	removed := []record{{1, 0, haspec.OperatorDid{What: haspec.FilesInPlace}}, {5, 2, on},
		{50, 0, haspec.OperatorDid{What: "remove vm:100"}}}
	v := quiet(t, spec, removed...)
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, IdleWatchdog, v.Violations[0].Kind)
	require.Contains(t, v.Summary, "watchdog of n3 is still armed for its crm")
	for _, end := range []env.Record{off, scenarios.Power{Cause: scenarios.CauseFault}} {
		v = quiet(t, spec, append(slices.Clone(removed), record{700, 2, end})...)
		require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	}
}

func TestAnIgnoredCommandIsNoticed(t *testing.T) {
	spec := haspec.Spec{Services: placed,
		Commands: []haspec.Command{{At: 40 * time.Second, On: "n2", Run: "migrate vm:100 n3"}}}
	v := quiet(t, spec, record{1, 0, haspec.OperatorDid{What: haspec.FilesInPlace}})
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, IgnoredCommand, v.Violations[0].Kind)
	v = quiet(t, spec, record{120, 1, haspec.OperatorDid{What: "migrate vm:100 n3"}})
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	off := scenarios.Power{Cause: scenarios.CauseFault}
	on := func(machine env.MachineID) record { return record{0, machine, scenarios.Power{On: true, Boot: 1}} }
	v = quiet(t, spec, on(0), on(1), on(2), record{90, 0, off})
	require.Equal(t, linearizability.Invalid, v.Validity, "two machines are enough")
	v = quiet(t, spec, on(0), on(1), on(2), record{90, 0, off}, record{90, 2, off})
	require.Equal(t, linearizability.Valid, v.Validity, "nothing can be written any longer")
	v = quiet(t, spec, record{90, 1, scenarios.Power{Cause: scenarios.CauseFault}})
	require.Equal(t, linearizability.Valid, v.Validity, "the operator's console went down with its machine")
}

// TestACreationThatMustFail: of two creations with one number, on whatever kind of guest, one fails.
func TestACreationThatMustFail(t *testing.T) {
	done := record{1, 0, haspec.OperatorDid{What: haspec.FilesInPlace}}
	create := func(on, run string) haspec.Command {
		return haspec.Command{At: 40 * time.Second, On: on, Run: run}
	}
	spec := haspec.Spec{Services: placed, Commands: []haspec.Command{
		create("n2", "create vm:200 n2 started"), create("n3", "create ct:200 n3 started")}}
	require.Equal(t, linearizability.Valid, quiet(t, spec, done).Validity)
	spec.Commands[1].Run = "create ct:201 n3 started"
	require.Equal(t, linearizability.Invalid, quiet(t, spec, done).Validity)
}

func TestAServiceThatMustBeUpAtATime(t *testing.T) {
	spec := haspec.Spec{Services: placed, UpAt: map[string]time.Duration{"vm:100": 100 * time.Second}}
	up := record{10, 0, resource.Active{SID: "vm:100", On: true}}
	require.Equal(t, linearizability.Valid, quiet(t, spec, up).Validity)
	v := quiet(t, spec, up, record{105, 0, resource.Active{SID: "vm:100"}})
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Contains(t, v.Summary, "service vm:100 does not run at 1m50s")
}

func TestAPhantomNodeIsNoticed(t *testing.T) {
	for node, want := range map[string]linearizability.Validity{"n3": valid, "n9": invalid} {
		x := running(t)
		status := ha.NewManagerStatus()
		status.NodeStatus[node] = ha.NodeOnline
		x.ends(status, nil)
		x.require(liveness{}, want, PhantomNode)
	}
}
