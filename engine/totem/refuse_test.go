package totem_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// TestRefusedPacketsAreCountedAndSeldomLogged floods a node with what it must not take.
func TestRefusedPacketsAreCountedAndSeldomLogged(t *testing.T) {
	c := newCluster(t, 3)
	var log bytes.Buffer
	c.w.Logger = func(p *envtest.Proc) *slog.Logger {
		if p.Self().Machine != 0 {
			return slog.New(slog.DiscardHandler)
		}
		return slog.New(slog.NewTextHandler(&log, nil))
	}
	var last []byte
	c.w.Deliver = func(from, to env.MachineID, _ string, payload []byte) bool {
		if from == 1 && to == 0 {
			last = bytes.Clone(payload)
		}
		return true
	}
	c.bootAll()
	c.w.RunFor(2 * time.Second)
	log.Reset()
	ringBefore := c.procs[0].node.Ring()
	stranger, err := wire.NewSealer(bytes.Repeat([]byte{1}, 32), 2, wire.Boot{Count: 9})
	require.NoError(t, err)
	altered := bytes.Clone(last)
	altered[len(altered)-1]++
	for range 1000 {
		c.procs[0].Step(env.Received{From: 1, Payload: last}) // a replay
		c.procs[0].Step(env.Received{From: 1, Payload: altered})
		c.procs[0].Step(env.Received{From: 1, Payload: stranger.Seal(nil, []byte{3})})
		c.procs[0].Step(env.Received{From: 1, Payload: []byte("noise")})
		c.procs[0].Step(env.Received{From: 1})
	}
	c.w.RunFor(time.Second)
	refused := c.procs[0].node.Stats().Refused
	require.Equal(t, uint64(3000), refused.Foreign)
	require.Equal(t, uint64(2000), refused.Replayed, "the altered one carries a counter that was seen")
	require.Equal(t, []RefusedFrom{{Node: 2, Foreign: 3000, Replayed: 2000}},
		c.procs[0].node.Stats().RefusedFrom, "by the address, whatever the packets say")
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("packet refused")))
	require.Equal(t, ringBefore, c.procs[0].node.Ring())
	require.True(t, c.oneRing(0, 1, 2))
}

// TestMalformedBehindTheSeal: with the key and without sense.
func TestMalformedBehindTheSeal(t *testing.T) {
	c := newCluster(t, 2)
	c.bootAll()
	c.w.RunFor(2 * time.Second)
	liar, err := wire.NewSealer(testKey, 2, wire.Boot{Count: 1 << 40})
	require.NoError(t, err)
	before := c.procs[0].node.Ring()
	bad := [][]byte{{}, {0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {255}, make([]byte, 300),
		bytes.Repeat([]byte{255}, 90)}
	for _, m := range bad {
		c.procs[0].Step(env.Received{From: 1, Payload: liar.Seal(nil, m)})
	}
	require.Equal(t, uint64(len(bad)), c.procs[0].node.Stats().Malformed)
	require.Equal(t, []RefusedFrom{{Node: 2, Malformed: uint64(len(bad))}}, c.procs[0].node.Stats().RefusedFrom)
	require.Equal(t, before, c.procs[0].node.Ring())
	require.Equal(t, Operational, c.procs[0].node.State())
}

func TestRecordsKeepTheirContentInFiles(t *testing.T) {
	id := ring.ID{Seq: 8, Rep: 1}
	for _, r := range []env.Record{
		&Started{Node: 1, Boot: 2, RingSeq: 4, Fresh: true},
		&Membership{Node: 1, Kind: cpg.Regular, Ring: id, Members: []ring.NodeID{1, 2}},
		&Sent{Node: 1, Ring: id, Ordinal: 3, Guarantee: cpg.Safe, Digest: 1<<63 + 1},
		&Delivered{Node: 1, Ring: id, Ordinal: 3, From: 2, Guarantee: cpg.Safe, Transitional: true,
			Digest: 7},
		&StateChange{Node: 1, From: Gather, To: Commit, Reason: "commit token"},
	} {
		text, err := json.Marshal(r)
		require.NoError(t, err)
		var back env.Record
		switch r.(type) {
		case *Started:
			back = &Started{}
		case *Membership:
			back = &Membership{}
		case *Sent:
			back = &Sent{}
		case *Delivered:
			back = &Delivered{}
		case *StateChange:
			back = &StateChange{}
		}
		require.NoError(t, json.Unmarshal(text, back))
		require.Equal(t, r, back)
	}
}
