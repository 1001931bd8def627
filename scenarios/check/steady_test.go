package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// TestSteadyMajority: a machine is steady while a majority is, after the time to settle, and not while a
// fault slows anything down. A fault that the run never came to disturbs nothing.
func TestSteadyMajority(t *testing.T) {
	slow := fault.Fault{Kind: fault.DiskSlow, Machines: []string{"n3"}}
	span := func(from, to int) check.Span { return check.Span{From: seconds(from), To: seconds(to)} }
	for name, c := range map[string]struct {
		faults []scenarios.Applied
		want   []check.Span // of n2
	}{
		"nothing happens": {nil, []check.Span{span(5, 60)}},
		"another machine is cut off": {[]scenarios.Applied{applied(20, 40, cut([]string{"n1"}))},
			[]check.Span{span(5, 20), span(25, 40), span(45, 60)}},
		"it is cut off": {[]scenarios.Applied{applied(20, 40, cut([]string{"n2"}))},
			[]check.Span{span(5, 20), span(45, 60)}},
		"a disk is slow": {[]scenarios.Applied{applied(20, 40, slow)},
			[]check.Span{span(5, 20), span(45, 60)}},
		"too short to settle":      {[]scenarios.Applied{applied(3, 58, slow)}, nil},
		"a fault that never began": {[]scenarios.Applied{{Fault: slow}}, []check.Span{span(5, 60)}},
		"two disks were emptied": {[]scenarios.Applied{applied(10, 10, fault.Fault{Kind: fault.DiskWipe,
			Machines: []string{"n1", "n3"}})}, nil},
	} {
		require.Equal(t, c.want, health(c.faults...).SteadyMajority(1, 5*time.Second), name)
	}
}
