package pve_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// record is something that a machine told at a second.
type record struct {
	second  int
	machine env.MachineID
	what    env.Record
}

// liveness judges records of a run of an hour in which nothing goes wrong.
func liveness(t *testing.T, spec haspec.Spec, records ...record) *linearizability.Verdict {
	t.Helper()
	s := scenarios.New("quiet").Story("Nothing happens.").Machines(3).Warmup(time.Minute).Duration(58*time.Minute).
		Subject(pve.Kind, pve.Spec{HA: &spec}).MustBuild()
	subject, err := pve.Decode(s)
	require.NoError(t, err)
	watch := subject.Judge().Watch(s)
	for _, r := range records {
		require.NoError(t, watch.Record(scenarios.Stamped{At: time.Duration(r.second) * time.Second,
			Machine: r.machine, Record: r.what}))
	}
	verdicts := watch.Check(t.Context(), &scenarios.Run{Scenario: s, Subject: subject, Backend: "sim", Duration: time.Hour})
	i := slices.IndexFunc(verdicts, func(v linearizability.Verdict) bool { return v.Checker == "ha-liveness" })
	return &verdicts[i]
}

func TestAServiceThatWandersIsNoticed(t *testing.T) {
	var moves []record
	for i := range 7 {
		state := []string{"migrate", "started", "relocate"}
		for _, s := range state[:1+i%3] {
			moves = append(moves, record{100 + 20*i, 0, haproc.CommandBegun{SID: "vm:100", UID: "u", State: s}})
		}
	}
	spec := haspec.Spec{Services: map[string]string{"vm:100": "n1"}}
	v := liveness(t, spec, moves...)
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, pve.Wandering, v.Violations[0].Kind)
	require.Contains(t, v.Summary, "service vm:100 is moved for the 7th time")
	// The operator's doing something in between explains it.
	v = liveness(t, spec, append(moves, record{150, 1, haspec.OperatorDid{What: "files in place"}})...)
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
}

func TestAWatchdogThatGuardsNothingIsNoticed(t *testing.T) {
	on := watchdog.Guarded{Client: haproc.CRMProcess, On: true}
	off := watchdog.Guarded{Client: haproc.CRMProcess}
	spec := haspec.Spec{Services: map[string]string{"vm:100": "n1"},
		Commands: []haspec.Command{{At: 40 * time.Second, On: "n1", Run: "remove vm:100"}}}
	removed := []record{{1, 0, haspec.OperatorDid{What: "files in place"}}, {5, 2, on},
		{100, 0, haspec.OperatorDid{What: "remove vm:100"}}}
	v := liveness(t, spec, removed...)
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, pve.NeedlessGuard, v.Violations[0].Kind)
	require.Contains(t, v.Summary, "watchdog of n3 still guards its crm")
	for _, end := range []env.Record{off, scenarios.Power{Cause: scenarios.CauseFault}} {
		v = liveness(t, spec, append(slices.Clone(removed), record{1000, 2, end})...)
		require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	}
}

func TestAnOperatorWhoIsNotHeardIsNoticed(t *testing.T) {
	spec := haspec.Spec{Services: map[string]string{"vm:100": "n1"},
		Commands: []haspec.Command{{At: 40 * time.Second, On: "n2", Run: "migrate vm:100 n3"}}}
	v := liveness(t, spec, record{1, 0, haspec.OperatorDid{What: "files in place"}})
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Equal(t, pve.IgnoredOperator, v.Violations[0].Kind)
	v = liveness(t, spec, record{120, 1, haspec.OperatorDid{What: "migrate vm:100 n3"}})
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	v = liveness(t, spec, record{90, 1, scenarios.Power{Cause: scenarios.CauseFault}})
	require.Equal(t, linearizability.Valid, v.Validity, "the console went down with its machine")
}

func TestAServiceThatMustBeUpAtATime(t *testing.T) {
	spec := haspec.Spec{Services: map[string]string{"vm:100": "n1"}, UpAt: map[string]time.Duration{"vm:100": 100 * time.Second}}
	up := record{10, 0, resource.Active{SID: "vm:100", On: true}}
	require.Equal(t, linearizability.Valid, liveness(t, spec, up).Validity)
	v := liveness(t, spec, up, record{150, 0, resource.Active{SID: "vm:100"}})
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Contains(t, v.Summary, "service vm:100 does not run at 2m40s")
}

func TestGuestsAndOperatorsAreChecked(t *testing.T) {
	home := map[string]string{"vm:100": "n1"}
	for says, spec := range map[string]haspec.Spec{
		"a time is negative":              {Services: home, GuestTimes: haspec.GuestTimes{Stop: -1}},
		"up_at: there is no service vm:7": {Services: home, UpAt: map[string]time.Duration{"vm:7": 1}},
	} {
		s, err := scenarios.New("wrong").Story("Nothing happens.").Machines(3).Duration(time.Minute).
			Subject(pve.Kind, pve.Spec{HA: &spec}).Build()
		if err == nil {
			_, err = pve.Decode(s)
		}
		require.ErrorContains(t, err, says)
	}
}
