package node

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

const threeNodes = `totem {
  version: 2
  cluster_name: t
  config_version: 1
  secauth: on
}
nodelist {
  node { 
    name: a
    nodeid: 1
    quorum_votes: 1
    ring0_addr: 198.18.0.1
  }
  node {
    name: b
    nodeid: 2
    quorum_votes: 1
    ring0_addr: 198.18.0.2
  }
  node {
    nodeid: 3
    quorum_votes: 1
    ring0_addr: 198.18.0.3
  }
}
quorum {
  provider: corosync_votequorum
}
`

func options(t *testing.T, machine int) Options {
	conf, _, err := corosync.Parse("corosync.conf", []byte(threeNodes))
	require.NoError(t, err)
	return Options{Cluster: conf, Machine: env.MachineID(machine), Key: bytes.Repeat([]byte{7}, 128)}
}

func names(processes []Process) (out []string) {
	for _, p := range processes {
		out = append(out, p.Name)
	}
	return out
}

func TestWhatANodeRuns(t *testing.T) {
	o := options(t, 0)
	processes, err := Compose(o)
	require.NoError(t, err)
	require.Equal(t, []string{"cluster", "store"}, names(processes), "without HA nothing of it is there")
	o.HA = &HA{Guests: resource.DefaultGuests()}
	processes, err = Compose(o)
	require.NoError(t, err)
	require.Subset(t, names(processes), []string{"cluster", "store", "watchdog", "status", "guests", "lrm",
		"crm"})
	require.Less(t, index(processes, "watchdog"), index(processes, "lrm"),
		"what resets the machine is there before what is guarded")
	o.HA.Commands = &resource.Commands{Default: []string{"/bin/true"}}
	processes, err = Compose(o)
	require.NoError(t, err)
	require.NotContains(t, names(processes), "guests", "programs take their place")
	for _, p := range processes {
		require.NotNil(t, p.New())
		require.NotSame(t, p.New(), p.New(), "each start makes it anew")
		require.Positive(t, p.Restart)
	}
}

func index(processes []Process, name string) int {
	for i, p := range processes {
		if p.Name == name {
			return i
		}
	}
	return -1
}

func TestWhatCannotBeComposedIsRefused(t *testing.T) {
	o := options(t, 3)
	_, err := Compose(o)
	require.ErrorIs(t, err, ErrOptions, "there is no fourth node")
	o = options(t, 0)
	o.Key = nil
	_, err = Compose(o)
	require.ErrorIs(t, err, ErrOptions)
	o = options(t, 0)
	o.HA, o.Timescale = &HA{}, timescale.Ratio{Num: 1, Den: timescale.Max}
	_, err = Compose(o)
	require.Error(t, err, "timers that short leave no margin")
}

func TestANodeWithoutANameIsCalledByItsID(t *testing.T) {
	o := options(t, 2)
	require.Equal(t, "a", nodeName(o.Cluster, 0))
	require.Equal(t, "node3", nodeName(o.Cluster, 2))
}

func TestScaledTimersDoNotBecomeTooShort(t *testing.T) {
	one := scaledStoreTimers(timescale.Ratio{Num: 1, Den: 1})
	half := scaledStoreTimers(timescale.Ratio{Num: 1, Den: 2})
	require.Equal(t, one.OperationTimeout/2, half.OperationTimeout)
	tiny := scaledStoreTimers(timescale.Ratio{Num: 1, Den: 1_000_000})
	require.Equal(t, minStoreTimer, tiny.ReportWait)
}

// What is composed is a cluster: its machines form one ring that is quorate, and go on without one.
func TestComposedNodesFormAQuorateRing(t *testing.T) {
	w := envtest.New()
	quorate := map[env.MachineID]QuorumView{}
	w.OnRecord = func(p *envtest.Proc, r env.Record) {
		if v, ok := r.(QuorumView); ok {
			quorate[p.Self().Machine] = v
		}
	}
	var procs [3][]*envtest.Proc
	for m := range 3 {
		o := options(t, m)
		o.Quiet = true
		processes, err := Compose(o)
		require.NoError(t, err)
		proc, err := w.Start(o.Machine, processes[0].Name, processes[0].New())
		require.NoError(t, err)
		procs[m] = append(procs[m], proc)
	}
	w.RunFor(20 * time.Second)
	for m, v := range quorate {
		require.True(t, v.Quorate, "machine %d", m)
		require.Len(t, v.Members, 3)
		require.EqualValues(t, 2, v.Quorum)
	}
	require.Len(t, quorate, 3)
	w.Kill(procs[2][0])
	w.RunFor(30 * time.Second)
	require.True(t, quorate[0].Quorate)
	require.Len(t, quorate[0].Members, 2)
	w.Kill(procs[1][0])
	w.RunFor(30 * time.Second)
	require.False(t, quorate[0].Quorate, "one of three is no majority")
}
