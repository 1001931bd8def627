package lrm_test

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
)

// bench is a node with an LRM whose workers take as many rounds as the test requires.
type bench struct {
	now      int64
	log      []string
	quorate  bool
	lockFree bool
	locked   bool
	storeErr error
	refresh  bool
	manager  *ha.ManagerStatus
	services map[string]*ha.ServiceConfig
	policy   ha.ShutdownPolicy
	down     bool
	reboot   bool
	written  *ha.LRMStatus
	modes    []ha.Mode // of everything that was written
	open     bool
	fed      int64

	limit    int
	busy     map[string]lrm.Command
	done     map[string]ha.ExitCode
	started  []lrm.Command
	overlaps int
}

func newBench() *bench {
	return &bench{
		quorate: true, lockFree: true, refresh: true, manager: ha.NewManagerStatus(),
		policy:   ha.PolicyConditional,
		services: map[string]*ha.ServiceConfig{}, limit: 4, busy: map[string]lrm.Command{},
		done: map[string]ha.ExitCode{},
	}
}

func (b *bench) NodeName() string                   { return "n1" }
func (b *bench) NowSeconds() int64                  { return b.now }
func (b *bench) Sleep(s int)                        { b.now += int64(s) }
func (b *bench) Log(level ha.Level, m string)       { b.log = append(b.log, string(level)+" "+m) }
func (b *bench) NewUID() string                     { return "unused" }
func (b *bench) RefreshClusterState() bool          { return b.refresh }
func (b *bench) Quorate() bool                      { return b.quorate }
func (b *bench) NodeShutdown() (bool, bool)         { return b.down, b.reboot }
func (b *bench) MaxWorkers() int                    { return b.limit }
func (b *bench) Feed()                              { b.fed = b.now }
func (b *bench) Close()                             { b.open = false }
func (b *bench) OpenWatchdog() (ha.Watchdog, error) { b.open = true; return b, nil }

func (b *bench) ReadManagerStatus() (*ha.ManagerStatus, error) {
	return b.manager.Clone(), b.storeErr
}

func (b *bench) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	return b.services, b.storeErr
}

func (b *bench) ReadDatacenter() (ha.Datacenter, error) {
	dc := ha.DefaultDatacenter()
	dc.ShutdownPolicy = b.policy
	return dc, b.storeErr
}

func (b *bench) ReadOwnLRMStatus() (*ha.LRMStatus, error) {
	if b.written == nil {
		return &ha.LRMStatus{}, b.storeErr
	}
	return b.written.Clone(), b.storeErr
}

func (b *bench) WriteLRMStatus(s *ha.LRMStatus) error {
	if b.storeErr == nil {
		b.written, b.modes = s, append(b.modes, s.Mode)
	}
	return b.storeErr
}

func (b *bench) AcquireAgentLock() bool {
	b.locked = b.locked || b.lockFree
	return b.locked && b.lockFree
}

func (b *bench) ReleaseAgentLock() bool {
	was := b.locked
	b.locked = false
	return was
}

func (b *bench) Start(cmd lrm.Command) bool {
	if _, running := b.busy[cmd.SID]; running {
		b.overlaps++
	}
	b.busy[cmd.SID] = cmd
	b.started = append(b.started, cmd)
	return true
}

func (b *bench) Finished(sid string) (ha.ExitCode, bool) {
	code, ok := b.done[sid]
	if ok {
		delete(b.done, sid)
		delete(b.busy, sid)
	}
	return code, ok
}

func (b *bench) Wait(seconds int) { b.now += int64(seconds) }

func (b *bench) finish(sid string, code ha.ExitCode) { b.done[sid] = code }

func (b *bench) want(sid string, state ha.ServiceState, uid string) {
	b.manager.ServiceStatus[sid] = &ha.ServiceStatus{State: state, Node: "n1", UID: uid}
	if state.Moving() {
		b.manager.ServiceStatus[sid].Target = "n2"
	}
	b.services[sid] = &ha.ServiceConfig{Type: "vm", Node: "n1", State: ha.WantStarted, MaxRestart: 1}
}

func (b *bench) text() string { return strings.Join(b.log, "\n") }

func active(t *testing.T, b *bench) *lrm.LRM {
	t.Helper()
	l := lrm.New(b, b, nil)
	l.Round()
	require.Equal(t, ha.LRMActive, l.State(), b.text())
	return l
}

func TestNothingStartsWithoutLockAndWatchdog(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	b.lockFree = false
	l := lrm.New(b, b, nil)
	for range 5 {
		l.Round()
	}
	require.Empty(t, b.started)
	require.False(t, b.open)
	b.lockFree = true
	l.Round()
	require.Len(t, b.started, 1)
	require.True(t, b.open && b.locked)
}

// TestShutdownBeforeTheFirstRound: an LRM that must shut down at once publishes its mode, and what its
// predecessor had started.
func TestShutdownBeforeTheFirstRound(t *testing.T) {
	b := newBench()
	b.down, b.written = true, &ha.LRMStatus{StartedMoves: map[string]string{"u1": "n2"}}
	lrm.New(b, b, nil).RequestShutdown()
	require.NotContains(t, b.text(), "unable to update")
	require.Equal(t, ha.ModeShutdown, b.written.Mode)
	require.Equal(t, map[string]string{"u1": "n2"}, b.written.StartedMoves)
	b.quorate = false
	lrm.New(b, b, nil).RequestShutdown()
	require.Contains(t, b.text(), "unable to update lrm status file - not quorate?")
}

// TestIdleRoundsAreScaled: without a service the LRM keeps its lock for sixty rounds, or so many times as
// many.
func TestIdleRoundsAreScaled(t *testing.T) {
	for factor, rounds := range map[int]int{0: 60, 1: 60, 3: 180} {
		b := newBench()
		b.want("vm:1", ha.Started, "u1")
		l := active(t, b)
		l.IdleFactor = factor
		b.finish("vm:1", ha.ExitSuccess)
		delete(b.manager.ServiceStatus, "vm:1")
		delete(b.services, "vm:1")
		l.Round()
		for kept := 1; kept < rounds; kept++ {
			l.Round()
			require.Equal(t, ha.LRMActive, l.State(), "factor %d, round %d", factor, kept)
		}
		l.Round()
		require.Equal(t, ha.LRMWaitForAgentLock, l.State())
		require.False(t, b.locked)
		require.Contains(t, b.text(), fmt.Sprintf("for %d rounds, going idle", rounds))
	}
}

func TestACommandIsExecutedOnce(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitSuccess)
	for range 5 {
		l.Round()
	}
	require.Len(t, b.started, 1)
	require.Equal(t, ha.ExitSuccess, b.written.Results["u1"].ExitCode)
	b.want("vm:1", ha.Stopped, "u2") // stopping is enforced indefinitely
	for range 3 {
		l.Round()
		b.finish("vm:1", ha.ExitSuccess)
		l.Round()
	}
	require.Greater(t, len(b.started), 3)
	require.Zero(t, b.overlaps)
}

func TestResultsOfForgottenCommandsArePruned(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	b.want("vm:2", ha.Started, "v1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitSuccess)
	l.Round()
	require.Contains(t, b.written.Results, "u1")
	b.want("vm:1", ha.RequestStop, "u2")
	b.finish("vm:2", ha.ExitSuccess)
	l.Round()
	require.NotContains(t, b.written.Results, "u1")
	require.Contains(t, b.written.Results, "v1")
}

func TestRestartPolicy(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitError)
	l.Round() // takes the result, tries again
	require.NotContains(t, b.written.Results, "u1")
	l.Round()
	require.Len(t, b.started, 2)
	b.finish("vm:1", ha.ExitError)
	l.Round()
	require.Equal(t, ha.ExitError, b.written.Results["u1"].ExitCode)
	require.Contains(t, b.text(), "on local node after 1 retries")
}

func TestARoundWaitsForWorkersAWhile(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	start := b.now
	active(t, b)
	require.EqualValues(t, 8, b.now-start)
}

func TestWorkersAreSharedFairly(t *testing.T) {
	b := newBench()
	b.limit = 2
	for i := range 7 {
		b.want(fmt.Sprintf("vm:%d", i), ha.Started, fmt.Sprint("u", i))
	}
	l := active(t, b)
	for range 10 {
		require.LessOrEqual(t, len(b.busy), b.limit)
		var running []string
		for sid := range b.busy {
			running = append(running, sid)
		}
		sort.Strings(running)
		for _, sid := range running {
			b.finish(sid, ha.ExitSuccess)
		}
		for sid := range b.services { // every result is answered by a new uid, so all need a worker again
			b.manager.ServiceStatus[sid].UID = b.manager.ServiceStatus[sid].UID + "x"
		}
		l.Round()
	}
	count := map[string]int{}
	for _, cmd := range b.started {
		count[cmd.SID]++
	}
	for i := range 7 {
		require.GreaterOrEqual(t, count[fmt.Sprintf("vm:%d", i)], 2, "%v", count)
	}
}

func TestAQueuedCommandIsDroppedWhenTheManagerChangesItsMind(t *testing.T) {
	b := newBench()
	b.limit = 1
	b.want("vm:1", ha.Started, "u1")
	b.want("vm:2", ha.Started, "u2")
	l := active(t, b)
	require.Len(t, b.started, 1)
	b.want("vm:2", ha.Freeze, "u3")
	b.finish("vm:1", ha.ExitSuccess)
	for range 3 {
		l.Round()
	}
	for _, cmd := range b.started {
		require.NotEqual(t, "vm:2", cmd.SID)
	}
}

// A node in maintenance that boots must not report even briefly that it is ready: its services would be
// moved back to it.
func TestTheFirstWordIsNotAWrongOne(t *testing.T) {
	b := newBench()
	b.quorate = false
	b.manager.NodeRequest["n1"] = ha.NodeRequest{Maintenance: 1}
	l := lrm.New(b, b, nil)
	l.Round()
	require.Empty(t, b.modes)
	b.quorate = true
	l.Round()
	require.NotEmpty(t, b.modes)
	for _, mode := range b.modes {
		require.Equal(t, ha.ModeMaintenance, mode)
	}
}

func TestLosingTheLockStopsEverythingNew(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.lockFree = false
	b.want("vm:2", ha.Started, "u2")
	fed := b.fed
	for range 4 {
		b.now += 5
		l.Round()
	}
	require.Equal(t, ha.LRMLostAgentLock, l.State())
	require.Equal(t, fed, b.fed, "the watchdog must not be fed")
	require.True(t, b.open)
	require.Len(t, b.started, 1)
	b.lockFree = true
	l.Round()
	require.Equal(t, ha.LRMActive, l.State())
}

func TestAFencedNodeGivesUp(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.want("vm:1", ha.Fence, "u2")
	l.Round()
	require.Equal(t, ha.LRMLostAgentLock, l.State())
	b.manager.ServiceStatus["vm:1"].State = ha.Started
	b.manager.NodeStatus["n1"] = ha.NodeFence
	l.Round()
	require.Equal(t, ha.LRMLostAgentLock, l.State(), "the node state alone is a reason, too")
}

func TestShutdownKeepsTheLockWhenAServiceDoesNotStop(t *testing.T) {
	for _, code := range []ha.ExitCode{ha.ExitSuccess, ha.ExitError} {
		b := newBench()
		b.want("vm:1", ha.Started, "u1")
		l := active(t, b)
		b.finish("vm:1", ha.ExitSuccess)
		l.Round()
		b.down = true
		l.RequestShutdown()
		require.Equal(t, ha.ModeShutdown, b.written.Mode)
		require.False(t, l.Round().Exit)
		require.Equal(t, ha.RequestStop, b.busy["vm:1"].State)
		b.finish("vm:1", code)
		require.True(t, l.Round().Exit)
		require.Equal(t, code != ha.ExitSuccess, b.locked)
		require.Equal(t, code != ha.ExitSuccess, b.open)
	}
}

func TestRestartWaitsForWorkersAndFreeze(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Migrate, "u1")
	l := active(t, b)
	l.RequestShutdown()
	require.Equal(t, ha.ModeRestart, b.written.Mode)
	require.False(t, l.Round().Exit, "the migration is still running")
	b.finish("vm:1", ha.ExitSuccess)
	require.False(t, l.Round().Exit, "the manager has not frozen it yet")
	require.Equal(t, ha.ExitSuccess, b.written.Results["u1"].ExitCode)
	b.want("vm:1", ha.Freeze, "u2")
	require.True(t, l.Round().Exit)
	require.False(t, b.locked || b.open)
}

func TestADisarmingLRMCarriesOutItsMovesFirst(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitSuccess)
	l.Round()
	b.want("vm:1", ha.Relocate, "u2")
	b.manager.Disarm = &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming}
	l.Round()
	require.Len(t, b.started, 2, "the manager waits for it before it continues to disarm")
	require.True(t, b.locked && b.open)
	b.finish("vm:1", ha.ExitSuccess)
	l.Round()
	require.Equal(t, ha.ExitSuccess, b.written.Results["u2"].ExitCode)
	b.want("vm:1", ha.Freeze, "u3")
	l.Round()
	require.Equal(t, ha.LRMWaitForAgentLock, l.State())
	require.False(t, b.locked || b.open)
}

func TestALostRestartGivesUpAfterAWhile(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.lockFree = false
	l.Round()
	l.RequestShutdown()
	require.False(t, l.Round().Exit)
	b.now += 91
	require.True(t, l.Round().Exit)
	require.True(t, b.open, "the watchdog stays")
	require.Contains(t, b.text(), "giving up")
}

func TestAnIdleLRMLetsGo(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitSuccess)
	l.Round()
	delete(b.manager.ServiceStatus, "vm:1")
	for range 60 {
		l.Round()
	}
	require.Equal(t, ha.LRMActive, l.State())
	l.Round()
	require.Equal(t, ha.LRMWaitForAgentLock, l.State())
	require.False(t, b.open || b.locked)
}

func TestStoreErrorsChangeNothing(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.storeErr = errors.New("store is away")
	for range 3 {
		l.Round()
	}
	require.Equal(t, ha.LRMActive, l.State())
	require.Len(t, b.started, 1)
	require.Contains(t, b.text(), "updating service status from manager failed: store is away")
}

// TestRandomDecisions: whatever the manager decides in whatever order, the LRM starts nothing without
// lock and watchdog, runs no two commands of one service at once, executes no uid twice and never asks
// for more workers than there are.
func TestRandomDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		b.limit = rapid.IntRange(1, 3).Draw(t, "workers")
		l := lrm.New(b, b, nil)
		uid := 0
		seen, results := map[string]bool{}, 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			sid := rapid.SampledFrom([]string{"vm:1", "vm:2", "vm:3", "vm:4"}).Draw(t, "sid")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2:
				uid++
				b.want(sid, rapid.SampledFrom(ha.ServiceStates()).Draw(t, "state"), fmt.Sprint("u", uid))
			case 3, 4:
				if _, running := b.busy[sid]; running {
					b.finish(sid, rapid.SampledFrom([]ha.ExitCode{ha.ExitSuccess, ha.ExitError}).Draw(t,
						"code"))
					results++
				}
			case 5:
				b.lockFree = rapid.Bool().Draw(t, "lock")
			case 6:
				b.quorate = rapid.Bool().Draw(t, "quorum")
			case 7:
				b.refresh = rapid.Bool().Draw(t, "refresh")
			case 8:
				b.manager.Disarm = nil
				if rapid.Bool().Draw(t, "disarm") {
					b.manager.Disarm = &ha.Disarm{Mode: ha.DisarmIgnore, State: ha.DisarmDisarming}
				}
			case 9:
				delete(b.manager.ServiceStatus, sid)
			}
			before := len(b.started)
			b.now += 10
			l.Round()
			for _, cmd := range b.started[before:] {
				require.True(t, b.locked && b.open && b.lockFree, "%v was started without protection", cmd)
				if cmd.State != ha.Stopped && cmd.State != ha.Started { // those may be tried again
					require.False(t, seen[cmd.UID], "%v was executed twice", cmd)
				}
				seen[cmd.UID] = true
			}
			require.Zero(t, b.overlaps)
			require.LessOrEqual(t, len(b.busy), b.limit)
		}
	})
}
