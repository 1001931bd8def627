package manager

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// bench is the world around one CRM.
type bench struct {
	node     string
	now      int64
	log      []string
	quorate  bool
	refresh  bool
	lockFree bool
	locked   bool
	open     bool
	storeErr error
	uids     int
	manager  *ha.ManagerStatus
	lrm      map[string]*ha.LRMStatus
	services map[string]*ha.ServiceConfig
	info     map[string]ha.NodeInfo
	dead     map[string]bool // nodes whose agent lock can be had
	settings ha.Datacenter
	queue    []string
	rules    string
	groups   string
	versions map[string]string
	stolen   []string
	notices  []ha.FenceNotice
}

func newBench(nodes ...string) *bench {
	b := &bench{
		node: nodes[0], now: 1000, quorate: true, refresh: true, lockFree: true, manager: ha.NewManagerStatus(),
		lrm: map[string]*ha.LRMStatus{}, services: map[string]*ha.ServiceConfig{}, info: map[string]ha.NodeInfo{},
		dead: map[string]bool{}, settings: ha.DefaultDatacenter(), versions: map[string]string{},
	}
	for _, node := range nodes {
		b.info[node] = ha.NodeInfo{Online: true}
		b.lrm[node] = &ha.LRMStatus{State: "active", Mode: ha.ModeActive, Results: map[string]ha.LRMResult{}}
		b.versions[node] = "9.1.0"
	}
	return b
}

func (b *bench) NodeName() string                         { return b.node }
func (b *bench) NowSeconds() int64                        { return b.now }
func (b *bench) Sleep(s int)                              { b.now += int64(s) }
func (b *bench) Log(level ha.Level, m string)             { b.log = append(b.log, string(level)+" "+m) }
func (b *bench) NewUID() string                           { b.uids++; return fmt.Sprint("u", b.uids) }
func (b *bench) RefreshClusterState() bool                { return b.refresh }
func (b *bench) Quorate() bool                            { return b.quorate }
func (b *bench) Feed()                                    {}
func (b *bench) Close()                                   { b.open = false }
func (b *bench) OpenWatchdog() (ha.Watchdog, error)       { b.open = true; return b, nil }
func (b *bench) CRMCommandsPending() bool                 { return len(b.queue) > 0 }
func (b *bench) Notify(n ha.FenceNotice)                  { b.notices = append(b.notices, n) }
func (b *bench) AcquireNodeLock(node string) bool         { return b.dead[node] }
func (b *bench) RemoveServiceLock(string) (string, error) { return "", b.storeErr }
func (b *bench) ReadGroups() (string, error)              { return b.groups, b.storeErr }
func (b *bench) ReadRules() (string, error)               { return b.rules, b.storeErr }
func (b *bench) DeleteGroups() error                      { b.groups = ""; return b.storeErr }
func (b *bench) WriteRules(text string) error             { b.rules = text; return b.storeErr }
func (b *bench) NodeVersion(n string) (string, error)     { return b.versions[n], b.storeErr }
func (b *bench) ReadDatacenter() (ha.Datacenter, error)   { return b.settings, b.storeErr }

func (b *bench) NodeInfo() (map[string]ha.NodeInfo, error) { return b.info, nil }

func (b *bench) NodeStats() (map[string]ha.NodeStats, error) { return map[string]ha.NodeStats{}, nil }

func (b *bench) ServiceStats() (map[string]ha.ServiceStats, error) {
	return map[string]ha.ServiceStats{}, nil
}

func (b *bench) ReadManagerStatus() (*ha.ManagerStatus, error) {
	return b.manager.Clone(), b.storeErr
}

func (b *bench) WriteManagerStatus(s *ha.ManagerStatus) error {
	if b.storeErr == nil {
		b.manager = s
	}
	return b.storeErr
}

func (b *bench) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	out := map[string]*ha.ServiceConfig{}
	for sid, cd := range b.services {
		out[sid] = cd.Clone()
	}
	return out, b.storeErr
}

func (b *bench) ReadLRMStatus(node string) (*ha.LRMStatus, error) {
	if s := b.lrm[node]; s != nil {
		return s.Clone(), b.storeErr
	}
	return &ha.LRMStatus{}, b.storeErr
}

func (b *bench) AcquireManagerLock() bool {
	b.locked = b.lockFree
	return b.lockFree
}

func (b *bench) ReleaseManagerLock() bool {
	was := b.locked
	b.locked = false
	return was
}

func (b *bench) ReadCRMCommands() ([]string, error) {
	lines := b.queue
	if b.storeErr == nil {
		b.queue = nil
	}
	return lines, b.storeErr
}

func (b *bench) UpdateServiceState(sid, requested string) error {
	if b.storeErr == nil && b.services[sid] != nil {
		b.services[sid].State = requested
	}
	return b.storeErr
}

func (b *bench) UpdateServiceConfig(changed map[string]*ha.ServiceConfig) error {
	for sid, cd := range changed {
		b.services[sid] = cd.Clone()
	}
	return b.storeErr
}

func (b *bench) StealService(sid, from, to string) error {
	if b.storeErr == nil {
		b.stolen = append(b.stolen, sid+" "+from+" "+to)
		b.services[sid].Node = to
	}
	return b.storeErr
}

func (b *bench) add(sid, node, state string) {
	b.services[sid] = config.DefaultService(ha.SIDType(sid))
	b.services[sid].Node, b.services[sid].State = node, state
}

// answer lets the LRM of the service's node answer its current command.
func (b *bench) answer(sid string, code ha.ExitCode) {
	sd := b.manager.ServiceStatus[sid]
	b.lrm[sd.Node].Results[sd.UID] = ha.LRMResult{SID: sid, State: sd.State, ExitCode: code}
}

func (b *bench) text() string { return strings.Join(b.log, "\n") }

func (b *bench) state(sid string) ha.ServiceState { return b.manager.ServiceStatus[sid].State }

func master(t require.TestingT, b *bench) *CRM {
	c := NewCRM(b)
	c.Round()
	require.Equal(t, StateMaster, c.State(), b.text())
	return c
}

func TestCompareVersions(t *testing.T) {
	ordered := []string{"7.4-4", "8.4.1", "9.0.0~2", "9.0.0~16", "9.0.0", "9.0.0-1", "9.0.0+x", "9.0.10", "1:0.1"}
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
	require.Equal(t, StateWaitForQuorum, c.State())
	b.queue = []string{"enable-node-maintenance b"}
	b.manager.MasterNode, b.manager.Timestamp = "b", b.now-5
	c.Round()
	require.Equal(t, StateWaitForQuorum, c.State(), "the other master is alive")
	b.now += 60
	c.Round()
	require.Equal(t, StateMaster, c.State())
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
	require.Equal(t, StateWaitForQuorum, c.State())
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
	for range 20 { // no proof, no takeover, however long it takes
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

func TestUnguardedServicesStay(t *testing.T) {
	b := newBench("a", "b")
	b.lrm["b"].State = "wait_for_agent_lock"
	b.add("vm:1", "b", ha.WantStarted)
	c := master(t, b)
	require.EqualValues(t, 1, b.manager.ServiceStatus["vm:1"].Unguarded)
	b.info["b"], b.dead["b"] = ha.NodeInfo{}, true
	for range 5 {
		b.now += 100
		c.Round()
	}
	require.Equal(t, ha.Started, b.state("vm:1"))
	require.Equal(t, 1, strings.Count(b.text(), "is not recovered from node 'b'"))
	b.info["b"], b.lrm["b"].State = ha.NodeInfo{Online: true}, "active"
	c.Round()
	require.Zero(t, b.manager.ServiceStatus["vm:1"].Unguarded)
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
	b.queue = []string{"migrate vm:1 ghost", "enable-node-maintenance ghost", "disable-node-maintenance ghost", "sing a song"}
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
	b.groups = "group: g\n\tnodes b\n\tnofailback 1\n\trestricted 1\n"
	b.add("vm:1", "b", ha.WantStarted)
	b.services["vm:1"].Group = "g"
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
	require.Contains(t, b.rules, "node-affinity: ha-group-g")
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
	// without any size the nodes count as empty, so nothing is out of balance
	for range 10 {
		c.Round()
	}
	require.Zero(t, moving())
}

// drawBench makes a master's world of random but well-formed files.
func drawBench(t *rapid.T) *bench {
	nodes := []string{"a", "b", "c"}
	b := newBench(nodes...)
	node := rapid.SampledFrom(append(nodes, "ghost"))
	for i := range rapid.IntRange(0, 6).Draw(t, "services") {
		sid := fmt.Sprintf("%s:%d", rapid.SampledFrom([]string{"vm", "ct"}).Draw(t, "type"), i)
		if rapid.IntRange(0, 4).Draw(t, "configured") > 0 {
			b.add(sid, node.Draw(t, "home"),
				rapid.SampledFrom([]string{"started", "stopped", "disabled", "ignored"}).Draw(t, "want"))
			b.services[sid].MaxRelocate = rapid.IntRange(0, 2).Draw(t, "max")
		}
		if rapid.IntRange(0, 4).Draw(t, "known") == 0 {
			continue
		}
		sd := &ha.ServiceStatus{
			State: rapid.SampledFrom(ha.ServiceStates()).Draw(t, "state"), Node: node.Draw(t, "node"),
			UID: b.NewUID(), Unguarded: ha.Int(rapid.IntRange(0, 1).Draw(t, "unguarded")),
			FailedNodes: rapid.SliceOfN(node, 0, 2).Draw(t, "failed"),
		}
		if sd.State.Moving() {
			sd.Target = node.Draw(t, "target")
		}
		if rapid.Bool().Draw(t, "maintenance node") {
			sd.MaintenanceNode = node.Draw(t, "fallback")
		}
		if rapid.Bool().Draw(t, "command") {
			sd.Cmd = []string{rapid.SampledFrom([]string{"migrate", "relocate", "stop", "odd"}).Draw(t, "name"), "b"}
		}
		if rapid.Bool().Draw(t, "answered") {
			b.lrm["a"].Results[sd.UID] = ha.LRMResult{SID: sid, ExitCode: ha.ExitCode(rapid.IntRange(0, 8).Draw(t, "code"))}
		}
		b.manager.ServiceStatus[sid] = sd
	}
	for _, name := range nodes {
		b.manager.NodeStatus[name] = rapid.SampledFrom([]ha.NodeState{
			ha.NodeOnline, ha.NodeMaintenance, ha.NodeUnknown, ha.NodeFence, ha.NodeGone, "odd"}).Draw(t, "node state")
		b.info[name] = ha.NodeInfo{Online: rapid.Bool().Draw(t, "online")}
		b.dead[name] = rapid.Bool().Draw(t, "dead")
		b.lrm[name].Mode = rapid.SampledFrom([]ha.Mode{"", ha.ModeActive, ha.ModeRestart, ha.ModeShutdown,
			ha.ModeMaintenance, ha.ModeDisarm}).Draw(t, "mode")
		b.lrm[name].State = rapid.SampledFrom([]string{"", "active", "wait_for_agent_lock"}).Draw(t, "lrm state")
	}
	b.info["a"] = ha.NodeInfo{Online: true}
	b.settings.CRS.RebalanceOnStart = rapid.Bool().Draw(t, "rebalance")
	b.settings.CRS.Mode = rapid.SampledFrom([]string{"basic", "static", "dynamic", "odd"}).Draw(t, "scheduler")
	if rapid.IntRange(0, 3).Draw(t, "disarm") == 0 {
		b.manager.Disarm = &ha.Disarm{Mode: rapid.SampledFrom([]string{"freeze", "ignore"}).Draw(t, "disarm mode"),
			State: rapid.SampledFrom([]string{"disarming", "disarmed"}).Draw(t, "disarm state")}
	}
	b.queue = rapid.SliceOfN(rapid.SampledFrom([]string{"migrate vm:1 b", "relocate ct:2 c", "stop vm:1 0", "arm-ha",
		"disarm-ha freeze", "disarm-ha ignore", "enable-node-maintenance b", "disable-node-maintenance c", "nonsense"}), 0, 4).Draw(t, "queue")
	b.rules = rapid.SampledFrom([]string{"", "resource-affinity: x\n\taffinity positive\n\tresources vm:1,ct:2\n",
		"node-affinity: y\n\tnodes b\n\tresources vm:0\n\tstrict 1\n", "garbage\n"}).Draw(t, "rules")
	return b
}

// TestRandomStatus: whatever status a master finds, rounds end, every service keeps a node and a known state, what moves
// has a target, a configured service is not forgotten, and nothing is taken over without proof.
func TestRandomStatus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBench(t)
		c := NewCRM(b)
		for range 6 {
			before := b.manager.Clone()
			stolen := len(b.stolen)
			c.Round()
			b.now += 10
			data, err := b.manager.Encode()
			require.NoError(t, err)
			_, err = ha.DecodeManagerStatus(data)
			require.NoError(t, err, b.text())
			for sid := range before.ServiceStatus {
				if cd := b.services[sid]; cd != nil && cd.State != ha.WantIgnored {
					require.Contains(t, b.manager.ServiceStatus, sid)
				}
			}
			for _, entry := range b.stolen[stolen:] {
				words := strings.Fields(entry)
				was := before.ServiceStatus[words[0]]
				proven := b.dead[words[1]] || was != nil && was.State == ha.Recovery
				require.True(t, proven, "%s was taken over without proof\n%s", entry, b.text())
			}
		}
	})
}

// TestDecisionsAreDeterministic: two masters that find the same world decide the same.
func TestDecisionsAreDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBench(t)
		clone := *b
		clone.services, _ = b.ReadServiceConfig()
		clone.manager = b.manager.Clone()
		clone.queue = append([]string(nil), b.queue...)
		for _, bench := range []*bench{b, &clone} {
			c := NewCRM(bench)
			for range 3 {
				c.Round()
				bench.now += 30
			}
		}
		require.Equal(t, b.text(), clone.text())
		first, err := b.manager.Encode()
		require.NoError(t, err)
		second, err := clone.manager.Encode()
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}
