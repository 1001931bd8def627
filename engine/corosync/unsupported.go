package corosync

import (
	"fmt"
	"slices"
	"strings"
)

// Limitation is a setting of a file that the engine reads and checks, and does not carry out.
type Limitation struct {
	Option string // "quorum.two_node"
	Line   int    // 0 if it was not read from a file
	Effect string // what happens instead
	// Minor is set if neither membership nor quorum depends on the setting: a run of the engine still shows
	// what the cluster of the file would do.
	Minor bool
}

// String returns the limitation on one line.
func (l Limitation) String() string {
	where := l.Option
	if l.Line > 0 {
		where = fmt.Sprintf("%s (line %d)", l.Option, l.Line)
	}
	return fmt.Sprintf("%s is not carried out: %s", where, l.Effect)
}

// Unsupported returns the settings of the file that the engine does not carry out. Without the options of
// quorum a plain majority of the node votes decides, which never makes two disjoint sides quorate, so running
// without them is safe. The program that starts the engine must report them, and a report about a run must
// say that the run was without them.
func (c *Config) Unsupported() []Limitation {
	return slices.Concat(c.unsupportedQuorum(), c.unsupportedLinks(), c.unsupportedTotem(),
		c.unsupportedSections())
}

// unsupportedQuorum returns what the section quorum asks for in vain.
func (c *Config) unsupportedQuorum() []Limitation {
	q := &c.Quorum
	var list []Limitation
	add := func(on bool, key, effect string) {
		if on {
			list = append(list, Limitation{Option: "quorum." + key, Line: q.lineOf(key), Effect: effect})
		}
	}
	add(q.ExpectedVotes.Set && q.ExpectedVotes.Value < c.NodeVotes(), "expected_votes",
		"the votes of the nodelist are expected, which is more")
	needed := "both nodes are needed for quorum"
	if len(c.Nodes) != 2 {
		needed = "a majority of the votes is needed for quorum"
	}
	add(q.TwoNode.Value, "two_node", needed)
	add(c.waitForAll(), "wait_for_all", "a majority is quorate also right after the start")
	add(q.LastManStanding.Value, "last_man_standing", "expected votes stay as they are when nodes leave")
	add(q.AutoTieBreaker.Value, "auto_tie_breaker", "half of the votes is never quorate")
	add(q.AllowDownscale.Value, "allow_downscale", "expected votes stay as they are when nodes leave")
	add(q.ExpectedVotesTracking.Value, "expected_votes_tracking",
		"the highest expected votes are forgotten at a restart")
	if d := q.Device; d != nil && d.Model != "" {
		list = append(list, Limitation{Option: "quorum.device", Line: d.sectionLine,
			Effect: "the device has no vote; the nodes alone decide"})
	}
	return list
}

// unsupportedLinks returns the settings of links that have no effect.
func (c *Config) unsupportedLinks() []Limitation {
	var list []Limitation
	links := c.Links()
	if len(links) > 1 {
		key := ringKey(links[1])
		list = append(list, Limitation{Option: "nodelist.node." + key, Line: c.Nodes[0].lineOf(key),
			Effect: fmt.Sprintf("%d links are configured, only link %d is used", len(links), links[0])})
	}
	for i := range c.Totem.Interfaces {
		in := &c.Totem.Interfaces[i]
		minor := func(on bool, key, effect string) {
			if on {
				list = append(list, Limitation{Option: "totem.interface." + key, Line: in.lineOf(key),
					Effect: effect, Minor: true})
			}
		}
		const notProbed = "links are not probed; only a lost token shows that a node is away"
		minor(in.PingIntervalMs.Value > 0, "knet_ping_interval", notProbed)
		minor(in.PingTimeoutMs.Value > 0, "knet_ping_timeout", notProbed)
		minor(in.PongCount.Value > 0, "knet_pong_count", notProbed)
		minor(in.KnetTransport == "sctp", "knet_transport", "packets are sent with UDP")
		minor(in.McastAddr != "", "mcastaddr", "packets are sent to each node, not to a group")
		minor(in.Broadcast == "yes", "broadcast", "packets are sent to each node, not to all at once")
		minor(in.TTL.Set && in.TTL.Value != 1, "ttl", "packets have the system's usual time to live")
	}
	return list
}

// leastMTUBytes is the smallest packet size that the engine's ring accepts.
const leastMTUBytes = 512

// unsupportedTotem returns what the section totem asks for in vain, except for its interfaces.
func (c *Config) unsupportedTotem() []Limitation {
	t := &c.Totem
	var list []Limitation
	add := func(on, minor bool, key, effect string) {
		if on {
			list = append(list, Limitation{Option: "totem." + key, Line: t.lineOf(key), Effect: effect,
				Minor: minor})
		}
	}
	add(t.HeartbeatFailures.Value > 0, false, "heartbeat_failures_allowed",
		"there are no heartbeats; only a lost token shows that a node is away")
	add(t.BlockUnlistedIPs == "no", false, "block_unlisted_ips", "packets of unknown nodes are refused")
	add(t.CancelHoldOnRetrans == "yes", true, "cancel_token_hold_on_retransmit",
		"a held token is not hurried on by a retransmission")
	add(t.DowncheckMs.Value > 0 && t.DowncheckMs.Value != defaultDowncheckMs, true, "downcheck",
		"interfaces are not looked at")
	add(t.Transport == "udp" || t.Transport == "udpu", true, "transport",
		"packets are sealed and sent to each node")
	const sealed = "every packet is sealed with the cluster's key all the same"
	add(t.SecAuth == "off", true, "secauth", sealed)
	add(t.SecAuth != "off" && t.CryptoCipher == "none", true, "crypto_cipher", sealed)
	const ownCipher = "packets are sealed with a cipher of the engine's own"
	add(strings.HasPrefix(t.CryptoCipher, "aes"), true, "crypto_cipher", ownCipher)
	add(t.CryptoHash != "" && t.CryptoHash != "none", true, "crypto_hash", ownCipher)
	const compression = "knet_compression_model"
	compressed := slices.ContainsFunc(t.Extra, func(e Entry) bool { return e.Name == compression })
	add(compressed, true, compression, "packets are not compressed")
	add(t.NetMTU.Value > 0 && t.NetMTU.Value < leastMTUBytes, true, "netmtu",
		fmt.Sprintf("packets have up to %d bytes", leastMTUBytes))
	add(t.KnetMTU.Value > 0, true, "knet_mtu", "totem.netmtu bounds the packets")
	add(t.IPDSCP.Value > 0, true, "ip_dscp", "packets have no class of service")
	add(t.KeyFile != "", true, "keyfile", "the key is the file authkey beside this one")
	add(t.Key != "", true, "key", "the key is the file authkey beside this one")
	return list
}

// unsupportedSections returns the settings of other sections that have no effect.
func (c *Config) unsupportedSections() []Limitation {
	var list []Limitation
	for _, e := range c.Extra {
		if e.Section {
			list = append(list, Limitation{Option: e.Name, Line: e.line, Minor: true,
				Effect: "the section has no meaning here"})
		}
	}
	l := &c.Logging
	add := func(on bool, key, effect string) {
		if on {
			list = append(list, Limitation{Option: "logging." + key, Line: l.lineOf(key), Effect: effect,
				Minor: true})
		}
	}
	const toStderr = "all lines go to the standard error output, for the service manager to keep"
	add(l.ToLogfile == "yes" || l.ToLogfile == "on", "to_logfile", toStderr)
	add(l.Logfile != "" && l.ToLogfile == "", "logfile", toStderr)
	add(l.Debug == "on" || l.Debug == "trace", "debug", "write \"debug\": true into the machine file")
	return list
}
