package fullstack

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestWhatRulesRemove: each rule removes what it names, of the entities that it names, and nothing else.
func TestWhatRulesRemove(t *testing.T) {
	const crm, lrm, node, service = "daemon node1/crm", "daemon node1/lrm", "node node1", "service vm:100"
	for name, c := range map[string]struct {
		entity        string
		before, after []string
	}{
		"order-of-masters": {crm, []string{"startup => slave", "slave => master",
			"master => wait_for_quorum"},
			[]string{"startup => standing", "standing => wait_for_quorum"}},
		"ring-forming": {lrm, []string{"wait => active", "active => lost_agent_lock",
			"lost_agent_lock => active"},
			[]string{"wait => active"}},
		"short-absence": {node, []string{"online => unknown", "unknown => online", "online => unknown",
			"unknown => fence"},
			[]string{"online => unknown", "unknown => fence"}},
		"going-idle": {lrm, []string{"active => wait_for_agent_lock", "startup => x",
			"active => wait_for_agent_lock"},
			[]string{"startup => x"}},
	} {
		t.Run(name, func(t *testing.T) {
			rule := ruleOf(t, name)
			got := rule.removeAllowed(conformance.Transitions{c.entity: c.before, service: c.before})
			require.Equal(t, c.after, got[c.entity])
			require.Equal(t, c.before, got[service], "no rule removes anything about a service")
		})
	}
}

// TestCommandsGoToAMachineThatIsOn: the operator works at a machine that is on, and avoids one that may have
// gone off by itself until an operator has switched it on again.
func TestCommandsGoToAMachineThatIsOn(t *testing.T) {
	for first, want := range map[string]string{
		"shutdown n1": "n2", "reboot n1": "n2", "power n1 off": "n2", "network n1 off": "n2",
		"network n1 off,network n1 on": "n2", "shutdown n1,power n1 on": "n1", "restart-lrm n1": "n1",
		"shutdown n1,shutdown n2": "n1",
	} {
		tr := &translator{names: []string{"n1", "n2"}, haSpec: &haspec.Spec{}, perhapsOff: map[string]bool{},
			powerOffSince: map[string]time.Duration{}, networkCutSince: map[string]time.Duration{}}
		for i, c := range append(strings.Split(first, ","), "service vm:1 stopped") {
			require.NoError(t, tr.command(time.Duration(i)*time.Second, c))
		}
		last := tr.haSpec.Commands[len(tr.haSpec.Commands)-1]
		require.Equal(t, "set vm:1 state stopped", last.Run)
		require.Equal(t, want, last.On, first)
	}
}

func ruleOf(t *testing.T, name string) *Rule {
	t.Helper()
	for i := range Rules {
		if Rules[i].Name == name {
			return &Rules[i]
		}
	}
	t.Fatalf("there is no rule %s", name)
	return nil
}

// TestNestedVisitsAreRemovedFromTheInside: a -> x -> y -> x -> a has no visit to y, and then none to x.
func TestNestedVisitsAreRemovedFromTheInside(t *testing.T) {
	steps := []string{"a => x", "x => y", "y => x", "x => a", "a => b"}
	require.Equal(t, []string{"a => x", "x => a", "a => b"}, removeDetours("y")(steps[:5:5]))
	require.Equal(t, []string{"a => b"}, removeDetours("x")([]string{"a => x", "x => a", "a => b"}))
}

func TestReportCountsFoldersThatCanBeExpressed(t *testing.T) {
	r := &Report{Rules: Rules}
	require.False(t, r.Passed(), "nothing was replayed")
	r.add(Result{Name: "good", T1: true, T2: true, Exact: true, Device: "node2 is off"})
	r.add(Result{Name: "never", Inexpressible: "no such cluster"})
	require.True(t, r.Passed())
	r.add(Result{Name: "bad", T2: true, Rules: []string{"going-idle"},
		T1Differences: []string{"what differs"}})
	require.False(t, r.Passed())
	require.Equal(t, []int{3, 2, 1, 2, 1}, []int{r.Total, r.Expressible, r.T1, r.T2, r.Exact})
	var out strings.Builder
	require.NoError(t, r.WriteText(&out))
	for _, line := range []string{"bad: T1 FAIL, T2 ok\n  what differs\n", "  never: no such cluster\n",
		"  good: node2 is off\n", "  going-idle (1 folders): ",
		"full stack: 3 folders, 2 expressible: T2 2/2, T1 1/2 (1 without any rule)\n"} {
		require.Contains(t, out.String(), line)
	}
	require.NotContains(t, out.String(), "good: T1")
}

// TestFollowReadsLogsAndGuests from a scenario's time 0 on, and no others.
func TestFollowReadsLogsAndGuests(t *testing.T) {
	zero := setUpTime + allOffTime
	run := &scenarios.Run{Scenario: &scenarios.Scenario{Machines: scenarios.Machines{"node1", "node2"},
		Warmup: setUpTime, Duration: allOffTime + time.Minute},
		Logs: []scenarios.LogLine{
			{At: zero - 1, Machine: "node1", Process: "crm", Level: "INFO", Text: "too early"},
			{At: zero + 2*time.Second, Machine: "node1", Process: "crm", Level: "WARN", Text: "heard"},
			{At: zero + 3*time.Second, Machine: "node1", Process: "store", Level: "WARN",
				Text: "of another process"},
			{At: zero + time.Minute, Machine: "node1", Process: "crm", Level: "INFO", Text: "too late"}},
		Records: []scenarios.Stamped{
			{At: zero, Machine: 0, Record: resource.Active{SID: "vm:1", On: true}},
			{At: zero + time.Second, Machine: 1, Record: resource.Active{SID: "vm:1", On: true}},
			{At: zero + 5*time.Second, Machine: 0, Record: scenarios.Power{Cause: "fault"}}}}
	o := observeRun(run)
	require.Equal(t, []conformance.Line{
		{Level: "warn", Seconds: 2, ID: "node1/crm", Message: "heard"},
		{Level: "info", Seconds: 5, ID: "fault", Message: "execute power node1 off"}}, o.log)
	require.Equal(t, map[string]string{"vm:1": "node2"}, o.runningNodes)
	require.Equal(t, []conformance.DoubleRun{{SID: "vm:1", Seconds: 1, Nodes: [2]string{"node1", "node2"}}},
		o.doubleRuns)
}

func TestNamesOfFoldersBecomeNamesOfScenarios(t *testing.T) {
	for folder, want := range map[string]string{"Test_Basic 1": "test-basic-1", "--": "replay",
		strings.Repeat("a", 99): strings.Repeat("a", scenarios.MaxNameBytes)} {
		require.Equal(t, want, scenarioName(folder))
	}
}
