package manager

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func TestCompareVersions(t *testing.T) {
	ordered := []string{"7.4-4", "8.4.1", "9.0.0~2", "9.0.0~16", "9.0.0", "9.0.0-1", "9.0.0+x",
		"9.0.10", "1:0.1"}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, sign(i-j), compareVersions(a, b), "%s and %s", a, b)
		}
	}
	require.Zero(t, compareVersions("1.02", "1.2"))
}

func TestNoMasterWithoutReason(t *testing.T) {
	b := newBench("a", "b")
	c := NewCRM(b)
	c.Round()
	require.Equal(t, ha.CRMWaitForQuorum, c.State())
	b.queue = []string{"enable-node-maintenance b"}
	b.manager.MasterNode, b.manager.Timestamp = "b", b.now-5
	c.Round()
	require.Equal(t, ha.CRMWaitForQuorum, c.State(), "the other master is alive")
	b.now += 60
	c.Round()
	require.Equal(t, ha.CRMMaster, c.State())
	require.True(t, b.open)
	c.Round()
	require.EqualValues(t, 1, b.manager.NodeRequest["b"].Maintenance)
}

func TestAMasterThatLosesItsLockStopsDeciding(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.lockFree, b.quorate = false, false
	written := b.manager.Timestamp
	b.now += 100
	c.Round()
	require.Equal(t, ha.CRMWaitForQuorum, c.State())
	require.False(t, b.open)
	require.Equal(t, written, b.manager.Timestamp)
}

func TestAFailedRefreshIsNotAnEmptyCluster(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.refresh = false
	b.services, b.info = map[string]*ha.ServiceConfig{}, map[string]ha.NodeInfo{}
	c.Round()
	require.Contains(t, b.manager.ServiceStatus, "vm:1")
	require.Equal(t, ha.NodeOnline, b.manager.NodeStatus["b"])
}

func TestStoreErrorsLeaveTheQueueAlone(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	c := master(t, b)
	b.queue, b.storeErr = []string{"migrate vm:1 b"}, errors.New("away")
	c.Round()
	require.Contains(t, b.text(), "got unexpected error - away")
	b.storeErr = nil
	c.Round()
	require.Equal(t, ha.Migrate, b.state("vm:1"))
}

func TestTakeoverNeedsDelayAndProof(t *testing.T) {
	b := newBench("a", "b", "c")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.answer("vm:1", ha.ExitSuccess)
	b.now += 10
	c.Round()
	b.info["b"] = ha.NodeInfo{}
	b.now += FenceDelaySeconds - 1
	c.Round()
	require.Equal(t, ha.Started, b.state("vm:1"))
	b.now++
	c.Round()
	require.Equal(t, ha.Fence, b.state("vm:1"))
	require.Len(t, b.notices, 1)
	for range 20 { // without proof no takeover, however long it takes
		b.now += 100
		c.Round()
	}
	require.Equal(t, ha.Fence, b.state("vm:1"))
	require.Empty(t, b.stolen)
	b.dead["b"] = true
	c.Round()
	require.Equal(t, []string{"vm:1 b a"}, b.stolen)
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Len(t, b.notices, 2)
}

func TestOneStuckServiceDoesNotStopTheOthers(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	b.add("vm:2", "b", ha.WantStarted)
	c := master(t, b)
	b.info["b"], b.dead["b"], b.stuck = ha.NodeInfo{}, true, "vm:1"
	b.now += 100
	c.Round()
	require.Equal(t, ha.Recovery, b.state("vm:1"))
	require.Equal(t, []string{"vm:2 b a"}, b.stolen)
	require.Equal(t, 1, strings.Count(b.text(), "service 'vm:1': got unexpected error - is stuck"))
	b.stuck = ""
	c.Round()
	require.Equal(t, ha.Started, b.state("vm:1"))
}

func TestAFenceSurvivesItsMaster(t *testing.T) {
	b := newBench("a", "b", "c")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.answer("vm:1", ha.ExitSuccess)
	c.Round()
	b.info["b"] = ha.NodeInfo{}
	b.now += FenceDelaySeconds
	c.Round()
	require.Equal(t, ha.Fence, b.state("vm:1"))
	next := newBench("c", "a", "b")
	next.manager, next.services, next.info, next.lrm = b.manager, b.services, b.info, b.lrm
	next.dead["b"] = true
	master(t, next)
	require.Equal(t, []string{"vm:1 b a"}, next.stolen)
}

func TestUnprotectedServicesStay(t *testing.T) {
	b := newBench("a", "b")
	b.lrm["b"].State = "wait_for_agent_lock"
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	require.EqualValues(t, 1, b.manager.ServiceStatus["vm:1"].Unprotected)
	b.info["b"], b.dead["b"] = ha.NodeInfo{}, true
	for range 5 {
		b.now += 100
		c.Round()
	}
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Equal(t, 1, strings.Count(b.text(), "is not recovered from node 'b'"))
	b.info["b"], b.lrm["b"].State = ha.NodeInfo{Online: true}, "active"
	c.Round()
	require.Zero(t, b.manager.ServiceStatus["vm:1"].Unprotected)
}

// orderedBench is a bench whose store orders writes.
type orderedBench struct {
	*bench
	revision uint64
	silent   bool
}

func (b *orderedBench) Revision() (uint64, error) {
	if b.silent {
		return 0, errAway
	}
	return b.revision, nil
}

// The status of an LRM counts for a guest only if it was written after the guest arrived, whichever node
// is master.
func TestAnOlderStatusProtectsNobody(t *testing.T) {
	b := &orderedBench{bench: newBench("a", "b"), revision: 10}
	b.lrm["b"].Written = 7 // "active", in an earlier incarnation of the machine
	b.add("vm:1", "b", ha.WantStarted)
	c := NewCRM(b)
	for range 3 {
		c.Round()
	}
	require.EqualValues(t, 10, b.manager.ServiceStatus["vm:1"].Unprotected)

	b.info["b"], b.dead["b"] = ha.NodeInfo{}, true
	b.revision = 20
	c = NewCRM(b) // the next master knows no more than the file
	for range 5 {
		b.now += 100
		c.Round()
	}
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Empty(t, b.stolen)

	b.info["b"], b.lrm["b"].Written = ha.NodeInfo{Online: true}, 21
	c.Round()
	require.Zero(t, b.manager.ServiceStatus["vm:1"].Unprotected)
}

// TestAGuestOfUnknownArrivalStays: if the time of a guest's arrival is unknown, no status is late enough.
func TestAGuestOfUnknownArrivalStays(t *testing.T) {
	b := &orderedBench{bench: newBench("a", "b"), silent: true}
	b.lrm["b"].Written = 1 << 40
	b.add("vm:1", "b", ha.WantStarted)
	c := NewCRM(b)
	for range 4 {
		c.Round()
	}
	require.EqualValues(t, neverProtected, b.manager.ServiceStatus["vm:1"].Unprotected)
}

func TestAFenceDeviceProvesDeathForAll(t *testing.T) {
	b := newBench("a", "b")
	b.lrm["b"].State = "wait_for_agent_lock"
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	b.info["b"], b.dead["b"], b.off = ha.NodeInfo{}, true, map[string]bool{"b": true}
	b.now += 100
	c.Round()
	require.Equal(t, []string{"vm:1 b a"}, b.stolen)
}

func TestANodeToBeFencedIsNoMaster(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	b.manager.NodeStatus["a"] = ha.NodeFence
	c := NewCRM(b)
	c.Round()
	require.Equal(t, ha.CRMWaitForQuorum, c.State())
	require.False(t, b.locked)
}

func TestFenceWithoutServices(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	b.manager.NodeStatus["b"] = ha.NodeFence
	c := master(t, b)
	require.Contains(t, b.text(), "admin interference")
	b.dead["b"] = true
	c.Round()
	require.Equal(t, ha.NodeUnknown, b.manager.NodeStatus["b"])
}

func TestGoneNodesAreForgotten(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	c := master(t, b)
	delete(b.info, "b")
	c.Round()
	c.Round()
	require.Equal(t, ha.NodeGone, b.manager.NodeStatus["b"])
	b.now += goneSeconds + 1
	c.Round()
	require.NotContains(t, b.manager.NodeStatus, "b")
}

func TestCommandsMakeNoPhantomNodes(t *testing.T) {
	b := newBench("a")
	b.add("vm:1", "a", ha.WantStarted)
	c := master(t, b)
	b.queue = []string{"migrate vm:1 ghost", "enable-node-maintenance ghost",
		"disable-node-maintenance ghost", "sing a song"}
	c.Round()
	require.Equal(t, map[string]ha.NodeState{"a": ha.NodeOnline}, b.manager.NodeStatus)
	require.Contains(t, b.text(), "unable to parse crm command: sing a song")
}

func TestTheUIDStaysUntilItsResultWasSeen(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	uid := b.manager.ServiceStatus["vm:1"].UID
	for range 3 {
		c.Round()
		require.Equal(t, uid, b.manager.ServiceStatus["vm:1"].UID)
	}
	b.answer("vm:1", ha.ExitSuccess)
	c.Round()
	require.NotEqual(t, uid, b.manager.ServiceStatus["vm:1"].UID)
	require.EqualValues(t, 1, b.manager.ServiceStatus["vm:1"].Running)
}

func TestAMigrationToTheWrongNodeEndsInError(t *testing.T) {
	b := newBench("a", "b")
	b.add("vm:1", "a", ha.WantStarted)
	c := master(t, b)
	b.queue = []string{"migrate vm:1 b"}
	c.Round()
	b.answer("vm:1", ha.ExitWrongNode)
	c.Round()
	require.Equal(t, ha.Error, b.state("vm:1"))
}

func TestBundlesMoveTogether(t *testing.T) {
	b := newBench("a", "b", "c")
	b.rules = "resource-affinity: both\n\taffinity positive\n\tresources vm:1,vm:2\n\n" +
		"resource-affinity: never\n\taffinity negative\n\tresources vm:2,vm:3\n"
	b.add("vm:1", "a", ha.WantStarted)
	b.add("vm:2", "a", ha.WantStarted)
	b.add("vm:3", "c", ha.WantStarted)
	c := master(t, b)
	b.queue = []string{"migrate vm:1 c"}
	c.Round()
	require.Equal(t, ha.Started, b.state("vm:1"), "vm:2 cannot go there")
	b.queue = []string{"migrate vm:2 b"}
	c.Round()
	require.Equal(t, "b", b.manager.ServiceStatus["vm:1"].Target)
	require.Equal(t, "b", b.manager.ServiceStatus["vm:2"].Target)
}

func TestGroupsAreMigratedInOrder(t *testing.T) {
	b := newBench("a", "b")
	b.groups = "group: gg\n\tnodes b\n\tnofailback 1\n\trestricted 1\n"
	b.add("vm:1", "b", ha.WantStarted)
	b.services["vm:1"].Group = "gg"
	b.versions["b"] = "8.4.1"
	c := master(t, b)
	for range 2 {
		c.Round()
	}
	require.Contains(t, b.text(), "ha groups migration failed")
	require.NotEmpty(t, b.groups)
	b.versions["b"] = "9.0.0"
	for range groupRetryRounds {
		c.Round()
	}
	require.Empty(t, b.groups)
	require.Contains(t, b.rules, "node-affinity: ha-group-gg")
	require.Contains(t, b.rules, "strict 1")
	require.Empty(t, b.services["vm:1"].Group)
	require.False(t, b.services["vm:1"].Failback)
}

func TestAutoRebalanceWaits(t *testing.T) {
	b := newBench("a", "b")
	b.settings.CRS.Mode, b.settings.CRS.AutoRebalance = ha.SchedStatic, true
	for i := range 4 {
		b.add(fmt.Sprintf("vm:%d", i), "a", ha.WantStarted)
	}
	c := master(t, b)
	moving := func() (n int) {
		for _, sd := range b.manager.ServiceStatus {
			if sd.State.Moving() {
				n++
			}
		}
		return n
	}
	// Without any size the nodes count as empty, so nothing is out of balance.
	for range 10 {
		c.Round()
	}
	require.Zero(t, moving())
}
