package fault_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func TestKindsAreSpelledWithHyphens(t *testing.T) {
	for _, k := range fault.Kinds() {
		require.Regexp(t, regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`), string(k))
		must, may := fault.Fields(k)
		require.NotEmpty(t, must, "%s needs no field, so its target is unknown: %v", k, may)
	}
	require.Equal(t, len(fault.Kinds()), len(fault.Kind("").OneOf()))
	must, may := fault.Fields("moon-phase")
	require.Empty(t, append(must, may...))
}

func TestOldSpellingsAreRead(t *testing.T) {
	var f fault.Fault
	require.NoError(t, json.Unmarshal([]byte(`{"kind": "power_cut", "at": 1, "machines": ["n1"]}`), &f))
	require.Equal(t, fault.PowerCut, f.Kind)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.Contains(t, string(text), `"power-cut"`)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"kind": 7}`), &f), "reading the kind of a fault")
}

// validated is a fault and what its validation must report.
type validated struct {
	f     fault.Fault
	field string // "": valid
	text  string
}

func (c validated) require(t *testing.T) {
	err := c.f.Validate([]string{"n1", "n2"})
	if c.field == "" {
		require.NoError(t, err)
		return
	}
	var p *fault.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, c.field, p.Field)
	require.Contains(t, p.Text, c.text)
}

func TestValidate(t *testing.T) {
	one, two, all := []string{"n1"}, []string{"n2"}, []string{fault.All}
	for name, c := range map[string]validated{
		"a cut":            {fault.Fault{Kind: fault.Cut, From: one, To: all, OneWay: true}, "", ""},
		"a partition":      {fault.Fault{Kind: fault.Partition, Groups: [][]string{one, two}}, "", ""},
		"a link with loss": {fault.Fault{Kind: fault.Link, From: one, To: two, Loss: 1}, "", ""},
		"a drifting clock": {fault.Fault{Kind: fault.ClockDrift, Machines: one,
			DriftPPM: -fault.MaxDriftPPM}, "", ""},
		"an unknown kind": {fault.Fault{Kind: "moon-phase"}, "kind", "write one of partition, cut"},
		"a negative time": {fault.Fault{Kind: fault.Kill, Machines: one, At: -1}, "at",
			"cannot be negative"},
		"a negative length": {fault.Fault{Kind: fault.Kill, Machines: one, For: -1}, "at",
			"cannot be negative"},
		"a missing field": {fault.Fault{Kind: fault.DiskSlow, Machines: one}, "latency",
			"add latency: 20ms"},
		"a foreign field": {fault.Fault{Kind: fault.PowerCut, Machines: one, Process: "a"}, "process",
			"has no process"},
		"no effect": {fault.Fault{Kind: fault.Link, From: one, To: two}, "kind",
			"needs an effect"},
		"a negative latency": {fault.Fault{Kind: fault.DiskSlow, Machines: one, Latency: -1}, "latency",
			"cannot be negative"},
		"a role":             {fault.Fault{Kind: fault.Kill, Role: "leader"}, "", ""},
		"a role's partition": {fault.Fault{Kind: fault.Partition, Role: "leader"}, "", ""},
		"a role of a link":   {fault.Fault{Kind: fault.Clog, Role: "leader", To: all}, "", ""},
		"a role that is followed": {fault.Fault{Kind: fault.Kill, Role: "leader", Follow: time.Millisecond},
			"", ""},
		"followed too fast": {fault.Fault{Kind: fault.Kill, Role: "leader", Follow: 1},
			"follow", "write 1ms"},
		"nothing to follow": {fault.Fault{Kind: fault.Kill, Machines: one, Follow: time.Second}, "follow",
			"add the role"},
		"a role beside machines": {fault.Fault{Kind: fault.Kill, Role: "leader", Machines: one}, "role",
			"takes the place of machines"},
		"a role without the other end": {fault.Fault{Kind: fault.Cut, Role: "leader"}, "to", "add to: [n2]"},
		"a disk call": {fault.Fault{Kind: fault.PowerCut, Machines: one, AtDiskCall: 3,
			AfterCall: true}, "", ""},
		"a disk call before the first": {fault.Fault{Kind: fault.Kill, Machines: one, AtDiskCall: -1},
			"at_disk_call", "out of range"},
		"after no call": {fault.Fault{Kind: fault.Kill, Machines: one, AfterCall: true},
			"after_call", "add at_disk_call: 1"},
		"a pause at a disk call": {fault.Fault{Kind: fault.Pause, Machines: one, AtDiskCall: 1},
			"at_disk_call", "has no at_disk_call"},
		"slow without effect": {fault.Fault{Kind: fault.Slow, Machines: one}, "kind",
			"add times, latency or both"},
		"a step of an hour": {fault.Fault{Kind: fault.Slow, Machines: one, Latency: time.Hour},
			"latency", "or a pause"},
		"once as long": {fault.Fault{Kind: fault.Slow, Machines: one, Times: 1},
			"times", "write 2 to"},
		"a slow process": {fault.Fault{Kind: fault.Slow, Machines: one, Process: "a", Times: 9}, "",
			""},
		"a freeze of a process": {fault.Fault{Kind: fault.Freeze, Machines: one, Process: "a"}, "process",
			"has no process"},
		"no bandwidth": {fault.Fault{Kind: fault.Bandwidth, From: one, To: two}, "bytes_per_second",
			"add bytes_per_second"},
		"no MTU":   {fault.Fault{Kind: fault.MTU, From: one, To: two}, "mtu_bytes", "add mtu_bytes"},
		"no share": {fault.Fault{Kind: fault.Corrupt, From: one, To: two}, "share", "add share: 5%"},
		"rot":      {fault.Fault{Kind: fault.DiskCorrupt, Machines: one, File: "f", Bits: 7}, "", ""},
		"negative rot": {fault.Fault{Kind: fault.DiskCorrupt, Machines: one, Bits: -7}, "bits",
			"out of range"},
		"an operation": {fault.Fault{Kind: fault.DiskError, Machines: one, Operation: "erase"}, "operation",
			"no disk operation"},
		"too much drift": {fault.Fault{Kind: fault.ClockDrift, Machines: one,
			DriftPPM: fault.MaxDriftPPM + 1},
			"drift_ppm", "out of range"},
		"an unknown machine": {fault.Fault{Kind: fault.Kill, Machines: []string{"n9"}}, "machines",
			"n1, n2, or write all"},
		"an unknown member": {fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n9"}}},
			"groups", "no machine"},
		"one in two groups": {fault.Fault{Kind: fault.Partition, Groups: [][]string{one, one}}, "groups",
			"in two groups"},
		"all in a group": {fault.Fault{Kind: fault.Partition, Groups: [][]string{all}}, "groups",
			"in two groups"},
		"too many sites": {fault.Fault{Kind: fault.Buggify, Machines: one,
			Sites: make([]string, fault.MaxSites+1)}, "sites", "at most 100"},
		"sites elsewhere": {fault.Fault{Kind: fault.Kill, Machines: one, Sites: one}, "sites",
			"has no sites"},
		"an unknown receiver": {fault.Fault{Kind: fault.Cut, From: one, To: []string{"n9"}},
			"to", "no machine"},
		"a flap without phase": {fault.Fault{Kind: fault.Flap, From: one, To: two, Up: 1}, "down",
			"add down: 2s"},
	} {
		t.Run(name, c.require)
	}
}

// TestValidateTriggers: what belongs to a trigger needs one.
func TestValidateTriggers(t *testing.T) {
	with := func(change func(*fault.Fault)) fault.Fault {
		f := fault.Fault{Kind: fault.Kill, Machines: []string{"n1"}}
		change(&f)
		return f
	}
	for name, c := range map[string]validated{
		"a trigger": {fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering, Trigger: "x", Nth: 3,
			Within: 5, Delay: 1}, "", ""},
		"a trigger elsewhere": {with(func(f *fault.Fault) { f.Trigger = "x" }), "", ""},
		"triggered by nothing": {fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering}, "role",
			"add trigger"},
		"the nth of nothing":  {with(func(f *fault.Fault) { f.Nth = 2 }), "nth", "add trigger"},
		"waiting for nothing": {with(func(f *fault.Fault) { f.Within = 1 }), "within", "add trigger"},
		"late for nothing":    {with(func(f *fault.Fault) { f.Delay = 1 }), "delay", "add trigger"},
		"the trigger before the first": {with(func(f *fault.Fault) { f.Trigger, f.Nth = "x", -1 }), "nth",
			"out of range"},
		"a negative wait": {with(func(f *fault.Fault) { f.Trigger, f.Within = "x", -1 }), "within",
			"cannot be negative"},
		"a triggering machine that moves": {fault.Fault{Kind: fault.Kill, Role: fault.RoleTriggering,
			Trigger: "x", Follow: time.Second}, "follow", "leave follow out"},
	} {
		t.Run(name, c.require)
	}
}

// TestEveryRequiredFieldIsRequired: without any of its required fields a fault of any kind is
// refused at that field, with an example.
func TestEveryRequiredFieldIsRequired(t *testing.T) {
	for _, k := range fault.Kinds() {
		must, _ := fault.Fields(k)
		var p *fault.Problem
		require.ErrorAs(t, (&fault.Fault{Kind: k, At: time.Second}).Validate([]string{"n1"}), &p)
		require.Equal(t, must[0], p.Field, k)
		require.Regexp(t, "add "+must[0]+": .", p.Text)
	}
}
