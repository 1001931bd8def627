package haproc

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha"
)

func TestMarginFollowsFromTheTimers(t *testing.T) {
	o := Options{}
	require.Equal(t, 49*time.Second, o.Margin(), "120 s of a lock less 60 + 1 + 10 s of the watchdog")
	require.NoError(t, o.Check())
	o.Timescale = timescale.Ratio{Num: 1, Den: 10}
	require.Equal(t, 4900*time.Millisecond, o.Margin())
	require.NoError(t, o.Check())
}

func TestHomeIsWhereTheConfigurationLies(t *testing.T) {
	nodes := []Node{{1, "n1"}, {2, "n2"}}
	services := map[string]*ha.ServiceConfig{"vm:100": {}, "ct:101": {}, "proc:web": {}, "vm:999": {}}
	present := map[string]bool{"nodes/n2/qemu-server/100.conf": true, "nodes/n1/lxc/101.conf": true,
		"nodes/n2/proc/web.conf": true, "nodes/n1/qemu-server/101.conf": true}
	require.Equal(t, []string{"vm:999"}, placeServices(services, nodes, present))
	require.Len(t, services, 3)
	require.Equal(t, "n2", services["vm:100"].Node)
	require.Equal(t, "n1", services["ct:101"].Node)
	require.Equal(t, "n2", services["proc:web"].Node)
}

func TestLeftLocksGoAndOthersStay(t *testing.T) {
	without, name := withoutLock([]byte("cores: 2\nlock: backup\nmemory: 512\n"))
	require.Equal(t, "backup", name)
	require.Equal(t, "cores: 2\nmemory: 512\n", string(without))
	without, name = withoutLock([]byte("lock: create\n"))
	require.Empty(t, name)
	require.Nil(t, without)
	_, name = withoutLock([]byte("cores: 2\n[snapshot]\nlock: backup\n"))
	require.Empty(t, name, "a snapshot's lines are not the guest's")
}

// TestScaledTimesAreWrittenAsTimesOfDay: a clock that runs faster does not look like a wrong clock.
func TestScaledTimesAreWrittenAsTimesOfDay(t *testing.T) {
	c := core{opts: Options{Timescale: timescale.Ratio{Num: 1, Den: 20}}, startWall: 1_000_000}
	require.EqualValues(t, 1_000_100, c.toWallSeconds(1_002_000), "2000 s of its own are 100 s of the day")
	require.EqualValues(t, 1_002_000, c.fromWallSeconds(1_000_100))
	require.EqualValues(t, 999_900, c.fromWallSeconds(999_995), "written before this process started")
	require.Zero(t, c.toWallSeconds(0))
	require.Zero(t, c.fromWallSeconds(0))
	c.opts = Options{}
	require.EqualValues(t, 1_002_000, c.toWallSeconds(1_002_000))
	require.EqualValues(t, 1_002_000, c.fromWallSeconds(1_002_000))
}

func TestCommandsOfABatchAreToldApart(t *testing.T) {
	got := parseBatch(batchPrefix+"ab12", []string{"stop vm:1 0", "stop vm:1 0", "dance"})
	stop := ha.Command{UID: "ab12/0", Verb: ha.CommandStop, SID: "vm:1", Line: "stop vm:1 0"}
	again := stop
	again.UID = "ab12/1"
	require.Equal(t, []ha.Command{stop, again, {UID: "ab12/2", Line: "dance"}}, got)
}

// FuzzDropLock: what is dropped is one line with a lock that may be left behind, and nothing else.
func FuzzDropLock(f *testing.F) {
	f.Add([]byte("cores: 2\nlock: backup\nmemory: 512\n"))
	f.Add([]byte("lock: create\n"))
	f.Add([]byte("[snapshot]\nlock: backup"))
	f.Add([]byte("lock: backup\nlock: backup\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		without, name := withoutLock(data)
		if name == "" {
			require.Nil(t, without)
			return
		}
		require.Contains(t, removableLocks, name)
		before := slices.Collect(strings.Lines(string(data)))
		after := slices.Collect(strings.Lines(string(without)))
		require.Len(t, after, len(before)-1)
		i := 0
		for i < len(after) && after[i] == before[i] {
			i++
		}
		require.True(t, strings.HasPrefix(before[i], "lock:"))
		require.Equal(t, before[i+1:], after[i:])
	})
}

// FuzzInfo reads what a node published about itself.
func FuzzInfo(f *testing.F) {
	f.Add([]byte(`{"version":"9.1.0","cpus":4,"memory_bytes":1e9}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := decodeInfo("n1", data)
		if err != nil {
			require.ErrorContains(t, err, VersionPath("n1"))
			return
		}
		again, err := json.Marshal(info)
		require.NoError(t, err)
		same, err := decodeInfo("n1", again)
		require.NoError(t, err)
		require.Equal(t, info, same)
	})
}
