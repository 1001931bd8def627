package fencesim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fencesim"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// host is the world around the devices: a clock that the test moves, and power switches.
type host struct {
	now   time.Duration
	later []event
	off   map[env.MachineID]bool
	log   []string
}

type event struct {
	at time.Duration
	do func()
}

func (h *host) Now() time.Duration { return h.now }

func (h *host) After(d time.Duration, do func()) { h.later = append(h.later, event{h.now + d, do}) }

func (h *host) Powered(m env.MachineID) bool { return !h.off[m] }

func (h *host) SwitchPower(m env.MachineID, on bool, device string) {
	h.off[m] = !on
	h.log = append(h.log, fmt.Sprintf("%v: machine %d on=%t by %s", h.now, m, on, device))
}

// run lets everything happen that is due, in the order of time.
func (h *host) run() {
	for len(h.later) > 0 {
		next := slices.MinFunc(h.later, func(a, b event) int { return int(a.at - b.at) })
		i := slices.IndexFunc(h.later, func(e event) bool { return e.at == next.at })
		next = h.later[i]
		h.later = slices.Delete(h.later, i, i+1)
		h.now = next.at
		next.do()
	}
}

const warmup = 10 * time.Second

// pair has one outlet for n1 and two for n2, which has two supplies.
const pair = "device pdu fence_apc ip=198.18.9.1\nconnect pdu node=n1 plug=1\nconnect pdu node=n2 plug=2\n" +
	"device left fence_raritan ip=198.18.9.2\nconnect left node=n2 plug=5\n"

func newDevices(t *testing.T, spec haspec.Spec) (*fencesim.Devices, *host) {
	t.Helper()
	if spec.Fence == "" {
		spec.Fence = pair
	}
	nodes := []string{"n1", "n2"}
	require.NoError(t, spec.Check(nodes, nodes))
	h := &host{off: map[env.MachineID]bool{}, now: warmup}
	return fencesim.New(&spec, fencesim.Cluster{Machines: nodes, Nodes: nodes, Warmup: warmup}, h), h
}

// call calls an agent for an outlet of pdu and returns how it ended and when; never is a hanging agent.
func call(d *fencesim.Devices, h *host, from env.MachineID, action string,
	plug int) (out env.CommandResult, took time.Duration) {
	start := h.now
	took = never
	d.Call(from, env.Command{Args: []string{"fence_apc"},
		Input: fmt.Appendf(nil, "ip=198.18.9.1\nplug=%d\naction=%s\nnodename=n1\n", plug, action)},
		func(r env.CommandResult) { out, took = r, h.now-start })
	h.run()
	return out, took
}

const never = -1 * time.Second

func TestADeviceSwitchesItsOutlet(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{})
	r, took := call(d, h, 1, "status", 1)
	require.Equal(t, 0, r.Code)
	require.Contains(t, string(r.Output), "ON")
	require.Equal(t, 500*time.Millisecond, took)

	r, took = call(d, h, 1, "off", 1)
	require.Equal(t, 0, r.Code)
	require.Equal(t, 3*time.Second, took, "two to switch, one to verify")
	require.Equal(t, []string{"12.5s: machine 0 on=false by pdu"}, h.log)
	r, _ = call(d, h, 1, "monitor", 1)
	require.Equal(t, 2, r.Code, "agents end with 2 for an outlet that is off")

	_, took = call(d, h, 1, "reboot", 1)
	require.Equal(t, 4*time.Second, took)
	require.False(t, h.off[0])
	_, _ = call(d, h, 1, "off", 1)
	_, _ = call(d, h, 1, "on", 1)
	require.False(t, h.off[0])
}

func TestWhatNoDeviceHasFails(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{})
	r, took := call(d, h, 0, "off", 9)
	require.Equal(t, 1, r.Code)
	require.Equal(t, 5*time.Second, took)
	r, took = call(d, h, 0, "dance", 1)
	require.Equal(t, 1, r.Code)
	require.Zero(t, took)
	require.Empty(t, h.log)
}

// TestTwoSuppliesOfANode: it is off while one of its devices keeps it off.
func TestTwoSuppliesOfANode(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{})
	var got env.CommandResult
	d.Call(0, env.Command{Args: []string{"fence_raritan"},
		Input: []byte("plug=5\nip=198.18.9.2\naction=off\n")},
		func(r env.CommandResult) { got = r })
	h.run()
	require.Zero(t, got.Code)
	require.Equal(t, []string{"12s: machine 1 on=false by left"}, h.log)
	_, _ = call(d, h, 0, "off", 2)
	_, _ = call(d, h, 0, "on", 2)
	require.True(t, h.off[1], "its other device still keeps it off")
}

// TestNothingIsSentToWhatIsOff, as real agents do it.
func TestNothingIsSentToWhatIsOff(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{})
	_, _ = call(d, h, 1, "off", 1)
	r, took := call(d, h, 1, "off", 1)
	require.Equal(t, "Success: Already OFF\n", string(r.Output))
	require.Equal(t, 500*time.Millisecond, took)
	require.Len(t, h.log, 1)
}

// metadata returns what an agent describes itself as on a machine.
func metadata(t *testing.T, d *fencesim.Devices, h *host, from env.MachineID, agent string) *fence.Metadata {
	t.Helper()
	var got env.CommandResult
	d.Call(from, fence.MetadataCommand(agent), func(r env.CommandResult) { got = r })
	h.run()
	m, err := fence.ReadMetadata(got)
	require.NoError(t, err)
	return m
}

// TestHabitsOfAgents: what each kind of agent describes itself as, and what it does.
func TestHabitsOfAgents(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{Fence: `
device switch fence_ifmib ip=198.18.9.1 community='with blanks '
connect switch node=n1 n=swp1
device board fence_ipmilan method=cycle x lanplus=0
connect board node=n2 a=198.18.9.2
device typo fence_apc lanplus=maybe
connect typo node=n2 plug=1
`, FenceFaults: []haspec.DeviceFault{{Device: "board", Kind: haspec.DeviceOtherAgent, From: []string{"n2"}}}})
	require.True(t, metadata(t, d, h, 0, "fence_ifmib").AutomaticOn)
	require.False(t, metadata(t, d, h, 0, "fence_ipmilan").AutomaticOn)
	require.True(t, metadata(t, d, h, 1, "fence_ipmilan").AutomaticOn, "another agent on the other machine")
	do := func(agent, input string) (out env.CommandResult) {
		d.Call(0, env.Command{Args: []string{agent}, Input: []byte(input)},
			func(r env.CommandResult) { out = r })
		h.run()
		return out
	}
	port := "ip=198.18.9.1\ncommunity=\"with blanks \"\nplug=swp1\naction="
	require.Zero(t, do("fence_ifmib", port+"off\n").Code)
	require.Equal(t, 2, do("fence_ifmib", port+"status\n").Code)
	require.Empty(t, h.log, "a switch port has no influence on power")
	board := "method=cycle\nssh=1\nip=198.18.9.2\naction="
	start := h.now
	var ended time.Duration
	d.Call(0, env.Command{Args: []string{"fence_ipmilan"}, Input: []byte(board + "reboot\n")},
		func(env.CommandResult) { ended = h.now - start })
	h.run()
	require.Equal(t, 4*time.Second, ended)
	require.Equal(t, []string{fmt.Sprintf("%v: machine 1 on=false by board", start+27*time.Second),
		fmt.Sprintf("%v: machine 1 on=true by board", start+28*time.Second)}, h.log)
	require.Equal(t, 1, do("fence_apc", "plug=1\naction=status\n").Code)
}

func TestStatesThatDevicesReport(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{FenceFaults: []haspec.DeviceFault{{Device: "pdu",
		Kind: haspec.DeviceStale, Nodes: []string{"n1"}},
		{Device: "pdu", Kind: haspec.DeviceMisconfigured, Nodes: []string{"n2"}}}})
	r, _ := call(d, h, 0, "status", 1)
	require.Equal(t, 2, r.Code, "it is on")
	_, _ = call(d, h, 0, "off", 1)
	require.Empty(t, h.log)
	r, _ = call(d, h, 0, "status", 2)
	require.Equal(t, 1, r.Code)
	require.Contains(t, string(r.Output), "You have to enter plug number")
}

func TestFaultsOfDevices(t *testing.T) {
	wrong := func(f haspec.DeviceFault) haspec.Spec {
		f.Device = "pdu"
		return haspec.Spec{FenceFaults: []haspec.DeviceFault{f}}
	}
	for name, c := range map[string]struct {
		fault haspec.DeviceFault
		code  int
		took  time.Duration
		log   []string
	}{
		"unreachable": {haspec.DeviceFault{Kind: haspec.DeviceUnreachable}, 1, 5 * time.Second, nil},
		"slow": {haspec.DeviceFault{Kind: haspec.DeviceSlow, Latency: time.Minute}, 0, 63 * time.Second,
			[]string{"1m12s: machine 0 on=false by pdu"}},
		"late": {haspec.DeviceFault{Kind: haspec.DeviceLate, Latency: time.Minute}, 0, 3 * time.Second,
			[]string{"1m12s: machine 0 on=false by pdu"}},
		"ignores": {haspec.DeviceFault{Kind: haspec.DeviceIgnores}, 0, 3 * time.Second, nil},
		"mute": {haspec.DeviceFault{Kind: haspec.DeviceMute}, 0, never,
			[]string{"12s: machine 0 on=false by pdu"}},
		"of another node": {haspec.DeviceFault{Kind: haspec.DeviceIgnores, Nodes: []string{"n2"}}, 0,
			3 * time.Second,
			[]string{"12s: machine 0 on=false by pdu"}},
		"for another caller": {haspec.DeviceFault{Kind: haspec.DeviceIgnores, From: []string{"n1"}}, 0,
			3 * time.Second,
			[]string{"12s: machine 0 on=false by pdu"}},
		"not yet": {haspec.DeviceFault{Kind: haspec.DeviceIgnores, At: time.Second}, 0, 3 * time.Second,
			[]string{"12s: machine 0 on=false by pdu"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, h := newDevices(t, wrong(c.fault))
			r, took := call(d, h, 1, "off", 1)
			require.Equal(t, c.code, r.Code)
			require.Equal(t, c.took, took)
			require.Equal(t, c.log, h.log)
		})
	}
	d, h := newDevices(t, wrong(haspec.DeviceFault{Kind: haspec.DeviceIgnores, For: time.Second}))
	h.now += time.Second
	_, _ = call(d, h, 1, "off", 1)
	require.True(t, h.off[0], "the fault is over")
}

// TestABoardDiesWithItsMachine unless it was the board that switched the machine off.
func TestABoardDiesWithItsMachine(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{FenceBoards: []string{"pdu"}})
	h.off[0] = true
	r, _ := call(d, h, 1, "status", 1)
	require.Equal(t, 1, r.Code)
	h.off[0] = false
	_, _ = call(d, h, 1, "off", 1)
	r, _ = call(d, h, 1, "status", 1)
	require.Equal(t, 2, r.Code)
}
