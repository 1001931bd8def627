package pve_test

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
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// trial is a run that was made up, to see what the judge says of it.
type trial struct {
	t        *testing.T
	scenario *scenarios.Scenario
	subject  scenarios.Subject
	records  []scenarios.Stamped
	applied  []scenarios.Applied
	finals   []scenarios.Final
	revision uint64
}

const trialEnd = 1000 * time.Second

// newTrial has three machines that are on, and vm:100, which runs at home on n1, with n2 as the master.
func newTrial(t *testing.T, commands ...haspec.Command) *trial {
	t.Helper()
	s := scenarios.New("made-up").Story("What happens is made up.").Machines(3).Warmup(10*time.Second).
		Duration(690*time.Second).Quiescence(300*time.Second).
		Subject(pve.Kind, pve.Spec{HA: &haspec.Spec{Services: map[string]string{"vm:100": "n1"}, Commands: commands}}).MustBuild()
	subject, err := pve.Decode(s)
	require.NoError(t, err)
	x := &trial{t: t, scenario: s, subject: subject}
	for m := range env.MachineID(3) {
		x.at(0, m, scenarios.Power{On: true, Boot: 1})
	}
	x.change(1, "n1/operator", "cas", haproc.GuestPath("vm:100", "n1"), "")
	x.at(2, 0, haspec.OperatorDid{What: "files in place"})
	x.change(3, "n2/crm", "cas", "priv/lock/"+haproc.ManagerLock, "")
	x.change(3, "n1/lrm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
	x.at(5, 0, resource.Active{SID: "vm:100", On: true})
	return x
}

func (x *trial) at(second int, m env.MachineID, r env.Record) {
	x.records = append(x.records, scenarios.Stamped{At: time.Duration(second) * time.Second, Machine: m, Record: r})
}

// change puts a change of the store into its order.
func (x *trial) change(second int, by, op, path, to string) {
	x.revision++
	x.at(second, 0, store.Applied{Revision: x.revision, Epoch: ring.ID{Rep: 1, Seq: 4},
		Request: fmt.Sprintf("%s/%d", by, x.revision), Op: op, Path: path, To: to, Chain: fmt.Sprintf("%016x", x.revision)})
}

// fault makes a fault act for a time.
func (x *trial) fault(from, to int, f fault.Fault) {
	at := func(second int) [2]time.Duration {
		return [2]time.Duration{time.Duration(second) * time.Second, time.Duration(second) * time.Second}
	}
	x.applied = append(x.applied, scenarios.Applied{Fault: f, Begun: at(from), Ended: at(to)})
}

// reset is the end of a machine whose agent was not fed since a minute before.
func (x *trial) reset(second int, m env.MachineID) {
	x.at(second-10, m, watchdog.Expired{Client: haproc.LRMProcess, Reason: "made up", Overdue: true})
	x.at(second, m, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog})
}

// ends gives what a machine finds in the store after quiescence.
func (x *trial) ends(status *ha.ManagerStatus, services map[string]*ha.ServiceConfig) {
	data, err := json.Marshal(status)
	require.NoError(x.t, err)
	for path, text := range map[string]string{haproc.ManagerStatusPath: string(data), haproc.ResourcesPath: config.FormatResources(services)} {
		answer := store.Response{OK: true, Revision: x.revision, Entry: &store.EntryInfo{Path: path, Kind: "file", Data: []byte(text)}}
		x.finals = append(x.finals, scenarios.Final{Op: workload.Op{F: workload.Read, Key: path}, Output: answer.Encode()})
	}
}

func (x *trial) verdict(checker string) linearizability.Verdict {
	x.t.Helper()
	slices.SortStableFunc(x.records, func(a, b scenarios.Stamped) int { return int(a.At - b.At) })
	watch := x.subject.Judge().Watch(x.scenario)
	for _, r := range x.records {
		require.NoError(x.t, watch.Record(r))
	}
	verdicts := watch.Check(x.t.Context(), &scenarios.Run{Scenario: x.scenario, Subject: x.subject, Backend: "sim",
		Duration: trialEnd, Applied: x.applied, Finals: x.finals})
	i := slices.IndexFunc(verdicts, func(v linearizability.Verdict) bool { return v.Checker == checker })
	require.GreaterOrEqual(x.t, i, 0)
	return verdicts[i]
}

func (x *trial) require(checker string, v linearizability.Validity, kind linearizability.Kind) {
	x.t.Helper()
	got := x.verdict(checker)
	require.Equal(x.t, v, got.Validity, got.Summary)
	if v == linearizability.Invalid {
		require.Equal(x.t, kind, got.Violations[0].Kind, got.Summary)
	}
}

const (
	valid   = linearizability.Valid
	invalid = linearizability.Invalid
)

func cut(groups ...[]string) fault.Fault { return fault.Fault{Kind: fault.Partition, Groups: groups} }

// TestAResetNeedsAReasonOfItsOwn: what happens to others, or is over quickly, is none.
func TestAResetNeedsAReasonOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		name     string
		prepare  func(x *trial)
		validity linearizability.Validity
	}{
		{"nothing happened", func(*trial) {}, invalid},
		{"it was cut off", func(x *trial) { x.fault(120, 200, cut([]string{"n1"})) }, valid},
		{"it was cut off for some seconds", func(x *trial) { x.fault(150, 160, cut([]string{"n1"})) }, invalid},
		{"another one was cut off", func(x *trial) { x.fault(120, 200, cut([]string{"n3"})) }, invalid},
		{"another one lost its power", func(x *trial) { x.fault(120, 200, fault.Fault{Kind: fault.PowerCut, Machines: []string{"n3"}}) }, invalid},
		{"both others did, one after the other", func(x *trial) {
			x.at(110, 1, scenarios.Power{Cause: scenarios.CauseFault})
			x.at(125, 1, scenarios.Power{On: true, Boot: 2})
			x.at(170, 2, scenarios.Power{Cause: scenarios.CauseFault})
		}, invalid},
		{"nobody had quorum", func(x *trial) { x.fault(120, 200, cut([]string{"n1"}, []string{"n2"}, []string{"n3"})) }, valid},
		{"the network was not transitive", func(x *trial) {
			x.fault(120, 200, fault.Fault{Kind: fault.Cut, From: []string{"n2"}, To: []string{"n3"}})
		}, valid},
		{"its guests were killed", func(x *trial) {
			x.fault(120, 200, fault.Fault{Kind: fault.Kill, Machines: []string{"n1"}, Process: resource.HostProcess})
		}, invalid},
		{"its agent was paused", func(x *trial) {
			x.fault(120, 200, fault.Fault{Kind: fault.Pause, Machines: []string{"n1"}, Process: haproc.LRMProcess})
		}, valid},
		{"its guests were paused, and then its agent", func(x *trial) {
			x.fault(50, 200, fault.Fault{Kind: fault.Pause, Machines: []string{"n1"}, Process: resource.HostProcess})
			x.fault(120, 200, fault.Fault{Kind: fault.Pause, Machines: []string{"n1"}, Process: haproc.LRMProcess})
		}, valid},
		{"another one's agent was paused", func(x *trial) {
			x.fault(120, 200, fault.Fault{Kind: fault.Pause, Machines: []string{"n3"}, Process: haproc.LRMProcess})
		}, invalid},
		{"its disk was slow", func(x *trial) {
			x.fault(120, 200, fault.Fault{Kind: fault.DiskSlow, Machines: []string{"n1"}, Latency: 10 * time.Millisecond})
		}, invalid},
		{"another one's disk failed and its ring came back with it, then it was cut off", func(x *trial) {
			x.fault(120, 140, fault.Fault{Kind: fault.DiskError, Machines: []string{"n3"}})
			x.fault(150, 200, cut([]string{"n1"}))
		}, valid},
		{"another one's disk failed for longer", func(x *trial) {
			x.fault(120, 150, fault.Fault{Kind: fault.DiskError, Machines: []string{"n3"}})
			x.fault(155, 200, cut([]string{"n1"}))
		}, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTrial(t)
			c.prepare(x)
			x.reset(190, 0)
			x.require("ha-reset", c.validity, pve.NeedlessReset)
		})
	}
}

// TestAnAgentThatEndsByItselfIsNoReason: only a fault that kills it excuses the reset.
func TestAnAgentThatEndsByItselfIsNoReason(t *testing.T) {
	for killed, want := range map[string]linearizability.Validity{"": invalid, haproc.CRMProcess: invalid, haproc.LRMProcess: valid} {
		x := newTrial(t)
		if killed != "" {
			x.fault(179, 185, fault.Fault{Kind: fault.Kill, Machines: []string{"n1"}, Process: killed})
		}
		x.at(180, 0, watchdog.Expired{Client: haproc.LRMProcess, Reason: "gone"})
		x.at(190, 0, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog})
		x.require("ha-reset", want, pve.NeedlessReset)
	}
}

// TestAFenceNeedsAReason: a node that was there must not be given up.
func TestAFenceNeedsAReason(t *testing.T) {
	x := newTrial(t)
	x.at(180, 1, haproc.FenceStep{Node: "n1", Step: "FENCE"})
	x.require("ha-reset", invalid, pve.NeedlessFence)
	x.fault(110, 300, cut([]string{"n1"}))
	x.require("ha-reset", valid, "")
}

// TestLocksChangeHandsOnlyWhenTheyRanOut goes by the store's order.
func TestLocksChangeHandsOnlyWhenTheyRanOut(t *testing.T) {
	name := "priv/lock/" + haproc.AgentLock("n1")
	for seconds, want := range map[int]linearizability.Validity{119: invalid, 121: valid} {
		x := newTrial(t)
		x.change(50, "n1/lrm", "cas", name, "")
		x.change(50+seconds, "n2/crm", "delete", name, "")
		x.change(50+seconds, "n2/crm", "cas", name, "")
		x.require("ha-takeover", want, pve.EarlyTakeover)
	}
	x := newTrial(t)
	x.change(500, "n2/crm", "cas", name, "") // over the holder's, without taking it away
	x.require("ha-takeover", invalid, pve.EarlyTakeover)
}

// TestServicesMoveUnderTheirNodesLock: by whoever holds it, agent or master.
func TestServicesMoveUnderTheirNodesLock(t *testing.T) {
	name, from, to := "priv/lock/"+haproc.AgentLock("n1"), haproc.GuestPath("vm:100", "n1"), haproc.GuestPath("vm:100", "n3")
	x := newTrial(t)
	x.change(50, "n1/lrm", "rename", from, to)
	x.require("ha-takeover", valid, "")
	for _, thief := range []string{"n2/crm", "n3/lrm", "n1/crm", "n2/lrm"} {
		x = newTrial(t)
		x.change(50, thief, "rename", from, to)
		x.require("ha-takeover", invalid, pve.Unproven)
	}
	x = newTrial(t)
	x.at(40, 0, resource.Active{SID: "vm:100"})
	x.change(200, "n2/crm", "delete", name, "")
	x.change(200, "n2/crm", "cas", name, "")
	x.change(201, "n3/crm", "rename", from, to)
	x.require("ha-takeover", valid, "")
	x.at(200, 0, resource.Active{SID: "vm:100", On: true})
	x.at(300, 0, resource.Active{SID: "vm:100"})
	x.require("ha-takeover", invalid, pve.Unproven)
}

// TestRecoveryIsJudgedByWhatConcernsIt: a storm elsewhere does not buy time.
func TestRecoveryIsJudgedByWhatConcernsIt(t *testing.T) {
	down := func(commands ...haspec.Command) *trial {
		x := newTrial(t, commands...)
		x.at(100, 0, resource.Active{SID: "vm:100"})
		return x
	}
	back := func(x *trial, second int) *trial {
		x.at(second, 2, resource.Active{SID: "vm:100", On: true})
		return x
	}
	back(down(), 335).require("ha-recovery", valid, "")
	back(down(), 345).require("ha-recovery", invalid, pve.LostService)
	x := back(down(), 345)
	for second := 110; second < 340; second += 20 {
		x.fault(second, second+10, cut([]string{"n3"}))
	}
	x.require("ha-recovery", invalid, pve.LostService)
	x = back(down(), 345)
	x.fault(150, 160, cut([]string{"n2"})) // the master
	x.require("ha-recovery", valid, "")
	x = back(down(), 345)
	x.fault(150, 160, cut([]string{"n1"})) // its own node
	x.require("ha-recovery", valid, "")
	for second, want := range map[int]linearizability.Validity{455: valid, 465: invalid} { // a lock's life more on the fenced node itself
		x = down()
		x.change(220, "n2/crm", "cas", "priv/lock/"+haproc.AgentLock("n1"), "")
		x.at(second, 0, resource.Active{SID: "vm:100", On: true})
		x.require("ha-recovery", want, pve.LostService)
	}
	x = back(down(), 600)
	x.fault(90, 380, cut([]string{"n1"}, []string{"n2"}, []string{"n3"}))
	x.require("ha-recovery", valid, "")
	x = down(haspec.Command{At: 60 * time.Second, On: "n1", Run: "set vm:100 state stopped"})
	x.at(75, 0, haspec.OperatorDid{What: "set vm:100 state stopped"})
	x.require("ha-recovery", valid, "")
}

// TestWishesCountInTheOrderInWhichTheyCameTrue: a command that could not be given for long comes last.
func TestWishesCountInTheOrderInWhichTheyCameTrue(t *testing.T) {
	stop, start := "set vm:100 state stopped", "set vm:100 state started"
	for stopped, want := range map[int]linearizability.Validity{80: invalid, 300: valid} {
		x := newTrial(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: stop}, haspec.Command{At: 100 * time.Second, On: "n2", Run: start})
		x.at(75, 0, resource.Active{SID: "vm:100"})
		x.at(stopped, 2, haspec.OperatorDid{What: stop})
		x.at(111, 1, haspec.OperatorDid{What: start})
		x.require("ha-recovery", want, pve.LostService)
	}
}

// TestTheSameWishOfTwoIsTwoWishes: the report of one says nothing about the other.
func TestTheSameWishOfTwoIsTwoWishes(t *testing.T) {
	stop, start := "set vm:100 state disabled", "set vm:100 state started"
	x := newTrial(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: stop}, haspec.Command{At: 80 * time.Second, On: "n1", Run: stop},
		haspec.Command{At: 90 * time.Second, On: "n2", Run: start})
	x.at(130, 2, haspec.OperatorDid{What: stop})
	x.at(131, 1, haspec.OperatorDid{What: start})
	x.at(132, 0, haspec.OperatorDid{What: stop})
	x.at(140, 0, resource.Active{SID: "vm:100"})
	x.require("ha-recovery", valid, "")
}

// TestNothingIsForgottenInTheEnd compares what is configured, what the manager knows and what runs.
func TestNothingIsForgottenInTheEnd(t *testing.T) {
	cd := config.DefaultService("vm")
	cd.State = ha.WantStarted
	services := map[string]*ha.ServiceConfig{"vm:100": cd}
	status := func(state ha.ServiceState) *ha.ManagerStatus {
		s := ha.NewManagerStatus()
		s.ServiceStatus["vm:100"] = &ha.ServiceStatus{State: state, Node: "n1"}
		return s
	}
	for _, c := range []struct {
		status *ha.ManagerStatus
		kind   linearizability.Kind
	}{
		{status(ha.Started), ""},
		{ha.NewManagerStatus(), pve.ForgottenService},
		{status(ha.Error), pve.LostService},
		{status(ha.Freeze), pve.LostService},
		{status(ha.Fence), pve.LostService},
		{status(ha.Recovery), pve.LostService},
	} {
		x := newTrial(t)
		x.ends(c.status, services)
		want := invalid
		if c.kind == "" {
			want = valid
		}
		x.require("ha-end", want, c.kind)
	}
	x := newTrial(t)
	x.at(300, 0, resource.Active{SID: "vm:100"})
	x.ends(status(ha.Started), services)
	x.require("ha-end", invalid, pve.LostService)
	x = newTrial(t)
	cd.State = ha.WantStopped
	x.ends(status(ha.Stopped), services)
	x.require("ha-end", invalid, pve.LostService)
}

// TestAnOrderToStopCountsWhenAMasterTakesIt: what was wanted in between is over then.
func TestAnOrderToStopCountsWhenAMasterTakesIt(t *testing.T) {
	stop, start := "stop vm:100 20", "set vm:100 state started"
	for taken, want := range map[int]linearizability.Validity{80: invalid, 140: valid} {
		x := newTrial(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: stop}, haspec.Command{At: 170 * time.Second, On: "n3", Run: start})
		x.at(75, 2, haspec.OperatorDid{What: stop})
		x.at(taken, 1, haproc.CommandsTaken{Batch: "made up", Lines: []string{stop}})
		x.at(taken, 0, resource.Active{SID: "vm:100"})
		x.at(190, 2, haspec.OperatorDid{What: start})
		x.require("ha-recovery", want, pve.LostService)
	}
}

// TestDisarmingMayComeAfterArming: when the one who disarms can reach nobody for long, it holds on.
func TestDisarmingMayComeAfterArming(t *testing.T) {
	for disarmed, want := range map[int]linearizability.Validity{80: invalid, 200: valid} {
		x := newTrial(t, haspec.Command{At: 60 * time.Second, On: "n3", Run: "disarm-ha freeze"}, haspec.Command{At: 100 * time.Second, On: "n2", Run: "arm-ha"})
		x.at(disarmed, 2, haspec.OperatorDid{What: "disarm-ha freeze"})
		x.at(130, 1, haspec.OperatorDid{What: "arm-ha"})
		x.at(210, 0, resource.Active{SID: "vm:100"})
		x.require("ha-recovery", want, pve.LostService)
	}
}
