package storecheck_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// refusedAt is the verdict of the check of availability on a run of two minutes in which a call to n2 at 60 s
// is refused with an error, while one fault acts from 20 s to 100 s. more are further records.
func refusedAt(t *testing.T, reason string, f fault.Fault,
	more ...scenarios.Stamped) linearizability.Verdict {
	t.Helper()
	s := &scenarios.Scenario{Machines: three.Machines, Workload: workload.Spec{Timeout: 2 * time.Second}}
	suite := storecheck.With(three, storecheck.NewAvailability(three))
	for m := range env.MachineID(3) {
		suite.Observe(scenarios.Stamped{Machine: m, Record: scenarios.Power{On: true, Boot: 1}})
	}
	for _, r := range more {
		suite.Observe(r)
	}
	call := history.Event{Type: history.Invoke, Time: int64(time.Minute), F: "write", Key: "a", ID: "c0-1",
		Node: "n2"}
	answer := call
	answer.Type, answer.Time, answer.Error = history.Fail, call.Time+1, reason
	at, over := 20*time.Second, 100*time.Second
	applied := scenarios.Applied{Fault: f, Begun: [2]time.Duration{at, at},
		Ended: [2]time.Duration{over, over}}
	return suite.Check(t.Context(), &scenarios.Run{Backend: "sim", Scenario: s, Duration: 2 * time.Minute,
		Events: []history.Event{call, answer}, Applied: []scenarios.Applied{applied}})[0]
}

// TestASettledMajorityServes: a refusal counts only where nothing can have caused it.
func TestASettledMajorityServes(t *testing.T) {
	alone := fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n1"}, {"n2", "n3"}}}
	v := refusedAt(t, "no_quorum", alone)
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, storecheck.Outage, v.Violations[0].Kind)
	require.Contains(t, v.Violations[0].Explain, "n2 did not serve write c0-1 at 1m0s (fail no_quorum)")
	require.Equal(t, invalid, refusedAt(t, workload.Refused, alone).Validity)
	goes := scenarios.Stamped{At: 55 * time.Second, Machine: 2, Record: initd.GoingDown{}}
	for reason, v := range map[string]linearizability.Verdict{
		"an answer from the order": refusedAt(t, "not_found", alone),
		"n2 is in the minority": refusedAt(t, "no_quorum",
			fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n2"}, {"n1", "n3"}}}),
		"a link of another machine is slow": refusedAt(t, "try_again", fault.Fault{Kind: fault.Link,
			From: []string{"n1"}, To: []string{fault.All}, Latency: time.Second}),
		"another machine leaves in order": refusedAt(t, "try_again", alone, goes),
		"a majority has lost its disks": refusedAt(t, "read_only",
			fault.Fault{Kind: fault.DiskWipe, Machines: []string{"n1", "n3"}}),
		"a machine came back eight seconds before": refusedAt(t, "try_again",
			fault.Fault{Kind: fault.PowerOn, Machines: []string{"n3"}},
			scenarios.Stamped{At: 10 * time.Second, Machine: 2, Record: scenarios.Power{}},
			scenarios.Stamped{At: 52 * time.Second, Machine: 2, Record: scenarios.Power{On: true, Boot: 2}}),
	} {
		require.Equal(t, valid, v.Validity, "%s: %s", reason, v.Summary)
	}
}

// TestAClientThatWaitsTooBriefly: where the network loses packets, a token that was lost is sent again within
// the time that the ring waits for it, and a client must wait for that.
func TestAClientThatWaitsTooBriefly(t *testing.T) {
	for _, c := range []struct {
		loss    fault.PPM
		timeout time.Duration
		want    linearizability.Validity
	}{{fault.Always / 100, time.Second, valid}, {fault.Always / 100, 5 * time.Second, invalid},
		{0, time.Second, invalid}} {
		cluster := three
		cluster.Token = 3 * time.Second
		suite := storecheck.With(cluster, storecheck.NewAvailability(cluster))
		for m := range env.MachineID(3) {
			suite.Observe(scenarios.Stamped{Machine: m, Record: scenarios.Power{On: true, Boot: 1}})
		}
		call := history.Event{Type: history.Invoke, Time: int64(time.Minute), F: "write",
			Key: "a", ID: "c0-1",
			Node: "n2"}
		answer := call
		answer.Type, answer.Time, answer.Error = history.Info, call.Time+int64(c.timeout), "timeout"
		s := &scenarios.Scenario{Machines: cluster.Machines, Network: scenarios.Network{Loss: c.loss},
			Workload: workload.Spec{Timeout: c.timeout}}
		v := suite.Check(t.Context(), &scenarios.Run{Backend: "sim", Scenario: s, Duration: 2 * time.Minute,
			Events: []history.Event{call, answer}})[0]
		require.Equal(t, c.want, v.Validity, "loss %v, timeout %v: %s", c.loss, c.timeout, v.Summary)
	}
}
