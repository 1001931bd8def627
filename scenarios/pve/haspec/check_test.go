package haspec_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

var (
	machines = []string{"n1", "n2", "n3"}
	services = map[string]string{"vm:100": "n1"}
)

const switchOf = "device pdu fence_apc ip=198.18.9.1\nconnect pdu node=n1 plug=1\n" +
	"connect pdu node=n2 plug=2\nconnect pdu node=n3 plug=3\n"

func TestASectionThatMakesSenseIsAccepted(t *testing.T) {
	for name, spec := range map[string]haspec.Spec{
		"nothing":  {},
		"services": {Services: services},
		"everything": {
			Services: services, Resources: "vm: 100\n\tstate stopped\n", Datacenter: "crs: ha=static\n",
			Rules:       "node-affinity: r1\n\tresources vm:100\n\tnodes n1,n2\n",
			Fence:       switchOf,
			FenceBoards: []string{"pdu"},
			FenceFaults: []haspec.DeviceFault{
				{Device: "pdu", Kind: haspec.DeviceSlow, Latency: time.Second, From: []string{"n1"}},
				{Device: "pdu", Kind: haspec.DeviceMute, Nodes: []string{"n3"}, At: time.Second,
					For: time.Second}},
			Commands: []haspec.Command{
				{On: "n1", Run: "migrate vm:100 n9"}, // operators make mistakes
				{On: "n1", Run: "create vm:101 n2 started"},
				{On: "n2", Run: "lock vm:101 backup"},
				{On: "n3", Run: "datacenter no such: thing"},
			},
			EndsOn: map[string]string{"vm:100": "n2"}, UpAt: map[string]time.Duration{"vm:101": time.Minute},
			DownAtMost: map[string]time.Duration{"vm:100": time.Minute},
			Guests:     map[string]haspec.Guest{"vm:101": {Cores: 2, Load: []haspec.Load{{At: 0}, {At: 1}}}},
			Nodes:      map[string]haspec.Node{"n1": {CPUs: 4}},
			Flaws:      map[string]haspec.Flaw{"vm:100": {Starts: 1, On: []string{"n1"}}},
			Operations: &haspec.Operations{Count: 3, Kinds: []string{haspec.RequestStop},
				Services: []string{"vm:100"}},
			Disabled: []string{"n2"}, ManagerStatus: `{"master_node":"n1"}`,
		},
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, spec.Check(machines, machines)) })
	}
}

// refused wants sections to be refused with the key, what is wrong and what could be written instead.
func refused(t *testing.T, cases map[string]haspec.Spec) {
	t.Helper()
	for want, spec := range cases {
		t.Run(want, func(t *testing.T) { require.ErrorContains(t, spec.Check(machines, machines), want) })
	}
}

func TestInvalidServicesAndGuestsAreRefused(t *testing.T) {
	refused(t, map[string]haspec.Spec{
		`services: `: {Services: map[string]string{"100": "n1"}},
		`services: vm:100 is placed on "n4"; the machines are [n1 n2 n3]`: {
			Services: map[string]string{"vm:100": "n4"}},
		`resources: vm:101 has no node; give it one under services`: {
			Services: services, Resources: "vm: 100\n\nvm: 101\n"},
		`resources: `:                 {Services: services, Resources: "vm: 100\n\tstate dancing\n"},
		`rules: `:                     {Rules: "node-affinity: r1\n\tnodes n1\n"},
		`groups: `:                    {Groups: "group g1\n"},
		`datacenter: `:                {Datacenter: "max_workers: many\n"},
		`datacenter: decisions=loose`: {Datacenter: "ha: decisions=loose\n"},
		`manager_status: `: {
			ManagerStatus: "{"},
		`ends_on: vm:100 on n4`: {Services: services,
			EndsOn: map[string]string{"vm:100": "n4"}},
		`up_at: there is no service vm:7`: {UpAt: map[string]time.Duration{"vm:7": 0}},
		`down_at_most: vm:100 at most -1ns`: {Services: services,
			DownAtMost: map[string]time.Duration{"vm:100": -1}},
		`guests: there is no service vm:7`: {Guests: map[string]haspec.Guest{"vm:7": {}}},
		`guests: vm:100: sizes cannot be negative`: {Services: services,
			Guests: map[string]haspec.Guest{"vm:100": {Cores: -1}}},
		`guests: vm:100: sizes cannot be negative, and a`: {Services: services,
			Guests: map[string]haspec.Guest{"vm:100": {Lock: "a b"}}},
		`guests: the load of vm:100 at 1s: times must rise`: {Services: services,
			Guests: map[string]haspec.Guest{
				"vm:100": {Load: []haspec.Load{{At: time.Second}, {At: time.Second}}}}},
		`flaws: vm:7: no such service`: {Flaws: map[string]haspec.Flaw{"vm:7": {}}},
		`flaws: vm:100: no machine is called`: {Services: services,
			Flaws: map[string]haspec.Flaw{"vm:100": {On: []string{"n4"}}}},
		`guest_times: a time is negative`:     {GuestTimes: haspec.GuestTimes{Stop: -1}},
		`migration: speed and timeout`:        {Migration: haspec.Migration{Timeout: -1}},
		`idle_factor: -1`:                     {IdleFactor: -1},
		`nodes: n4: no such machine`:          {Nodes: map[string]haspec.Node{"n4": {}}},
		`disabled: no machine is called "n4"`: {Disabled: []string{"n4"}},
	})
}

func TestInvalidCommandsAndRequestsAreRefused(t *testing.T) {
	run := func(lines ...string) []haspec.Command {
		var commands []haspec.Command
		for _, line := range lines {
			commands = append(commands, haspec.Command{At: time.Second, On: "n1", Run: line})
		}
		return commands
	}
	refused(t, map[string]haspec.Spec{
		`commands: "arm-ha" runs on "n4"`: {Commands: []haspec.Command{{On: "n4", Run: "arm-ha"}}},
		`commands: at 1s: nothing to run`: {Commands: run("  ")},
		`commands: at 1s: parse "dance now": not a crm command`: {
			Commands: run("dance now")},
		`commands: "remove vm:7": there is no service vm:7`: {Commands: run("remove vm:7")},
		`commands: "move vm:100 n4": no machine is called`: {Services: services,
			Commands: run("move vm:100 n4")},
		`commands: at 1s: "resize vm:100 2 lots"`: {Services: services,
			Commands: run("resize vm:100 2 lots")},
		`operations: 0 requests of 0 clients`: {Services: services, Operations: &haspec.Operations{}},
		`operations: 1 requests of 101 clients`: {Services: services,
			Operations: &haspec.Operations{Count: 1, Clients: 101}},
		`operations: carried_out_within`: {Services: services,
			Operations: &haspec.Operations{Count: 1, CarriedOutWithin: -1}},
		`operations: there are no services`: {Operations: &haspec.Operations{Count: 1}},
		`operations: no request is called "dance"; write some of start, stop, migrate, relocate`: {
			Services: services, Operations: &haspec.Operations{Count: 1, Kinds: []string{"dance"}}},
		`operations: there is no service vm:7`: {
			Services: services, Operations: &haspec.Operations{Count: 1, Services: []string{"vm:7"}}},
	})
}

func TestInvalidFenceDevicesAreRefused(t *testing.T) {
	device := func(f haspec.DeviceFault) haspec.Spec {
		return haspec.Spec{Services: services, Fence: switchOf, FenceFaults: []haspec.DeviceFault{f}}
	}
	refused(t, map[string]haspec.Spec{
		`fence: `: {Fence: "devices\n"},
		`fence: pdu is connected to node "n4"`: {
			Fence: "device pdu fence_apc ip=198.18.9.1\nconnect pdu node=n4 plug=1\n"},
		`fence_boards: there is no device "x"; the devices are [pdu]`: {Fence: switchOf,
			FenceBoards: []string{"x"}},
		`fence_faults: there is no device "x"`: device(haspec.DeviceFault{Device: "x"}),
		`fence_faults: kind "sad"; write one of unreachable, slow`: device(
			haspec.DeviceFault{Device: "pdu", Kind: "sad"}),
		`fence_faults: slow of pdu: write latency with slow and late`: device(
			haspec.DeviceFault{Device: "pdu", Kind: haspec.DeviceSlow}),
		`fence_faults: mute of pdu: write latency`: device(
			haspec.DeviceFault{Device: "pdu", Kind: haspec.DeviceMute, Latency: 1}),
		`fence_faults: mute of pdu: times cannot be negative`: device(
			haspec.DeviceFault{Device: "pdu", Kind: haspec.DeviceMute, At: -1}),
		`fence_faults: from "n4"`: device(
			haspec.DeviceFault{Device: "pdu", Kind: haspec.DeviceMute, From: []string{"n4"}}),
		`fence_faults: nodes: there is no node "n4"`: device(
			haspec.DeviceFault{Device: "pdu", Kind: haspec.DeviceMute, Nodes: []string{"n4"}}),
	})
}
