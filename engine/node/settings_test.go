package node

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
)

// statusOf asks a node's cluster process for its status.
func statusOf(t *testing.T, w *envtest.World, p *envtest.Proc, input string) ClusterStatus {
	t.Helper()
	var s ClusterStatus
	answered := false
	w.OnComplete = func(_ *envtest.Proc, _ env.OpID, output []byte) {
		answered = true
		require.NoError(t, json.Unmarshal(output, &s))
	}
	w.Invoke(p, 1, []byte(input))
	w.RunFor(time.Millisecond)
	require.True(t, answered)
	return s
}

// TestNodesWithOtherFilesSaySo: a node with another token timeout, another version of the file and other
// votes joins, and every node names the difference, until the file is corrected.
func TestNodesWithOtherFilesSaySo(t *testing.T) {
	w := envtest.New()
	procs := map[int]*envtest.Proc{}
	start := func(m int, edit func(string) string) {
		o := options(t, m)
		conf, _, err := corosync.Parse("corosync.conf", []byte(edit(threeNodes)))
		require.NoError(t, err)
		o.Cluster, o.Quiet = conf, true
		processes, err := Compose(o)
		require.NoError(t, err)
		procs[m], err = w.Start(o.Machine, processes[0].Name, processes[0].New())
		require.NoError(t, err)
	}
	same := func(s string) string { return s }
	start(0, same)
	start(1, same)
	start(2, func(s string) string {
		return strings.Replace(strings.Replace(s, "config_version: 1", "config_version: 2\n  token: 4000", 1),
			"nodeid: 2\n    quorum_votes: 1", "nodeid: 2\n    quorum_votes: 3", 1)
	})
	w.RunFor(20 * time.Second)
	for m := range 2 {
		s := statusOf(t, w, procs[m], OpStatus)
		require.True(t, s.Quorate)
		var names []string
		for _, d := range s.Differences {
			require.EqualValues(t, 3, d.Node)
			names = append(names, d.Setting)
		}
		require.Equal(t, []string{"nodelist.node 2", "quorum.expected_votes", "totem.config_version",
			"totem.consensus", "totem.hold", "totem.token", "totem.token_retransmit"}, names)
		require.Equal(t, "nodelist.node 2 is b, 1 votes, 198.18.0.2 here and is b, 3 votes, 198.18.0.2 on "+
			"node 3", s.Differences[0].String())
	}
	require.Len(t, statusOf(t, w, procs[2], OpStatus).Differences, 14, "it differs from both others")
	require.Contains(t, statusOf(t, w, procs[0], "stauts").Error, `no operation "stauts"`)

	w.Kill(procs[2])
	w.RunFor(20 * time.Second)
	require.Empty(t, statusOf(t, w, procs[0], OpStatus).Differences, "it has gone")
	start(2, same)
	w.RunFor(20 * time.Second)
	for m := range 3 {
		require.Empty(t, statusOf(t, w, procs[m], OpStatus).Differences)
	}
}

func TestTheTimescaleMustBeEqual(t *testing.T) {
	o := options(t, 0)
	plain := settingsThatMustBeEqual(o)
	o.Timescale = timescale.Ratio{Num: 1, Den: 4}
	d := compareSettings(2, plain, settingsThatMustBeEqual(o))
	require.Equal(t, []Difference{{Node: 2, Setting: "timescale", There: "1/4"}}, d)
	require.Equal(t, "timescale is not set here and is 1/4 on node 2", d[0].String())
}

func TestSettingsOnTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringN(0, 20, -1), 0, 30, rapid.ID[string]).Draw(t, "names")
		var list []corosync.Setting
		for _, n := range names {
			list = append(list, corosync.Setting{Name: n, Value: rapid.StringN(0, 40, -1).Draw(t, "value")})
		}
		sortSettings(list)
		got, err := decodeSettings(encodeSettings(list))
		require.NoError(t, err)
		require.Equal(t, list, got)
	})
}

func FuzzSettings(f *testing.F) {
	f.Add(encodeSettings([]corosync.Setting{{Name: "a", Value: "1"}, {Name: "b", Value: ""}}))
	f.Add([]byte{1, 0, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := decodeSettings(data)
		if err != nil {
			require.ErrorIs(t, err, errSettings)
			return
		}
		require.Equal(t, data, encodeSettings(list), "only what encode writes is accepted")
	})
}

// TestLimitationsAreLogged: what the file asks for in vain is in the log of every start.
func TestLimitationsAreLogged(t *testing.T) {
	o := options(t, 0)
	conf, _, err := corosync.Parse("corosync.conf", []byte(strings.Replace(threeNodes, "provider",
		"wait_for_all: 1\n  provider", 1)))
	require.NoError(t, err)
	o.Cluster = conf
	processes, err := Compose(o)
	require.NoError(t, err)
	w := envtest.New()
	p, err := w.Start(env.MachineID(0), processes[0].Name, processes[0].New())
	require.NoError(t, err)
	s := statusOf(t, w, p, OpStatus)
	require.Len(t, s.NotCarriedOut, 1)
	require.Contains(t, s.NotCarriedOut[0], "quorum.wait_for_all (line 27) is not carried out")
}
