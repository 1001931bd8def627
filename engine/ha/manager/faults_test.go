package manager

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ha"
)

var errAway = errors.New("store went away")

// faulty is a bench whose store becomes unreachable after some calls. The call that meets the fault is
// lost, or has its effect and only the answer is lost.
type faulty struct {
	*bench
	// left are the calls until the store becomes unreachable, negative for never.
	left  int
	calls int
	// late is true if the call that meets the fault has its effect.
	late bool
}

// call executes one call.
func (f *faulty) call(effect func() error) error {
	f.calls++
	if f.left == 0 {
		return errAway
	}
	if f.left > 0 {
		f.left--
	}
	if f.left == 0 && !f.late {
		return errAway
	}
	err := effect()
	if f.left == 0 {
		return errAway
	}
	return err
}

func called[T any](f *faulty, effect func() (T, error)) (out T, err error) {
	var none T
	if err = f.call(func() (err error) { out, err = effect(); return err }); err != nil {
		return none, err
	}
	return out, nil
}

func (f *faulty) ReadGroups() (string, error)            { return called(f, f.bench.ReadGroups) }
func (f *faulty) ReadRules() (string, error)             { return called(f, f.bench.ReadRules) }
func (f *faulty) DeleteGroups() error                    { return f.call(f.bench.DeleteGroups) }
func (f *faulty) ReadCRMCommands() ([]ha.Command, error) { return called(f, f.bench.ReadCRMCommands) }
func (f *faulty) ReadDatacenter() (ha.Datacenter, error) { return called(f, f.bench.ReadDatacenter) }

func (f *faulty) ReadManagerStatus() (*ha.ManagerStatus, error) {
	return called(f, f.bench.ReadManagerStatus)
}

func (f *faulty) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	return called(f, f.bench.ReadServiceConfig)
}

func (f *faulty) ReadLRMStatus(node string) (*ha.LRMStatus, error) {
	return called(f, func() (*ha.LRMStatus, error) { return f.bench.ReadLRMStatus(node) })
}

func (f *faulty) NodeVersion(node string) (string, error) {
	return called(f, func() (string, error) { return f.bench.NodeVersion(node) })
}

func (f *faulty) RemoveServiceLock(sid string) (string, error) {
	return called(f, func() (string, error) { return f.bench.RemoveServiceLock(sid) })
}

func (f *faulty) WriteManagerStatus(s *ha.ManagerStatus) error {
	return f.call(func() error { return f.bench.WriteManagerStatus(s) })
}

func (f *faulty) WriteRules(text string) error {
	return f.call(func() error { return f.bench.WriteRules(text) })
}

func (f *faulty) UpdateServiceState(sid string, requested ha.RequestedState) error {
	return f.call(func() error { return f.bench.UpdateServiceState(sid, requested) })
}

func (f *faulty) UpdateServiceConfig(changed map[string]*ha.ServiceConfig) error {
	return f.call(func() error { return f.bench.UpdateServiceConfig(changed) })
}

func (f *faulty) StealService(sid, from, to string) error {
	return f.call(func() error { return f.bench.StealService(sid, from, to) })
}

// obey lets the LRMs of the present nodes execute what the status requests.
func (b *bench) obey() {
	for _, sid := range sortedKeys(b.manager.ServiceStatus) {
		sd := b.manager.ServiceStatus[sid]
		cd := b.services[sid]
		if cd == nil || !b.info[sd.Node].Online || cd.Node != sd.Node {
			continue
		}
		switch sd.State {
		case ha.Migrate, ha.Relocate:
			if _, answered := b.lrm[sd.Node].Results[sd.UID]; !answered {
				cd.Node = sd.Target
				b.answer(sid, ha.ExitSuccess)
			}
		case ha.Started, ha.RequestStop:
			b.answer(sid, ha.ExitSuccess)
		}
	}
}

// story runs a cluster through the loss of a node, a command and the end of its groups. In round
// faultRound the store becomes unreachable after left calls. Afterwards it is back, and the master is
// the same or, with change, another one.
func story(t require.TestingT, faultRound, left int, late, change bool) *faulty {
	f := &faulty{bench: newBench("a", "b", "c"), left: -1, late: late}
	f.groups = "group: gg\n\tnodes a:2,b:3\n\tnofailback 1\n"
	f.versions["c"] = "8.4.1"
	for sid, node := range map[string]string{"vm:1": "b", "ct:2": "b", "vm:3": "c", "vm:4": "b"} {
		f.add(sid, node, ha.WantStarted)
	}
	f.services["vm:1"].Group = "gg"
	f.services["vm:4"].State = ha.WantStopped
	c := NewCRM(f)
	for round := range 40 {
		switch round {
		case 4:
			f.queue = []string{"migrate vm:3 a", "stop vm:3 20"}
		case 6:
			f.info["b"] = ha.NodeInfo{}
			f.versions["c"] = "9.1.0"
		case 16:
			f.dead["b"] = true
		case 20:
			f.info["b"], f.dead["b"] = ha.NodeInfo{Online: true}, false
		}
		if round == faultRound {
			f.left = left
		}
		c.Round()
		if round == faultRound {
			f.left = -1
			if change {
				c = NewCRM(f)
			}
		}
		f.obey()
		f.now += masterRoundSeconds
	}
	require.Equal(t, ha.CRMMaster, c.State(), f.text())
	return f
}

// TestTheStoreGoesAwayAnywhere: in whatever call of whatever round the store becomes unreachable, and
// whichever master continues, the result is the same, nothing is taken twice and the groups become
// rules.
func TestTheStoreGoesAwayAnywhere(t *testing.T) {
	want := story(t, -1, 0, false, false)
	require.Contains(t, want.text(), "ha groups migration successful")
	require.Len(t, want.stolen, 3, want.text())
	perRound := want.calls/40*2 + 15
	for _, faultRound := range []int{4, 8, 16, 20, 21} {
		for left := 0; left < perRound; left += thorough.Count(3, 1) {
			for variant := range 4 {
				late, change := variant&1 != 0, variant&2 != 0
				name := fmt.Sprintf("round %d, call %d, late %v, change %v", faultRound, left, late, change)
				got := story(t, faultRound, left, late, change)
				require.ElementsMatch(t, want.stolen, got.stolen, "%s\n%s", name, got.text())
				require.Empty(t, got.groups, "%s\n%s", name, got.text())
				require.Contains(t, got.rules, "ha-group-gg", name)
				require.False(t, got.services["vm:1"].Failback, name)
				for _, sid := range []string{"vm:1", "ct:2", "vm:4"} {
					sd := got.manager.ServiceStatus[sid]
					require.Equal(t, want.manager.ServiceStatus[sid].State, sd.State, "%s %s\n%s", name,
						sid, got.text())
					require.Equal(t, got.services[sid].Node, sd.Node, "%s %s", name, sid)
				}
				if !change && !late { // a command is lost if its reader never writes again
					require.Equal(t, ha.Stopped, got.state("vm:3"), "%s\n%s", name, got.text())
				}
			}
		}
	}
}
