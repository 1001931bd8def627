package quorum

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

func samples() []Message {
	id := ring.ID{Seq: 0x7b1, Rep: 1}
	return []Message{
		NodeInfo{Ring: id, Votes: 1, Expected: 5, Flags: Quorate | DeviceAlive, DeviceVotes: 1,
			Majority: Majority{Ring: id, Votes: 3, Tie: 2}, Waiting: true},
		NodeInfo{Expected: 1},
		Ready{Ring: id},
		Reconfigure{What: setExpected, Node: 3, Value: 7},
		Reconfigure{What: setVotes, Node: 3, Value: 0},
		Reconfigure{What: cancelWaitForAll, Node: 1},
		DeviceRegister{Register: true, Name: DeviceName},
		DeviceRegister{Name: strings.Repeat("x", maxDeviceName)},
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	for _, m := range samples() {
		b := Encode(m)
		got, err := Decode(b)
		require.NoError(t, err)
		require.Equal(t, m, got)
		for n := range len(b) {
			if _, isDevice := m.(DeviceRegister); !isDevice || n <= deviceBytes {
				_, err := Decode(b[:n])
				require.ErrorIs(t, err, ErrMalformed, "%T cut to %d bytes", m, n)
			}
		}
		if _, isDevice := m.(DeviceRegister); !isDevice {
			_, err = Decode(append(b, 0))
			require.ErrorIs(t, err, ErrMalformed, "%T with a byte too many", m)
		}
	}
	require.Equal(t, "quorate|qdevice-alive", (Quorate | DeviceAlive).String())
}

func TestDecodeRefuses(t *testing.T) {
	bad := func(m Message, at int, value byte) {
		b := Encode(m)
		b[at] = value
		_, err := Decode(b)
		require.ErrorIs(t, err, ErrMalformed, "%T byte %d = %d", m, at, value)
	}
	info := samples()[0]
	bad(info, 0, 2)                 // version
	bad(info, 1, 99)                // tag
	bad(info, 2+ringBytes+2, 1)     // votes
	bad(info, 2+ringBytes+7, 0x80)  // expected
	bad(info, 2+ringBytes+9, 1)     // flags
	bad(info, 2+ringBytes+15, 1)    // device votes
	bad(info, nodeInfoBytes-6, 255) // votes of the majority
	bad(info, nodeInfoBytes-1, 2)   // waiting
	bad(Reconfigure{What: setVotes, Node: 1}, 2, 4)
	bad(Reconfigure{What: setVotes, Node: 1}, 2, 0)
	bad(DeviceRegister{Name: "x"}, 2, 2)
	_, err := Decode(Encode(NodeInfo{}))
	require.ErrorIs(t, err, ErrMalformed, "nothing expected")
}

func TestDeliverRefuses(t *testing.T) {
	w := everyone(t, 3, nil)
	w.split(group(1, 2), group(3))
	m := w.voters[1]
	before := m.Status()
	_, err := m.Deliver(3, Encode(NodeInfo{Ring: m.ring, Votes: 9, Expected: 1, Flags: Quorate}))
	require.ErrorIs(t, err, ErrNotMember)
	_, err = m.Deliver(2, []byte("nonsense"))
	require.ErrorIs(t, err, ErrMalformed)
	out, err := m.Deliver(2, Encode(NodeInfo{Ring: ring.ID{Seq: 4, Rep: 1}, Votes: 9, Expected: 1}))
	require.NoError(t, err)
	require.Equal(t, Output{}, out, "what was sent for another ring does not count")
	require.Equal(t, before, m.Status())
	require.Panics(t, func() { m.StartRing(ring.ID{Seq: 100, Rep: 2}, group(2, 3)) })
	require.Panics(t, func() { m.StartRing(ring.ID{Seq: 100, Rep: 1}, group(2, 1)) })
}

func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(Encode(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		if !bytes.Equal(Encode(m), b) {
			t.Fatalf("%x decodes to %#v, which encodes to %x", b, m, Encode(m))
		}
	})
}

// FuzzDeliver feeds arbitrary messages from a member to a node in the middle of a sync and after.
func FuzzDeliver(f *testing.F) {
	for _, m := range samples() {
		f.Add(Encode(m), uint8(2), true)
		f.Add(Encode(m), uint8(1), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, from uint8, syncing bool) {
		w := newWorld(t, 3, func(c *Config) { c.WaitForAll, c.TrackExpected = true, true })
		w.form(1, 2, 3)
		if syncing {
			w.start(1, 2, 3)
		}
		m := w.voters[1]
		// Most fuzzed rings would be ignored; let them be this one.
		if len(b) >= 2+ringBytes {
			b = append(appendRing(bytes.Clone(b[:2]), m.ring), b[2+ringBytes:]...)
		}
		out, err := m.Deliver(ring.NodeID(from), b)
		w.do(1, out, nil)
		w.settle()
		v := m.Decision()
		if err != nil && !syncing {
			require.Equal(t, uint32(3), v.Votes)
		}
		if v.Quorate && !m.Syncing() {
			require.GreaterOrEqual(t, v.Votes, v.Quorum)
			require.Greater(t, 2*v.Quorum, v.Expected)
		}
	})
}

func TestFromCorosync(t *testing.T) {
	text := `totem {
  version: 2
  cluster_name: t
  config_version: 1
}
nodelist {
  node {
    nodeid: 1
    name: a
    ring0_addr: 10.0.0.1
  }
  node {
    nodeid: 2
    name: b
    ring0_addr: 10.0.0.2
    quorum_votes: 2
  }
  node {
    nodeid: 3
    name: c
    ring0_addr: 10.0.0.3
  }
}
quorum {
  provider: corosync_votequorum
  auto_tie_breaker: 1
  auto_tie_breaker_node: 3 1
  allow_downscale: 1
}
`
	c, _, err := corosync.Parse("corosync.conf", []byte(text))
	require.NoError(t, err)
	timers, err := corosync.DeriveTimers(c)
	require.NoError(t, err)
	cfg, err := FromCorosync(c, timers, 2)
	require.NoError(t, err)
	require.Equal(t, Config{Self: 2, Votes: 2, ExpectedVotes: 4, NodeVotes: 4, Nodes: 3, TieBreaker: TieList,
		TieBreakerList: group(3, 1), AllowDownscale: true, TrackExpected: true,
		LastManStandingWindow: timers.LastManStandingWindow, DeviceTimeout: timers.DeviceTimeout,
		DeviceSyncTimeout: timers.DeviceSyncTimeout}, cfg)
	require.Equal(t, Config{Self: 2, Votes: 2, ExpectedVotes: 4, NodeVotes: 4, Nodes: 3}, cfg.Plain())
	more, fewer, device := cfg, cfg, cfg
	more.ExpectedVotes, fewer.ExpectedVotes, device.ExpectedVotes, device.Device = 7, 2, 7, true
	require.Equal(t, uint32(7), more.Plain().ExpectedVotes)
	require.Equal(t, uint32(4), fewer.Plain().ExpectedVotes)
	require.Equal(t, uint32(4), device.Plain().ExpectedVotes)
	_, err = FromCorosync(c, timers, 4)
	require.ErrorIs(t, err, ErrConfig)
}

func TestConfigRefuses(t *testing.T) {
	good := Config{Self: 1, Votes: 1, ExpectedVotes: 5, NodeVotes: 5, Nodes: 5}
	for name, edit := range map[string]func(*Config){
		"no id":            func(c *Config) { c.Self = 0 },
		"nothing expected": func(c *Config) { c.ExpectedVotes = 0 },
		"too many votes":   func(c *Config) { c.Votes = maxVotes + 1 },
		"two_node":         func(c *Config) { c.TwoNode, c.Device, c.DeviceVotes = true, true, 1 },
		"lms":              func(c *Config) { c.LastManStanding, c.Device, c.DeviceVotes = true, true, 1 },
		"atb": func(c *Config) {
			c.TieBreaker, c.WaitForAll, c.Device, c.DeviceVotes = TieLowest, true, true, 1
		},
		"downscale":       func(c *Config) { c.AllowDownscale, c.Device, c.DeviceVotes = true, true, 1 },
		"device votes":    func(c *Config) { c.Device, c.ExpectedGiven, c.DeviceVotes = true, true, 4 },
		"odd atb and lms": func(c *Config) { c.TieBreaker, c.LastManStanding = TieLowest, true },
		"empty list":      func(c *Config) { c.TieBreaker, c.WaitForAll = TieList, true },
	} {
		c := good
		edit(&c)
		_, _, err := New(c)
		require.ErrorIs(t, err, ErrConfig, name)
	}
	_, _, err := New(good)
	require.NoError(t, err)
}
