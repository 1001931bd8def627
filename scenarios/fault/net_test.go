package fault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

var names = []string{"n1", "n2", "n3"}

func conditions(n *fault.Net) []fault.Condition {
	var out []fault.Condition
	for from := range names {
		for to := range names {
			out = append(out, *n.Condition(from, to))
		}
	}
	return out
}

func anyNetworkFault(t *rapid.T) *fault.Fault {
	some := func(name string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(append([]string{fault.All}, names...)), 1, 3,
			rapid.ID).Draw(t, name)
	}
	f := &fault.Fault{Kind: rapid.SampledFrom([]fault.Kind{fault.Partition, fault.Cut, fault.Link,
		fault.Flap}).Draw(t, "kind")}
	if f.Kind == fault.Partition {
		f.Groups = [][]string{{rapid.SampledFrom(names).Draw(t, "alone")}}
		return f
	}
	f.From, f.To, f.OneWay = some("from"), some("to"), rapid.Bool().Draw(t, "one way")
	f.Loss, f.Latency = 1000, time.Second
	f.Up, f.Down = time.Second, 2*time.Second
	return f
}

// TestFaultsLeaveNothingBehind: after every fault has ended, in any order and whatever its phase,
// all links are as they were; meanwhile a machine always reaches itself.
func TestFaultsLeaveNothingBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := fault.NewNet(names, fault.Condition{Latency: time.Millisecond})
		healthy := conditions(n)
		var active []*fault.Fault
		for range rapid.IntRange(1, 6).Draw(t, "faults") {
			f := anyNetworkFault(t)
			n.Begin(f)
			active = append(active, f)
			if f.Kind == fault.Flap && rapid.Bool().Draw(t, "toggle") {
				n.Toggle(f)
			}
			for m := range names {
				require.Zero(t, *n.Condition(m, m))
			}
		}
		for len(active) > 0 {
			i := rapid.IntRange(0, len(active)-1).Draw(t, "which")
			n.End(active[i])
			active = append(active[:i], active[i+1:]...)
		}
		require.Equal(t, healthy, conditions(n))
	})
}

// TestOverlappingCutsAreCounted: a link that two faults cut works after both have ended.
func TestOverlappingCutsAreCounted(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	link := n.Condition(0, 1)
	first := &fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"n2"}}
	second := &fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n1"}}}
	n.Begin(first)
	n.Begin(second)
	n.End(first)
	require.True(t, link.Cut)
	n.End(second)
	require.False(t, link.Cut, "the pointer follows later changes")
}

func TestWhichLinksAreCut(t *testing.T) {
	for name, c := range map[string]struct {
		f    fault.Fault
		want string // from>to
	}{
		"both ways": {fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"n2"}}, "1>2 2>1 "},
		"one way": {fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{fault.All},
			OneWay: true}, "1>2 1>3 "},
		"unnamed machines form a group": {fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n1"}}},
			"1>2 1>3 2>1 3>1 "},
	} {
		n := fault.NewNet(names, fault.Condition{})
		n.Begin(&c.f)
		got := ""
		for from := range names {
			for to := range names {
				if n.Condition(from, to).Cut {
					got += names[from][1:] + ">" + names[to][1:] + " "
				}
			}
		}
		require.Equal(t, c.want, got, name)
	}
}

func TestAFlapTogglesBetweenDownAndUp(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	f := &fault.Fault{Kind: fault.Flap, From: []string{"n1"}, To: []string{"n2"}, Up: time.Second,
		Down: 2 * time.Second}
	n.Begin(f)
	require.True(t, n.Condition(0, 1).Cut, "it begins in its down phase")
	require.Equal(t, f.Up, n.Toggle(f))
	require.False(t, n.Condition(0, 1).Cut)
	require.Equal(t, f.Down, n.Toggle(f))
	require.True(t, n.Condition(1, 0).Cut)
}

func TestIndex(t *testing.T) {
	n := fault.NewNet(names, fault.Condition{})
	i, err := n.Index("n3")
	require.NoError(t, err)
	require.Equal(t, 2, i)
	_, err = n.Index("n9")
	require.ErrorContains(t, err, `no machine is called "n9"`)
}
