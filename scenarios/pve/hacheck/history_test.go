package hacheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// made is a run that was made up, to see what a check makes of it.
type made struct {
	t        *testing.T
	cluster  Cluster
	records  []scenarios.Stamped
	events   []history.Event
	applied  []scenarios.Applied
	finals   []scenarios.Final
	revision uint64
}

const (
	madeEnd    = 2000 * time.Second
	madeWarmup = 10 * time.Second

	valid   = linearizability.Valid
	invalid = linearizability.Invalid
)

// empty is a run of three machines in which nothing happens.
func empty(t *testing.T, spec haspec.Spec) *made {
	t.Helper()
	names := []string{"n1", "n2", "n3"}
	require.NoError(t, spec.Check(names, names))
	return &made{t: t, cluster: Cluster{Machines: names, Nodes: names, Votes: []uint32{1, 1, 1},
		JoinInterval: 50 * time.Millisecond, Warmup: madeWarmup, HA: &spec}}
}

// running is a run of three machines that are on, with vm:100, which runs on its node n1, and n2 as the
// master.
func running(t *testing.T, commands ...haspec.Command) *made {
	t.Helper()
	x := empty(t, haspec.Spec{Services: map[string]string{"vm:100": "n1"}, Commands: commands})
	for m := range env.MachineID(3) {
		x.at(0, m, scenarios.Power{On: true, Boot: 1})
	}
	x.change(1, "n1/operator", "cas", haproc.GuestPath("vm:100", "n1"), "")
	x.at(2, 0, haspec.OperatorDid{What: haspec.FilesInPlace})
	x.change(3, "n2/crm", "cas", "priv/lock/"+haproc.ManagerLock, "")
	x.change(3, "n1/lrm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
	x.at(5, 0, resource.Active{SID: "vm:100", On: true})
	return x
}

// at adds a record of a machine at a second.
func (x *made) at(second int, m env.MachineID, r env.Record) {
	x.records = append(x.records, scenarios.Stamped{At: seconds(second), Machine: m, Record: r})
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// change puts a change of the store into its order.
func (x *made) change(second int, by, op, path, to string) {
	x.revision++
	x.at(second, 0, store.Applied{Revision: x.revision, Epoch: ring.ID{Rep: 1, Seq: 4},
		Request: fmt.Sprintf("%s/%d", by, x.revision), Op: op, Path: path, To: to,
		Chain: fmt.Sprintf("%016x", x.revision)})
}

// fault makes a fault act for a time.
func (x *made) fault(from, to int, f fault.Fault) {
	x.applied = append(x.applied, scenarios.Applied{Fault: f,
		Begun: [2]time.Duration{seconds(from), seconds(from)},
		Ended: [2]time.Duration{seconds(to), seconds(to)}})
}

// cut is a partition of groups of machines from the others.
func cut(groups ...[]string) fault.Fault { return fault.Fault{Kind: fault.Partition, Groups: groups} }

// done is a fault that is done to a process of a machine, or without a process to all of it.
func done(kind fault.Kind, machine, process string) fault.Fault {
	return fault.Fault{Kind: kind, Machines: []string{machine}, Process: process}
}

// reset is the end of a machine whose agent was not fed since a minute before.
func (x *made) reset(second int, m env.MachineID) {
	x.at(second-10, m, watchdog.Expired{Client: haproc.LRMProcess, Reason: "made up", Overdue: true})
	x.at(second, m, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog})
}

// requested adds a request of a client, acknowledged a second later as a revision.
func (x *made) requested(second int, kind, sid, node string, revision uint64) {
	e := history.Event{Process: len(x.events), Type: history.Invoke, Time: int64(seconds(second)), F: kind,
		Key: sid,
		ID:  fmt.Sprintf("h%d", len(x.events)), Value: workload.JSON(node)}
	answer := e
	answer.Type, answer.Time, answer.Rev = history.OK, int64(seconds(second+1)), revision
	x.events = append(x.events, e, answer)
}

// ends gives what a machine finds in the store after quiescence.
func (x *made) ends(status *ha.ManagerStatus, services map[string]*ha.ServiceConfig) {
	data, err := json.Marshal(status)
	require.NoError(x.t, err)
	for path, text := range map[string]string{haproc.ManagerStatusPath: string(data),
		haproc.ResourcesPath: config.FormatResources(services)} {
		answer := store.Response{OK: true, Revision: x.revision,
			Entry: &store.EntryInfo{Path: path, Kind: "file", Data: []byte(text)}}
		x.finals = append(x.finals, scenarios.Final{Op: workload.Op{F: workload.Read, Key: path},
			Output: answer.Encode()})
	}
}

// verdict is what one check alone makes of the run.
func (x *made) verdict(c Check) linearizability.Verdict {
	x.t.Helper()
	slices.SortStableFunc(x.records, func(a, b scenarios.Stamped) int { return int(a.At - b.At) })
	stores := storecheck.With(storecheck.Cluster{Machines: x.cluster.Machines, Nodes: []ring.NodeID{1, 2, 3},
		Votes: x.cluster.Votes})
	suite := newSuite(x.cluster, []Check{c}, nil)
	for _, r := range x.records {
		stores.Observe(r)
		suite.Observe(r)
	}
	witness, err := stores.Log.Witness()
	require.NoError(x.t, err)
	verdicts := suite.Check(x.t.Context(), &scenarios.Run{Backend: simulated, Duration: madeEnd,
		Scenario: &scenarios.Scenario{Machines: x.cluster.Machines}, Events: x.events, Applied: x.applied,
		Finals: x.finals}, witness, err)
	require.Len(x.t, verdicts, 1)
	require.Equal(x.t, c.Name(), verdicts[0].Checker)
	return verdicts[0]
}

// require compares the verdict of a check, and the kind of its first violation.
func (x *made) require(c Check, v linearizability.Validity, kind linearizability.Kind) {
	x.t.Helper()
	got := x.verdict(c)
	require.Equal(x.t, v, got.Validity, got.Summary)
	if v == linearizability.Invalid {
		require.Equal(x.t, kind, got.Violations[0].Kind, got.Summary)
	}
}
