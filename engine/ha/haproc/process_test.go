package haproc

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// memoryDriver holds resources in memory. It cannot migrate.
type memoryDriver struct {
	running map[string]bool
	started []string
}

func (d *memoryDriver) Step(env.Event) bool { return false }

func (d *memoryDriver) Running(_ *env.Task, sid string) (bool, error) { return d.running[sid], nil }

func (d *memoryDriver) Status(_ *env.Task, sid string) (resource.Status, error) {
	return resource.Status{Running: d.running[sid]}, nil
}

func (d *memoryDriver) Start(_ *env.Task, sid string, conf []byte) error {
	d.running[sid] = true
	d.started = append(d.started, sid+" "+string(conf))
	return nil
}

func (d *memoryDriver) Stop(_ *env.Task, sid string, _ time.Duration) error {
	delete(d.running, sid)
	return nil
}

func (d *memoryDriver) Migrate(*env.Task, string, string, *resource.Migration) error {
	return resource.ErrNoMigration
}

// startLRM starts the LRM of a node and returns the driver of its resources.
func (b *bench) startLRM(node int) *memoryDriver {
	d := &memoryDriver{running: map[string]bool{}}
	o := b.options(node)
	o.NewDriver = func(env.Env) StepDriver { return d }
	b.start(node, LRMProcess, NewLRM(o))
	return d
}

// states returns the states of the CRM and the LRM of a node, one a line.
func (b *bench) states(node string) (list []string) {
	for _, e := range b.records {
		if e.node != node {
			continue
		}
		switch r := e.record.(type) {
		case CRMStateChange:
			list = append(list, "crm "+string(r.State))
		case LRMStateChange:
			list = append(list, "lrm "+string(r.State))
		case watchdog.ConnectionChange:
			list = append(list, fmt.Sprintf("watchdog of %s open=%v", r.Client, r.Open))
		case CommandBegun:
			list = append(list, fmt.Sprintf("begin %s %s %s", r.SID, r.State, r.Target))
		case CommandDone:
			list = append(list, fmt.Sprintf("done %s %s %d", r.SID, r.State, r.ExitCode))
		}
	}
	return list
}

// TestAServiceIsStartedUnderLockAndWatchdog is the usual path from a configuration to a running service.
func TestAServiceIsStartedUnderLockAndWatchdog(t *testing.T) {
	b := newBench(t, 1)
	b.service("vm:1", "n1")
	b.startCRM(0)
	d := b.startLRM(0)
	b.world.RunFor(time.Minute)
	require.Equal(t, []string{
		"crm wait_for_quorum", "lrm wait_for_agent_lock",
		"watchdog of crm open=true", "crm master",
		"watchdog of lrm open=true",
		"begin vm:1 started ", "done vm:1 started 0",
		"lrm active", // emitted after the round
	}, b.states("n1")[:8], "from then on each round looks whether the service still runs")
	require.Equal(t, []string{"vm:1 memory: 512\n"}, d.started, "once, with its configuration")
	require.True(t, b.devices[0].armed)
	require.Equal(t, ha.Started, b.managerStatus().ServiceStatus["vm:1"].State)
}

// TestWithoutQuorumNothingIsRenewed ends with the reset of the machine: the watchdog's clients are no
// longer fed, and the LRM keeps its connection.
func TestWithoutQuorumNothingIsRenewed(t *testing.T) {
	b := newBench(t, 1)
	b.service("vm:1", "n1")
	b.startCRM(0)
	b.startLRM(0)
	b.world.RunFor(time.Minute)
	b.quorate = false
	b.before = func(_ int, _ string, req *store.Request) bool { return req.Op == "cas" }
	b.world.RunFor(2 * time.Minute)
	expired := recordsOf[watchdog.Expired](b)
	require.Len(t, expired, 1)
	require.Equal(t, LRMProcess, expired[0].Client)
	require.True(t, expired[0].Overdue)
	require.Contains(t, b.states("n1"), "lrm lost_agent_lock")
	require.Contains(t, b.states("n1"), "watchdog of crm open=false",
		"a CRM that decides no more closes its own")
}

// TestAnOrderToEndIsCarriedOut ends both processes in the order in which initd asks them.
func TestAnOrderToEndIsCarriedOut(t *testing.T) {
	b := newBench(t, 1)
	b.service("vm:1", "n1")
	b.startCRM(0)
	d := b.startLRM(0)
	b.world.RunFor(time.Minute)
	b.start(0, initd.Process, initd.New(initd.Options{
		Services: []initd.Service{{Name: LRMProcess}, {Name: CRMProcess}}}))
	b.world.RunFor(time.Second)
	lrm, crm := b.procs["n1/lrm"], b.procs["n1/crm"]
	b.world.Invoke(b.procs["n1/init"], 1, initd.Request{Verb: initd.Stop, Service: LRMProcess}.Encode())
	b.world.RunFor(time.Minute)
	require.False(t, lrm.Up())
	require.ErrorIs(t, lrm.Ended(), env.ErrStopped, "it must not be started again")
	require.True(t, d.running["vm:1"], "a restart of the LRM leaves services running")
	b.world.Invoke(b.procs["n1/init"], 2, initd.Request{Verb: initd.Restart, Service: CRMProcess}.Encode())
	b.world.RunFor(time.Minute)
	require.False(t, crm.Up())
	require.NotErrorIs(t, crm.Ended(), env.ErrStopped, "it is started again")
	require.Nil(t, b.tree.Get(lock.Dir+"/"+ManagerLock), "the lock is given back")
	require.False(t, b.devices[0].armed)
}

// TestFailoverTakesTheLockFirst follows a service from a lost node to another one.
func TestFailoverTakesTheLockFirst(t *testing.T) {
	b := newBench(t, 2)
	b.service("vm:1", "n2")
	b.startCRM(0)
	b.startLRM(0)
	b.startLRM(1)
	b.world.RunFor(time.Minute)
	require.Equal(t, "n2", b.managerStatus().ServiceStatus["vm:1"].Node)
	for _, p := range []string{LRMProcess, store.Process, watchdog.Process} {
		b.kill("n2/" + p)
	}
	b.online[2] = false
	b.world.RunFor(lock.TTL - 15*time.Second) // the last renewal was at most 10 s before
	require.Equal(t, ha.Fence, b.managerStatus().ServiceStatus["vm:1"].State)
	require.NotEmpty(t, b.get(GuestPath("vm:1", "n2")), "nothing moves before the lock is ours")
	b.world.RunFor(time.Minute)
	require.Equal(t, "n1", b.managerStatus().ServiceStatus["vm:1"].Node)
	require.Empty(t, b.get(GuestPath("vm:1", "n2")))
	require.NotEmpty(t, b.get(GuestPath("vm:1", "n1")))
	steps := recordsOf[FenceStep](b)
	require.Len(t, steps, 2)
	require.Equal(t, []ha.FenceStep{ha.FenceStarted, ha.FenceSucceeded},
		[]ha.FenceStep{steps[0].Step, steps[1].Step})
}

// TestAMasterThatWasOvertakenWritesNothing: the status replaces what the master read, and not what
// others wrote since.
func TestAMasterThatWasOvertakenWritesNothing(t *testing.T) {
	b := newBench(t, 1)
	b.put(ManagerStatusPath, "{}")
	b.take(0, func(w *crmEnv) {
		status, err := w.ReadManagerStatus()
		require.NoError(t, err)
		mine := status.Clone()
		require.NoError(t, w.WriteManagerStatus(mine.Clone()))
		require.NoError(t, w.WriteManagerStatus(mine.Clone()), "over its own")
		b.put(ManagerStatusPath, `{"master_node":"n9"}`)
		require.ErrorIs(t, w.WriteManagerStatus(mine.Clone()), client.ErrChanged)
	})
	require.Equal(t, "n9", b.managerStatus().MasterNode)
}

// TestFilesAreReadOncePerRound: within a round the content stays the same, until a lock is taken.
func TestFilesAreReadOncePerRound(t *testing.T) {
	b := newBench(t, 1)
	b.put(RulesPath, "first")
	b.take(0, func(w *crmEnv) {
		require.True(t, w.RefreshClusterState())
		read := func() string {
			text, err := w.ReadRules()
			require.NoError(t, err)
			return text
		}
		require.Equal(t, "first", read())
		b.put(RulesPath, "second")
		require.Equal(t, "first", read())
		require.True(t, w.AcquireManagerLock())
		require.Equal(t, "second", read(), "as new as the lock")
		b.put(RulesPath, "third")
		require.True(t, w.RefreshClusterState())
		require.Equal(t, "third", read())
		require.NoError(t, w.WriteRules("fourth"))
		require.Equal(t, "fourth", read(), "what it has written itself")
	})
}

// TestTheWatchdogOpensOnlyUnderTheLock: the connection counts from the renewal of the lock.
func TestTheWatchdogOpensOnlyUnderTheLock(t *testing.T) {
	b := newBench(t, 1)
	b.take(0, func(w *crmEnv) {
		_, err := w.OpenWatchdog()
		require.ErrorIs(t, err, watchdog.ErrRefused)
		require.True(t, w.AcquireManagerLock())
		handle, err := w.OpenWatchdog()
		require.NoError(t, err)
		require.True(t, w.ReleaseManagerLock())
		handle.Feed() // feeds nothing: the lock is not held
		w.task.Sleep(watchdog.ClientTime + 2*watchdog.CheckPeriod)
	})
	require.Len(t, recordsOf[watchdog.Expired](b), 1)
}

// TestFencingModesDecideWhatProvesADeath takes the lock of a node that is gone and has no device.
func TestFencingModesDecideWhatProvesADeath(t *testing.T) {
	for mode, want := range map[ha.FencingMode]bool{
		"": true, ha.FencingWatchdog: true, ha.FencingHardware: true, ha.FencingBoth: false, "odd": true,
	} {
		b := newBench(t, 2)
		b.service("vm:1", "n2")
		if mode != "" {
			b.put(DatacenterPath, "fencing: "+string(mode)+"\n")
		}
		b.startCRM(0)
		b.startLRM(1)
		b.world.RunFor(time.Minute)
		b.kill("n1/crm")
		for _, p := range []string{LRMProcess, store.Process} {
			b.kill("n2/" + p)
		}
		b.online[2] = false
		b.take(0, func(w *crmEnv) {
			require.True(t, w.RefreshClusterState())
			require.True(t, w.AcquireManagerLock(), "it is this node's own lock")
			require.False(t, w.AcquireNodeLock("n2"), "%s: before the lock expires", mode)
			w.task.Sleep(lock.TTL + time.Second)
			require.True(t, w.RefreshClusterState())
			require.Equal(t, want, w.AcquireNodeLock("n2"), "%s: after the lock has expired", mode)
			require.False(t, w.NodeConfirmedDead("n2"))
		})
	}
}

// TestEditsKeepTheChangesOfOthers starts an edit again when the file has changed meanwhile.
func TestEditsKeepTheChangesOfOthers(t *testing.T) {
	b := newBench(t, 1)
	b.service("vm:1", "n1")
	b.take(0, func(w *crmEnv) {
		interfere := true
		b.before = func(_ int, _ string, req *store.Request) bool {
			if req.Op == "cas" && req.Path == ResourcesPath && interfere {
				interfere = false
				b.service("vm:2", "n1")
			}
			return false
		}
		require.NoError(t, w.UpdateServiceState("vm:1", ha.WantStopped))
		services, err := w.ReadServiceConfig()
		require.NoError(t, err)
		require.Equal(t, ha.WantStopped, services["vm:1"].State)
		require.Equal(t, ha.WantStarted, services["vm:2"].State)
		require.Error(t, w.UpdateServiceState("vm:9", ha.WantStopped))
		b.put(ResourcesPath, "vm: 1\n\tcolour red\n")
		require.ErrorContains(t, w.UpdateServiceState("vm:1", ha.WantStarted), "correct the file first")
	})
}

// TestStealingIsRepeatable: an attempt whose answer was lost has succeeded.
func TestStealingIsRepeatable(t *testing.T) {
	b := newBench(t, 2)
	b.service("vm:1", "n2")
	b.take(0, func(w *crmEnv) {
		require.NoError(t, w.StealService("vm:1", "n2", "n1"))
		require.NoError(t, w.StealService("vm:1", "n2", "n1"))
		require.ErrorIs(t, w.StealService("vm:7", "n2", "n1"), client.ErrNotFound)
		services, err := w.ReadServiceConfig()
		require.NoError(t, err)
		require.Equal(t, "n1", services["vm:1"].Node)
	})
}

// TestNodesPublishTheirVersion covers Upgrade and what other nodes read.
func TestNodesPublishTheirVersion(t *testing.T) {
	b := newBench(t, 2)
	b.startLRM(1)
	b.world.RunFor(time.Minute)
	b.take(0, func(w *crmEnv) {
		version := func(node string) string {
			require.True(t, w.RefreshClusterState())
			v, err := w.NodeVersion(node)
			require.NoError(t, err)
			return v
		}
		require.Equal(t, Version, version("n2"))
		require.Empty(t, version("n1"), "its LRM has not run")
		require.NoError(t, Upgrade(w.task, w.env, w.store, "n1", Info{CPUs: 4}, "9.9"))
		require.Equal(t, "9.9", version("n1"))
		o := b.options(0)
		require.Equal(t, "9.9", o.installedVersion(w.env), "after a restart as well")
	})
}
