package conformance

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
)

// Each try of a property is a whole story of a cluster: make thorough makes all hundred.
func init() {
	if thorough.On() {
		return
	}
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
}

// drawScenario makes a cluster, services and a sequence of faults and commands, and ends with
// everything repaired.
func drawScenario(t *rapid.T) *Scenario {
	s := &Scenario{
		Name: "random", Nodes: map[string]*machine{}, Services: map[string]*ha.ServiceConfig{},
		GuestLocks: map[string]string{}, Manager: ha.NewManagerStatus(),
		Running:    map[string]map[string]bool{},
		Datacenter: ha.DefaultDatacenter(), Stats: map[string]*guestStats{},
	}
	var names, sids []string
	for i := range rapid.IntRange(3, 5).Draw(t, "nodes") {
		name := fmt.Sprintf("node%d", i+1)
		names = append(names, name)
		s.Nodes[name] = &machine{name: name, maxCPU: 8, maxMem: 64 * gibibyte, version: "9.1.0"}
	}
	node, onOff := rapid.SampledFrom(names), rapid.SampledFrom([]string{"on", "off"})
	for i := range rapid.IntRange(1, 6).Draw(t, "services") {
		sid := fmt.Sprintf("%s:%d", rapid.SampledFrom([]string{"vm", "ct"}).Draw(t, "type"), i)
		sids = append(sids, sid)
		cd := config.DefaultService(ha.SIDType(sid))
		cd.Node = node.Draw(t, "home")
		cd.State = rapid.SampledFrom([]ha.RequestedState{ha.WantStarted, ha.WantStarted, ha.WantStopped,
			ha.WantDisabled}).Draw(t, "state")
		cd.Failback = rapid.Bool().Draw(t, "failback")
		s.Services[sid], s.Stats[sid] = cd, defaultGuestStats()
	}
	s.Datacenter.ShutdownPolicy = rapid.SampledFrom([]ha.ShutdownPolicy{
		ha.PolicyConditional, ha.PolicyFreeze, ha.PolicyFailover, ha.PolicyMigrate}).Draw(t, "policy")
	s.Datacenter.CRS.Mode = rapid.SampledFrom([]ha.SchedMode{ha.SchedBasic, ha.SchedStatic,
		ha.SchedDynamic}).Draw(t, "scheduler")
	s.Datacenter.CRS.RebalanceOnStart = rapid.Bool().Draw(t, "rebalance")
	s.Datacenter.CRS.AutoRebalance = rapid.Bool().Draw(t, "balance")
	if len(sids) > 2 && rapid.Bool().Draw(t, "rules") {
		s.Rules = "resource-affinity: apart\n\taffinity " + rapid.SampledFrom([]string{"positive",
			"negative"}).Draw(t, "affinity") +
			"\n\tresources " + strings.Join(sids[:2],
			",") + "\n\nnode-affinity: home\n\tnodes node1:1,node2\n\tresources " + sids[2] + "\n"
	}
	on := func() []string {
		var group []string
		for _, name := range names {
			group = append(group, "power "+name+" on", "network "+name+" on", "cfs "+name+" rw work",
				"cfs "+name+" update work", "crm "+name+" start")
		}
		return group
	}
	s.Commands = append(s.Commands, on())
	sid := rapid.SampledFrom(sids)
	for range rapid.IntRange(1, 12).Draw(t, "groups") {
		var group []string
		for range rapid.IntRange(0, 3).Draw(t, "commands") {
			var text string
			switch rapid.IntRange(0, 13).Draw(t, "command") {
			case 0, 1:
				text = "power " + node.Draw(t, "node") + " " + onOff.Draw(t, "on")
			case 2, 3:
				text = "network " + node.Draw(t, "node") + " " + onOff.Draw(t, "on")
			case 4:
				text = rapid.SampledFrom([]string{"shutdown", "reboot", "restart-lrm"}).Draw(t,
					"verb") + " " + node.Draw(t, "node")
			case 5, 6:
				text = fmt.Sprintf("service %s %s %s", sid.Draw(t, "sid"),
					rapid.SampledFrom([]string{"migrate", "relocate"}).Draw(t, "verb"), node.Draw(t, "node"))
			case 7:
				text = fmt.Sprintf("service %s %s", sid.Draw(t, "sid"),
					rapid.SampledFrom([]string{"started", "stopped", "disabled", "ignored"}).Draw(t, "state"))
			case 8:
				text = fmt.Sprintf("service %s stop %d", sid.Draw(t, "sid"),
					rapid.IntRange(0, 1).Draw(t, "timeout"))
			case 9:
				text = fmt.Sprintf("crm %s %s-node-maintenance", node.Draw(t, "node"),
					rapid.SampledFrom([]string{"enable", "disable"}).Draw(t, "verb"))
			case 10:
				text = "crm node1 " + rapid.SampledFrom([]string{"arm-ha", "disarm-ha freeze",
					"disarm-ha ignore"}).Draw(t, "verb")
			case 11:
				text = fmt.Sprintf("cfs %s %s %s", node.Draw(t, "node"),
					rapid.SampledFrom([]string{"rw", "update"}).Draw(t, "what"),
					rapid.SampledFrom([]string{"work", "fail"}).Draw(t, "how"))
			case 12:
				text = fmt.Sprintf("crm %s %s", node.Draw(t, "node"),
					rapid.SampledFrom([]string{"stop", "start"}).Draw(t, "verb"))
			case 13:
				text = "skip-round " + rapid.SampledFrom([]string{"crm", "lrm"}).Draw(t, "daemon") + " " +
					fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "rounds"))
			}
			group = append(group, text)
		}
		s.Commands = append(s.Commands, group)
	}
	// Repair: first give nodes that are shutting down the time for it, then switch on and arm
	// everything.
	s.Commands = append(s.Commands, []string{"delay 400"}, on(), []string{"delay 200"}, on(),
		[]string{"crm node1 arm-ha"})
	var last []string
	for _, name := range names {
		last = append(last, "crm "+name+" disable-node-maintenance")
	}
	for _, sid := range sids {
		last = append(last, "service "+sid+" started")
	}
	s.Commands = append(s.Commands, last, on(), []string{"delay 300"})
	return s
}

// startEndedLRM starts an LRM that ended although its node does not go down, as the init of a machine
// does: a shutdown was requested and then the power switched on again.
func (w *world) startEndedLRM(node *machine) {
	if node.hasPower && node.shutdownKind == "" {
		w.startLRM(node)
	}
}

// TestRandomFaults: whatever happens, no service runs on two machines at once, and after the repair
// every service runs exactly once, where its configuration is.
func TestRandomFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		w := newWorld(s)
		w.beforeTurn = w.startEndedLRM
		err := w.runUntilQuiet(context.Background(), s.Commands)
		text := (&Run{Log: w.log}).Text()
		require.NoError(t, err, text)
		require.Empty(t, w.doubleRuns, text)
		require.Empty(t, ExtractOutcome(w.log).Double, text)
		requireAllRun(t, w)
	})
}

// settleSeconds is the time in which a moving service arrives and starts. The balancer may move a
// service at any time, also shortly before a run ends.
const settleSeconds = 1200

// requireAllRun lets the world continue until every service runs exactly once, where its configuration is.
func requireAllRun(t *rapid.T, w *world) {
	end := w.nowSeconds + settleSeconds
	var problem string
	for {
		if problem = notRunning(w); problem == "" {
			return
		}
		if w.nowSeconds >= end {
			break
		}
		require.NoError(t, w.advance(minRoundSeconds))
		require.Empty(t, w.doubleRuns)
	}
	require.Fail(t, problem, (&Run{Log: w.log}).Text())
}

// notRunning returns why not every service runs exactly once on the node that has its configuration, ""
// if all do.
func notRunning(w *world) string {
	for _, sid := range sortedKeys(w.services) {
		sd := w.manager.ServiceStatus[sid]
		if sd == nil {
			return sid + " is forgotten"
		}
		if sd.Node == "" {
			return sid + " has no node"
		}
		var running []string
		for _, name := range w.nodeNames {
			if w.nodes[name].runningGuests[sid] {
				running = append(running, name)
			}
		}
		if len(running) != 1 || running[0] != w.services[sid].Node {
			return fmt.Sprintf("%s in state %s runs on %q and is configured on %s", sid, sd.State, running,
				w.services[sid].Node)
		}
	}
	return ""
}

// slow runs commands in workers that take time and continue whatever happens to their LRM, as long as
// the machine has power.
type slow struct {
	env     *daemonEnv
	limit   int
	seconds func() int64
	jobs    []slowJob
	results map[string]ha.ExitCode
}

type slowJob struct {
	cmd lrm.Command
	due int64
}

func (x *slow) MaxWorkers() int { return x.limit }
func (x *slow) Wait(int)        {}

func (x *slow) Start(cmd lrm.Command) bool {
	x.jobs = append(x.jobs, slowJob{cmd, x.env.world.nowSeconds + x.seconds()})
	return true
}

func (x *slow) Finished(sid string) (ha.ExitCode, bool) {
	x.work()
	code, ok := x.results[sid]
	delete(x.results, sid)
	return code, ok
}

// work finishes the commands that are due.
func (x *slow) work() {
	var left []slowJob
	for _, job := range x.jobs {
		if x.env.world.nowSeconds < job.due {
			left = append(left, job)
			continue
		}
		x.results[job.cmd.SID] = lrm.RunCommand(x.env, x.env.findGuest, job.cmd)
	}
	x.jobs = left
}

// TestRandomFaultsWithSlowWorkers: the same properties when commands take up to ninety seconds and
// finish while the node is cut off, while the manager changes, or after their command was withdrawn.
func TestRandomFaultsWithSlowWorkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		w := newWorld(s)
		limit := rapid.IntRange(1, 4).Draw(t, "workers")
		longest := rapid.Int64Range(0, 90).Draw(t, "longest")
		running := map[string]*slow{}
		var turn int64
		w.executor = func(env *daemonEnv) lrm.Executor {
			x := &slow{env: env, limit: limit, results: map[string]ha.ExitCode{}, seconds: func() int64 {
				turn += 37
				return turn % (longest + 1)
			}}
			running[env.node.name] = x
			return x
		}
		w.beforeTurn = func(node *machine) {
			w.startEndedLRM(node)
			if x := running[node.name]; x != nil && node.hasPower {
				x.work()
			} else {
				delete(running, node.name)
			}
		}
		err := w.runUntilQuiet(context.Background(), s.Commands)
		text := (&Run{Log: w.log}).Text()
		require.NoError(t, err, text)
		require.Empty(t, w.doubleRuns, text)
		require.Empty(t, ExtractOutcome(w.log).Double, text)
		requireAllRun(t, w)
	})
}

// TestReplayIsDeterministic: the same scenario gives the same log.
func TestReplayIsDeterministic(t *testing.T) {
	scenarios := rapid.Custom(drawScenario)
	for seed := range thorough.Count(20, 100) {
		s := scenarios.Example(seed)
		first, firstErr := Replay(context.Background(), s)
		second, secondErr := Replay(context.Background(), s)
		require.Equal(t, firstErr, secondErr)
		require.Equal(t, first.Text(), second.Text())
	}
}
