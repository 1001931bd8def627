package manager

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// withUnseenNode is a cluster whose status has a service on a node that was never online.
func withUnseenNode() *bench {
	b := newBench("a", "b")
	b.info["z"] = ha.NodeInfo{}
	b.add("vm:1", "z", ha.WantStarted)
	b.manager.ServiceStatus["vm:1"] = &ha.ServiceStatus{State: ha.Started, Node: "z", UID: "old"}
	b.dead["z"] = true // an absent lock can be taken at any time
	return b
}

// roundsUntil makes a round every ten seconds for this long.
func (b *bench) roundsUntil(c *CRM, seconds int64) {
	for end := b.now + seconds; b.now < end; {
		b.now += masterRoundSeconds
		c.Round()
	}
}

func TestANodeThatWasNeverSeenIsGivenUp(t *testing.T) {
	b := withUnseenNode()
	c := master(t, b)
	b.roundsUntil(c, FenceDelaySeconds-masterRoundSeconds)
	require.Equal(t, ha.Started, b.state("vm:1"))
	b.roundsUntil(c, masterRoundSeconds)
	require.Equal(t, ha.Fence, b.state("vm:1"))
	require.Equal(t, ha.NodeFence, b.manager.NodeStatus["z"])
	b.roundsUntil(c, LockLifeSeconds-FenceDelaySeconds-masterRoundSeconds)
	require.Empty(t, b.stolen, "the absent lock must be watched as long as one that was there")
	b.roundsUntil(c, masterRoundSeconds)
	require.Equal(t, []string{"vm:1 z a"}, b.stolen)
	require.Empty(t, b.manager.NeverSeen)
}

func TestALockThatIsHeldProvesNothing(t *testing.T) {
	b := withUnseenNode()
	b.dead["z"] = false
	c := master(t, b)
	b.roundsUntil(c, 600)
	require.Equal(t, ha.Fence, b.state("vm:1"))
	b.dead["z"] = true
	b.roundsUntil(c, masterRoundSeconds)
	require.NotEmpty(t, b.stolen)
}

func TestADeviceProvesTheDeathOfAnUnseenNode(t *testing.T) {
	b := withUnseenNode()
	b.off = map[string]bool{"z": true}
	c := master(t, b)
	b.roundsUntil(c, FenceDelaySeconds)
	require.Equal(t, []string{"vm:1 z a"}, b.stolen)
}

// The next master has watched neither the node nor its lock.
func TestTheNextMasterWatchesAnUnseenNodeItself(t *testing.T) {
	b := withUnseenNode()
	c := master(t, b)
	b.roundsUntil(c, LockLifeSeconds-masterRoundSeconds)
	require.Equal(t, []string{"z"}, b.manager.NeverSeen)
	c = NewCRM(b)
	c.Round()
	require.Empty(t, b.stolen)
	b.roundsUntil(c, LockLifeSeconds-masterRoundSeconds)
	require.Empty(t, b.stolen)
	b.roundsUntil(c, masterRoundSeconds)
	require.NotEmpty(t, b.stolen)
}

func TestANodeThatComesIsNotGivenUp(t *testing.T) {
	b := withUnseenNode()
	c := master(t, b)
	b.roundsUntil(c, FenceDelaySeconds-masterRoundSeconds)
	b.info["z"] = ha.NodeInfo{Online: true}
	b.roundsUntil(c, 600)
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Empty(t, b.manager.NeverSeen)
}

func TestAnUnprotectedServiceOfAnUnseenNodeWaits(t *testing.T) {
	b := withUnseenNode()
	b.manager.ServiceStatus["vm:1"].Unprotected = 1
	c := master(t, b)
	b.roundsUntil(c, 600)
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Contains(t, b.text(), "service 'vm:1' is not recovered from node 'z'")
	b.off = map[string]bool{"z": true}
	b.roundsUntil(c, masterRoundSeconds)
	require.NotEmpty(t, b.stolen)
}

// Proxmox VE's manager takes an absent lock at once.
func TestUpstreamTakesAnAbsentLockAtOnce(t *testing.T) {
	b := withUnseenNode()
	b.settings.Decisions = ha.DecisionsUpstream
	c := master(t, b)
	b.roundsUntil(c, FenceDelaySeconds)
	require.Equal(t, []string{"vm:1 z a"}, b.stolen)
}
