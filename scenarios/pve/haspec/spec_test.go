package haspec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TestServicesComeLast: when the manager sees a service, its guest and the rules are there.
func TestServicesComeLast(t *testing.T) {
	spec := haspec.Spec{Services: map[string]string{"vm:101": "n2", "ct:7": "n1"}, Rules: "r", Groups: "g",
		Datacenter: "d", Fence: "f", ManagerStatus: "m",
		Guests: map[string]haspec.Guest{"vm:101": {Cores: 2, MemoryMiB: 64, Lock: "backup"}}}
	files := spec.Files()
	require.Equal(t, haspec.File{Path: haproc.GuestPath("ct:7", "n1"), Text: "memory: 512\ncores: 1\n"},
		files[0])
	require.Equal(t, haspec.File{Path: haproc.GuestPath("vm:101", "n2"),
		Text: "memory: 64\ncores: 2\nlock: backup\n"}, files[1])
	require.Equal(t, []haspec.File{{Path: haproc.ManagerStatusPath, Text: "m"},
		{Path: haproc.DatacenterPath, Text: "d"},
		{Path: haproc.RulesPath, Text: "r"}, {Path: haproc.GroupsPath, Text: "g"},
		{Path: haproc.FenceAgentsPath}, {Path: haproc.FencePath, Text: "f"}},
		files[2:8])
	require.Len(t, files, 9)
	require.Equal(t, haproc.ResourcesPath, files[8].Path)
	require.Equal(t, 2, strings.Count(files[8].Text, "state started"))
	spec.Resources = "vm: 101\n"
	require.Equal(t, "vm: 101\n", spec.ResourcesText())
}

func TestServicesOfTheWholeRun(t *testing.T) {
	spec := haspec.Spec{Services: map[string]string{"vm:100": "n1"}, Commands: []haspec.Command{
		{On: "n1", Run: "create vm:101 n2 started"}, {On: "n1", Run: "remove vm:100"}}}
	require.True(t, spec.HasService("vm:100"))
	require.True(t, spec.HasService("vm:101"))
	require.False(t, spec.HasService("vm:102"))

	require.False(t, spec.EndsEmpty(), "vm:101 is left")
	spec.Commands = append(spec.Commands, haspec.Command{On: "n1", Run: "remove vm:101"})
	require.True(t, spec.EndsEmpty())
	spec.Commands = append(spec.Commands, haspec.Command{On: "n1", Run: "add vm:100"})
	require.False(t, spec.EndsEmpty())
	require.False(t, (&haspec.Spec{}).EndsEmpty(), "there were none to remove")
}

func TestServicesThatNeverStart(t *testing.T) {
	spec := haspec.Spec{Flaws: map[string]haspec.Flaw{
		"vm:1": {Starts: 1000}, "vm:2": {Starts: 999}, "vm:3": {Starts: 1000, On: []string{"n1"}}}}
	require.True(t, spec.NeverStarts("vm:1"))
	require.False(t, spec.NeverStarts("vm:2"))
	require.False(t, spec.NeverStarts("vm:3"), "another node may start it")
	require.False(t, spec.NeverStarts("vm:4"))
	require.Equal(t, resource.Flaw{Starts: 999}, spec.GuestFlaws().Of["vm:2"])
	require.Nil(t, (&haspec.Spec{}).GuestFlaws())
}

func TestGuestsOfAMachine(t *testing.T) {
	defaults := (&haspec.Spec{}).GuestOptions("n1", time.Minute, nil)
	require.Equal(t, resource.Use{MilliCPUs: 24_000, MemoryBytes: 128 << 30}, defaults.Has)
	require.False(t, defaults.Measured, "without guests or the dynamic scheduler loads interest no node")

	spec := haspec.Spec{
		Guests: map[string]haspec.Guest{"vm:100": {Load: []haspec.Load{
			{At: time.Second, CPUPercent: 250, MemoryMiB: 3}}}},
		Nodes: map[string]haspec.Node{"n1": {CPUs: 2, MemoryMiB: 5, IdleCPUPercent: 10,
			IdleMemoryMiB: 1}},
		GuestTimes: haspec.GuestTimes{Stop: time.Hour}, Migration: haspec.Migration{MiBPerSecond: 2}}
	o := spec.GuestOptions("n1", time.Minute, nil)
	require.Equal(t, resource.Use{MilliCPUs: 2000, MemoryBytes: 5 << 20}, o.Has)
	require.Equal(t, resource.Use{MilliCPUs: 100, MemoryBytes: 1 << 20}, o.Idle)
	require.Equal(t, []resource.LoadStep{{From: 61 * time.Second,
		Use: resource.Use{MilliCPUs: 2500, MemoryBytes: 3 << 20}}}, o.Loads["vm:100"])
	require.True(t, o.Measured)
	require.EqualValues(t, 2<<20, o.BytesPerSecond)
	require.Equal(t, defaults.StartTime, o.StartTime)
	require.Equal(t, time.Hour, o.StopTime)
	require.Equal(t, haproc.Info{CPUs: 2, MemoryBytes: 5 << 20}, spec.Self("n1"))
}

// TestPlacementIsTheInverseOfGuestPath for every id and node.
func TestPlacementIsTheInverseOfGuestPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sid := rapid.SampledFrom([]string{"vm", "ct", "process"}).Draw(t, "kind") + ":" +
			rapid.StringMatching(`[a-z0-9]{1,6}`).Draw(t, "name")
		node := rapid.StringMatching(`[a-z0-9]{1,6}`).Draw(t, "node")
		gotSID, gotNode := haspec.PlacementOf(haproc.GuestPath(sid, node))
		require.Equal(t, sid, gotSID)
		require.Equal(t, node, gotNode)
	})
	for _, other := range []string{"", "nodes/n1", haproc.ResourcesPath, "a/b/c/d", "nodes/n1/lrm_status"} {
		sid, node := haspec.PlacementOf(other)
		require.Empty(t, sid+node, other)
	}
}

func TestRequests(t *testing.T) {
	for _, kind := range haspec.RequestKinds() {
		require.True(t, haspec.IsRequest(kind))
	}
	require.False(t, haspec.IsRequest("read"))
	move := haspec.Request{Kind: haspec.RequestRelocate, SID: "vm:1", Node: "n2"}
	require.True(t, move.Moves())
	require.Equal(t, "relocate vm:1 n2", move.Line())
	start := haspec.Request{Kind: haspec.RequestStart, SID: "vm:1"}
	require.False(t, start.Moves())
	require.Equal(t, ha.WantStarted, start.Wants())
	require.Equal(t, ha.WantStopped, haspec.Request{Kind: haspec.RequestStop}.Wants())
}
