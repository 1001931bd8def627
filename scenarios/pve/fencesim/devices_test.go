package fencesim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
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
func call(d *fencesim.Devices, h *host, from env.MachineID, action string, plug int) (out env.CommandResult, took time.Duration) {
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

// TestAgentsTakeOptionsToo instead of lines of input.
func TestAgentsTakeOptionsToo(t *testing.T) {
	d, h := newDevices(t, haspec.Spec{})
	var got env.CommandResult
	d.Call(0, env.Command{Args: []string{"fence_raritan", "--ip=198.18.9.2", "--plug=5", "--action=off"}},
		func(r env.CommandResult) { got = r })
	h.run()
	require.Zero(t, got.Code)
	require.Equal(t, []string{"12s: machine 1 on=false by left"}, h.log)
	_, _ = call(d, h, 0, "off", 2)
	_, _ = call(d, h, 0, "on", 2)
	require.True(t, h.off[1], "its other device still keeps it off")
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
		"of another node": {haspec.DeviceFault{Kind: haspec.DeviceIgnores, Nodes: []string{"n2"}}, 0, 3 * time.Second,
			[]string{"12s: machine 0 on=false by pdu"}},
		"for another caller": {haspec.DeviceFault{Kind: haspec.DeviceIgnores, From: []string{"n1"}}, 0, 3 * time.Second,
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
