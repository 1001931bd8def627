package nemesis_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/nemesis"
)

// notedInjector notes what begins and ends, at a time that the test sets.
type notedInjector struct {
	now   time.Duration
	notes []string
}

func (i *notedInjector) Effect(machine int, f *fault.Fault) (nemesis.Effect, error) {
	note := func(what string) func(context.Context) error {
		return func(context.Context) error {
			i.notes = append(i.notes, what+" "+string(f.Kind)+" "+names[machine])
			return nil
		}
	}
	return nemesis.Effect{Begin: note("begin"), End: note("end")}, nil
}

func (i *notedInjector) ChangeLinks(change func(*fault.Net)) {
	change(fault.NewNet(names, fault.Condition{}))
}

func (i *notedInjector) Now() time.Duration { return i.now }

var names = []string{"n1", "n2", "n3"}

// newWaiting returns a scheduler whose faults have begun to wait, in a run of 10 s.
func newWaiting(faults ...fault.Fault) (*notedInjector, *nemesis.Scheduler) {
	i := &notedInjector{}
	s := nemesis.New(i, names, faults, 0, 10*time.Second)
	for _, a := range s.Start() {
		s.Execute(context.Background(), a)
	}
	return i, s
}

func TestAFaultBeginsWhenItsTriggerHasComeOftenEnough(t *testing.T) {
	i, s := newWaiting(fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering, Trigger: "stored", Nth: 2,
		Delay: time.Second, For: 3 * time.Second})
	require.Empty(t, s.Observe(0, "stored"))
	require.Empty(t, s.Observe(1, "other"))
	i.now = 2 * time.Second
	actions := s.Observe(2, "stored")
	require.Equal(t, []nemesis.Action{{At: 3 * time.Second, Step: nemesis.Trigger}}, actions)
	require.Empty(t, s.Observe(0, "stored"), "it waits no longer")
	i.now = 3 * time.Second
	next := s.Execute(context.Background(), actions[0])
	require.Equal(t, []nemesis.Action{{At: 6 * time.Second, Step: nemesis.End}}, next)
	require.Equal(t, []string{"begin kill n3"}, i.notes)
	require.Empty(t, s.Untriggered())
	applied := s.Applied()
	require.Len(t, applied, 1)
	require.Equal(t, []string{"n3"}, applied[0].Fault.Machines)
	require.Equal(t, 3*time.Second, applied[0].Begun[0])
}

func TestAFaultThatWaitsInVainIsNotInjected(t *testing.T) {
	one := []string{"n1"}
	i, s := newWaiting(
		fault.Fault{Kind: fault.Kill, Machines: one, Trigger: "stored", Within: 2 * time.Second},
		fault.Fault{Kind: fault.Pause, Machines: one, Trigger: "stored", Nth: 2, Delay: 6 * time.Second},
		fault.Fault{Kind: fault.DiskFull, Machines: one, Trigger: "never"})
	s.Execute(context.Background(), nemesis.Action{At: 2 * time.Second, Step: nemesis.GiveUp})
	i.now = 4 * time.Second
	require.Empty(t, s.Observe(0, "stored"), "the first fault has given up, the second waits for another one")
	require.Empty(t, s.Observe(0, "stored"), "the second fault would begin when all faults end")
	s.Finish(context.Background())
	require.Empty(t, i.notes)
	require.Empty(t, s.Applied())
	require.Len(t, s.Untriggered(), 3)
	require.Empty(t, s.Problems())
}

// TestTriggeredFaultsThatCannotActTogether: which faults overlap is known only when the triggers come.
func TestTriggeredFaultsThatCannotActTogether(t *testing.T) {
	i, s := newWaiting(
		fault.Fault{Kind: fault.PowerCut, Role: fault.RoleTriggering, Trigger: "stored",
			For: 2 * time.Second},
		fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering, Trigger: "read", For: time.Second},
		fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering, Trigger: "read", Nth: 2, For: time.Second},
		fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering, Trigger: "read", Nth: 3, For: time.Second},
		fault.Fault{Kind: fault.PowerCut, At: 7 * time.Second, Machines: []string{"n2"}, For: time.Second})
	i.notes = nil // the last one has begun with the others: this test has no clock
	trigger := func(machine int, name string) {
		for _, a := range s.Observe(machine, name) {
			s.Execute(context.Background(), a)
		}
	}
	i.now = time.Second
	trigger(0, "stored")
	i.now = 2 * time.Second
	trigger(0, "read") // n1 is off
	trigger(2, "read")
	i.now = 6500 * time.Millisecond
	s.Execute(context.Background(), nemesis.Action{Step: nemesis.End, Fault: 0})
	trigger(0, "read")
	require.Equal(t, []string{"begin power-cut n1", "begin kill n3", "end power-cut n1", "begin kill n1"},
		i.notes)
	require.Len(t, s.Untriggered(), 1)
}

// restlessInjector gives a role to another machine each time it is asked.
type restlessInjector struct {
	notedInjector
	asked int
}

func (i *restlessInjector) Holder(context.Context, string) (machine int, found bool, err error) {
	i.asked++
	return i.asked % len(names), true, nil
}

// TestAFaultMovesWhereItSawTheRole: it must not look again, because the role may have moved back meanwhile.
func TestAFaultMovesWhereItSawTheRole(t *testing.T) {
	i := &restlessInjector{}
	s := nemesis.New(i, names, []fault.Fault{{Kind: fault.Pause, Role: "any", Follow: time.Second,
		For: 5 * time.Second}}, 0, 10*time.Second)
	s.Execute(context.Background(), s.Start()[0])
	i.now = time.Second
	s.Execute(context.Background(), nemesis.Action{Step: nemesis.Follow})
	require.Equal(t, 2, i.asked)
	require.Equal(t, []string{"begin pause n2", "end pause n2", "begin pause n3"}, i.notes)
	require.Equal(t, []string{"n3"}, s.Applied()[1].Fault.Machines)
}
