package corosync

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

func TestTypedValues(t *testing.T) {
	c, warnings, err := Parse("corosync.conf", []byte(`
totem {
  version: 2
  cluster_name: typed
  config_version: 18446744073709551615
  token: 4000
  interface {
    linknumber: 1
    knet_link_priority: 7
    mcastport: 6001
  }
}
nodelist {
  node {
    nodeid: 10
    name: ten
    ring0_addr: fe80::10
    ring1_addr: 10.0.0.10
  }
  node {
    nodeid: 4
    name: four
    quorum_votes: 3
    ring0_addr: fe80::4
    ring1_addr: 10.0.0.4
  }
}
quorum {
  provider: corosync_votequorum
  wait_for_all: 0
  made_up: yes
  device {
    model: net
    votes: 1
    net {
      host: arbiter.example
      algorithm: lms
    }
    heuristics {
      mode: sync
      exec_ping: /usr/bin/ping -q -c 1 "www.example.org"
    }
  }
}
`))
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	require.Equal(t, 31, warnings[0].Line)
	require.Equal(t, uint64(18446744073709551615), c.Totem.ConfigVersion.Value)
	require.Equal(t, uint32(4000), c.Totem.TokenMs.Value)
	require.Equal(t, []ring.NodeID{4, 10}, c.NodeIDs())
	require.Equal(t, []int{0, 1}, c.Links())
	require.Equal(t, uint32(4), c.NodeVotes())
	require.Equal(t, uint32(1), c.DeviceVotes())
	require.Equal(t, Opt[bool]{Value: false, Set: true}, c.Quorum.WaitForAll)
	require.Equal(t, "arbiter.example", c.Quorum.Device.Net.Host)
	require.Equal(t, "made_up", c.Quorum.Extra[0].Name)
	require.Equal(t, "heuristics", c.Quorum.Device.Extra[0].Name)
	four, ok := c.Node(4)
	require.True(t, ok)
	require.Equal(t, "10.0.0.4", four.Addrs[1])
	ten, ok := c.NodeByName("ten")
	require.True(t, ok)
	require.Equal(t, ring.NodeID(10), ten.ID)
	timers, err := DeriveTimers(c)
	require.NoError(t, err)
	require.Equal(t, uint16(5405), timers.Links[0].Port)
	require.Equal(t, uint16(6001), timers.Links[1].Port)
	require.Equal(t, uint8(7), timers.Links[1].Priority)
	var options []string
	for _, l := range c.Unsupported() {
		options = append(options, l.Option)
	}
	require.Equal(t, []string{"quorum.device", "nodelist.node.ring1_addr"}, options)
	checkRoundTrip(t, c)
}

func TestSizes(t *testing.T) {
	for _, n := range []int{1, 32, MaxNodes} {
		c, warnings, err := Parse("corosync.conf", cluster(n).Format())
		require.NoError(t, err)
		require.Empty(t, warnings)
		require.Len(t, c.Nodes, n)
	}
	_, _, err := Parse("corosync.conf", cluster(MaxNodes+1).Format())
	require.ErrorContains(t, err, "385 nodes; a ring has at most 384")

	c := cluster(3)
	for i := range c.Nodes {
		for link := range MaxLinks {
			c.Nodes[i].Addrs[link] = fmt.Sprintf("10.%d.0.%d", link, i+1)
		}
	}
	_, err = c.Validate()
	require.NoError(t, err)
	c.Totem.Transport = "udpu"
	_, err = c.Validate()
	require.ErrorContains(t, err, "transport udpu has one link")

	c = cluster(2)
	c.Totem.ClusterName = strings.Repeat("x", 16)
	warnings, err := c.Validate()
	require.NoError(t, err)
	require.Contains(t, warnings.String(), "16 characters")
	c.Totem.ClusterName = strings.Repeat("x", 256)
	_, err = c.Validate()
	require.ErrorIs(t, err, ErrInvalid)

	c = cluster(2)
	c.Nodes[1].ID = 65536
	_, err = c.Validate()
	require.ErrorContains(t, err, "too large for transport knet")
	c.Totem.Transport = "udpu"
	_, err = c.Validate()
	require.NoError(t, err)
}

func TestErrorsAreBounded(t *testing.T) {
	_, _, err := Parse("corosync.conf", []byte(strings.Repeat("nonsense\n", 1000)))
	var problems *Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems.List, maxProblems)
	require.Equal(t, 1000-maxProblems, problems.Dropped)
	require.ErrorContains(t, err, "and 950 more")

	_, warnings, _ := Parse("corosync.conf", []byte(strings.Repeat("foo: bar\n", 1000)))
	require.LessOrEqual(t, len(warnings), maxProblems)

	_, _, err = Parse("corosync.conf", []byte(strings.Repeat("a {\n", 100000)))
	require.ErrorContains(t, err, "nested more than 8 deep")
	_, _, err = Parse("corosync.conf", make([]byte, maxFileBytes+1))
	require.ErrorContains(t, err, "more than 1048576")
	_, _, err = Parse("corosync.conf", []byte("totem {\nkey: "+strings.Repeat("x", 600)+"\n}\n"))
	require.ErrorContains(t, err, "corosync.conf:2: the line has")
}

func TestDuplicateAddressesInOtherSpelling(t *testing.T) {
	for _, pair := range [][2]string{
		{"2001:db8::1", "2001:DB8:0::1"}, {"10.0.0.1", "::ffff:10.0.0.1"}, {"Host.example", "host.example."},
	} {
		c := cluster(2)
		c.Nodes[0].Addrs[0], c.Nodes[1].Addrs[0] = pair[0], pair[1]
		_, err := c.Validate()
		require.ErrorContains(t, err, "is already ring0_addr", pair)
	}
	c := cluster(2)
	c.Nodes[0].Addrs[1], c.Nodes[1].Addrs[1] = c.Nodes[0].Addrs[0], "10.9.9.9"
	_, err := c.Validate()
	require.ErrorContains(t, err, "is already ring0_addr", "two links of one node")
}

func TestNearest(t *testing.T) {
	known := keyNames(totemKeys)
	for name, want := range map[string]string{
		"tokn": "token", "Token": "token", "consensuss": "consensus", "clustername": "cluster_name",
		"confg_verison": "config_version", "intreface": "", "fail_to_recv_const": "", "xyz": "",
		"token_retransmits_before_loss": "",
	} {
		require.Equal(t, want, nearestKey(name, known), name)
	}
	require.Equal(t, 1, editDistance("ab", "ba"))
	require.Equal(t, 2, editDistance("token", "tkn"))
}

func TestCreate(t *testing.T) {
	c, err := Create(NewCluster{Name: "lab", Node: "pve1", TokenCoefficientMs: 125,
		Links: []Link{{Number: 0, Addr: "10.0.0.1", Priority: 20}, {Number: 1, Addr: "10.1.0.1"}}})
	require.NoError(t, err)
	checkRoundTrip(t, c)
	require.Equal(t, `logging {
  debug: off
  to_syslog: yes
}

nodelist {
  node {
    name: pve1
    nodeid: 1
    quorum_votes: 1
    ring0_addr: 10.0.0.1
    ring1_addr: 10.1.0.1
  }
}

quorum {
  provider: corosync_votequorum
}

totem {
  cluster_name: lab
  config_version: 1
  interface {
    knet_link_priority: 20
    linknumber: 0
  }
  interface {
    linknumber: 1
  }
  ip_version: ipv4-6
  link_mode: passive
  secauth: on
  token_coefficient: 125
  version: 2
}
`, c.String())
	for _, bad := range []NewCluster{
		{Name: "", Node: "a", Links: []Link{{Addr: "10.0.0.1"}}},
		{Name: "sixteen-letters-", Node: "a", Links: []Link{{Addr: "10.0.0.1"}}},
		{Name: "lab", Node: "a"},
		{Name: "lab", Node: "a", Links: []Link{{Addr: "10.0.0.1"}, {Addr: "10.0.0.2"}}},
		{Name: "lab", Node: "a", Links: []Link{{Number: 8, Addr: "10.0.0.1"}}},
	} {
		_, err := Create(bad)
		require.ErrorIs(t, err, ErrInvalid, "%+v", bad)
	}
}

// TestForbiddenCombinations walks every combination of the quorum options with and without a
// device and compares with the table of votequorum(5), and with what Corosync 3.1.7 does where
// auto_tie_breaker is switched off before the device is looked at.
func TestForbiddenCombinations(t *testing.T) {
	for bits := range 1 << 7 {
		on := func(i int) bool { return bits>>i&1 == 1 }
		c := cluster(4 + bits&1)
		q := &c.Quorum
		if on(1) {
			q.TwoNode = Some(true)
		}
		if on(2) {
			q.WaitForAll = Some(true)
		}
		if on(3) {
			q.LastManStanding = Some(true)
		}
		if on(4) {
			q.AutoTieBreaker = Some(true)
		}
		if on(5) {
			q.AllowDownscale = Some(true)
		}
		if on(6) {
			q.Device = &Device{Model: "net", VoteCount: Some[uint32](1), Net: &DeviceNet{Host: "10.9.9.9"}}
		}
		odd, device := on(0), on(6)
		tieOff := on(4) && odd && !on(2) && !on(1)
		bad := device && (on(1) || on(3) || on(4) && !tieOff || on(5)) || tieOff && on(3)
		_, err := c.Validate()
		require.Equal(t, bad, err != nil, "two_node=%v wait_for_all=%v lms=%v atb=%v downscale=%v device=%v "+
			"odd=%v: %v", on(1), on(2), on(3), on(4), on(5), device, odd, err)
	}
}

// TestRandomConfigsRoundTrip writes arbitrary typed configurations and reads them back.
func TestRandomConfigsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := cluster(rapid.IntRange(1, 9).Draw(t, "nodes"))
		num := func(name string, lo, hi uint32) Opt[uint32] {
			if !rapid.Bool().Draw(t, name+" set") {
				return Opt[uint32]{}
			}
			return Some(rapid.Uint32Range(lo, hi).Draw(t, name))
		}
		flag := func(name string) Opt[bool] {
			return [...]Opt[bool]{{}, Some(false), Some(true)}[rapid.IntRange(0, 2).Draw(t, name)]
		}
		c.Totem.TokenMs = num("token", 1000, 10000)
		c.Totem.TokenCoefficientMs = num("coefficient", 0, 1000)
		c.Totem.JoinMs = num("join", 30, 1000)
		c.Totem.SendJoinMs = num("send_join", 0, 100)
		c.Totem.WindowSize = num("window", 0, 300)
		c.Totem.LinkMode = rapid.SampledFrom([]string{"", "passive", "active", "rr"}).Draw(t, "mode")
		c.Totem.SecAuth = rapid.SampledFrom([]string{"", "on", "off"}).Draw(t, "secauth")
		c.Quorum.TwoNode, c.Quorum.WaitForAll = flag("two_node"), flag("wait_for_all")
		c.Quorum.AllowDownscale, c.Quorum.ExpectedVotesTracking = flag("downscale"), flag("tracking")
		for i := range c.Nodes {
			c.Nodes[i].QuorumVotes = num("votes", 1, 3)
			c.Nodes[i].Extra = []Entry{{Name: "site",
				Value: rapid.StringMatching(`[a-z]([a-z :#"]*[a-z])?`).Draw(t, "site")}}
		}
		text := c.Format()
		again, _, err := Parse("corosync.conf", text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, withoutLines(c), withoutLines(again))
	})
}
