package corosync

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Setting is a setting in force, for comparing the files of two nodes.
type Setting struct{ Name, Value string }

// SettingsThatMustBeEqual returns the settings that must be the same on every node of a cluster, in force
// rather than as written, sorted by name: the nodelist, the timers of the ring, the rules of quorum, the
// name and version of the file. Logging and what concerns one node alone may differ.
func (c *Config) SettingsThatMustBeEqual() []Setting {
	t, d, q := &c.Totem, c.deriveTimers(), &c.Quorum
	var list []Setting
	add := func(name string, value any) { list = append(list, Setting{name, fmt.Sprint(value)}) }
	add("totem.cluster_name", c.Name())
	add("totem.config_version", t.ConfigVersion.Value)
	add("totem.transport", c.Transport())
	for _, b := range d.allTimers() {
		if b.key != "" && b.key != "max_network_delay" && b.key != "downcheck" {
			add("totem."+b.key, fmt.Sprint(b.value.Milliseconds(), " ms"))
		}
	}
	add("totem.send_join", fmt.Sprint(d.SendJoin.Milliseconds(), " ms"))
	add("totem.window_size", d.WindowSize)
	add("totem.max_messages", d.MaxMessages)
	add("totem.netmtu", t.NetMTU.Value)
	if t.Relays() != (&Totem{}).Relays() {
		add("totem.relay", t.Relay)
	}
	for _, l := range d.Links {
		add(fmt.Sprintf("totem.interface %d mcastport", l.Link), l.Port)
	}
	add("quorum.expected_votes", c.ExpectedVotes())
	for _, o := range []struct {
		key string
		on  bool
	}{
		{"two_node", q.TwoNode.Value},
		{"wait_for_all", c.waitForAll()},
		{"last_man_standing", q.LastManStanding.Value},
		{"auto_tie_breaker", q.AutoTieBreaker.Value},
		{"allow_downscale", q.AllowDownscale.Value},
		{"expected_votes_tracking", q.ExpectedVotesTracking.Value},
	} {
		add("quorum."+o.key, o.on)
	}
	add("quorum.auto_tie_breaker_node", q.AutoTieBreakerNode)
	add("quorum.device", c.deviceText())
	for _, n := range c.Nodes {
		add(fmt.Sprintf("nodelist.node %d", n.ID), n.equalText())
	}
	slices.SortFunc(list, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// deviceText describes the quorum device.
func (c *Config) deviceText() string {
	d := c.Quorum.Device
	if d == nil || d.Model == "" {
		return "none"
	}
	text := fmt.Sprintf("%s, %d votes", d.Model, c.DeviceVotes())
	if d.Net != nil {
		text += ", " + d.Net.Algorithm + " at " + d.Net.Host
	}
	return text
}

// equalText describes a node.
func (n *Node) equalText() string {
	parts := []string{n.Name, fmt.Sprintf("%d votes", n.Votes())}
	for _, a := range n.Addrs {
		if a != "" {
			parts = append(parts, a)
		}
	}
	return strings.Join(parts, ", ")
}
