package corosync

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// validate checks what the keys mean together. Each rule reports at the line to change.
func (c *Config) validate(f *findings) {
	c.validateTotem(f)
	c.validateCrypto(f)
	c.validateInterfaces(f)
	c.validateNodes(f)
	c.validateAddresses(f)
	c.validateLinks(f)
	c.validateTimers(f)
	c.validateQuorum(f)
	c.validateDevice(f)
	c.validateSystem(f)
}

// validateTotem checks format version, names and transport.
func (c *Config) validateTotem(f *findings) {
	t := &c.Totem
	switch {
	case t.sectionLine == 0 && f.lostSection:
		return
	case t.sectionLine == 0 && !t.Version.Set && c.File != "":
		f.addError(0, "add \"totem {\", \"version: 2\", \"}\"", "section totem is missing")
	case !t.Version.Set && !t.hasKey("version"):
		f.addError(t.sectionLine, "add \"version: 2\" to section totem", "totem.version is missing")
	case t.Version.Set && t.Version.Value != 2:
		f.addError(t.lineOf("version"), "write \"version: 2\"",
			"totem.version is %d; the only version of this file format is 2", t.Version.Value)
	}
	name := t.ClusterName
	switch {
	case name == "" && !t.hasKey("cluster_name"):
		f.addWarning(t.sectionLine, "add \"cluster_name: NAME\" to section totem", "the cluster has no name")
	case strings.ContainsAny(name, " \t"):
		f.addStricter(t.lineOf("cluster_name"), "use letters, digits and '-'",
			"totem.cluster_name %q contains white space", name)
	case len(name) > MaxClusterNameBytes:
		f.addStricter(t.lineOf("cluster_name"), fmt.Sprintf("use at most %d characters", pveClusterNameBytes),
			"totem.cluster_name has %d characters, more than %d", len(name), MaxClusterNameBytes)
	case len(name) > pveClusterNameBytes:
		f.addWarning(t.lineOf("cluster_name"), "keep it; a running cluster should not be renamed",
			"totem.cluster_name has %d characters, more than the %d that Proxmox VE allows in a new cluster",
			len(name), pveClusterNameBytes)
	}
	if !t.ConfigVersion.Set && !t.hasKey("config_version") {
		f.addWarning(t.sectionLine, "add \"config_version: 1\" and raise it with every change",
			"totem.config_version is missing, so an outdated file cannot be told from a new one")
	}
	c.validateMulticast(f)
}

// validateMulticast checks mcastaddr, and that transport udp has such an address: written, derived from the
// name of the cluster, or replaced by broadcast.
func (c *Config) validateMulticast(f *findings) {
	in := c.linkSettings(0)
	if _, err := netip.ParseAddr(in.McastAddr); in.McastAddr != "" && err != nil {
		f.addError(c.linkLine(0, "mcastaddr"), "write an address like 239.192.0.1, or delete the line",
			"totem.interface.mcastaddr %q is no address", in.McastAddr)
		return
	}
	if c.Transport() != "udp" {
		return
	}
	switch {
	case in.Broadcast == "yes":
	case in.McastAddr == "" && c.Totem.ClusterName == "" && !c.Totem.hasKey("cluster_name"):
		f.addError(c.Totem.lineOf("transport"), "add \"cluster_name: NAME\", from which one follows, or "+
			"write \"transport: knet\"", "totem.transport udp has no multicast address")
	case in.McastAddr != "":
		if !netip.MustParseAddr(in.McastAddr).IsMulticast() {
			f.addError(c.linkLine(0, "mcastaddr"), "write an address like 239.192.0.1",
				"totem.interface.mcastaddr %q is not a multicast address", in.McastAddr)
		}
	}
}

// validateCrypto checks which encryption settings go together.
func (c *Config) validateCrypto(f *findings) {
	t := &c.Totem
	cipher, hash := t.CryptoCipher, t.CryptoHash
	if cipher == "" && t.SecAuth == "on" {
		cipher = "aes256"
	}
	if hash == "" && t.SecAuth == "on" {
		hash = "sha256"
	}
	encrypts := cipher != "" && cipher != "none"
	hashes := hash != "" && hash != "none"
	if encrypts && !hashes {
		f.addError(t.lineOf("crypto_cipher"), "write \"crypto_hash: sha256\", or use \"secauth: on\" alone",
			"totem.crypto_cipher %s without a crypto_hash", cipher)
	}
	if (encrypts || hashes) && c.Transport() != "knet" {
		f.addError(t.lineOf("transport"), "write \"transport: knet\", or turn encryption off with "+
			"\"secauth: off\"", "totem.transport %s cannot encrypt; only knet can", c.Transport())
	}
}

// validateInterfaces checks the interface sections against the links of the nodes.
func (c *Config) validateInterfaces(f *findings) {
	seen := map[uint32]int{}
	used := map[uint32]bool{}
	for _, link := range c.Links() {
		used[uint32(link)] = true
	}
	for i := range c.Totem.Interfaces {
		in := &c.Totem.Interfaces[i]
		link := in.LinkNumber.Or(0)
		line := in.lineOf("linknumber")
		if n, ok := in.ringNumber(); ok && n != fmt.Sprint(link) {
			f.addWarning(in.lineOf("ringnumber"), fmt.Sprintf("write \"linknumber: %s\"", n),
				"totem.interface with ringnumber %s applies to link %d", n, link)
		}
		first, again := seen[link]
		switch {
		case link >= MaxLinks:
			f.addRefusal(line, len(in.keyLines) == 1, fmt.Sprintf("write a number from 0 to %d", MaxLinks-1),
				"totem.interface: link %d; there are at most %d links", link, MaxLinks)
			continue
		case again:
			f.addWarning(line, "give every interface section its own linknumber",
				"totem.interface: link %d has a second section (the first is at line %d); where both have a "+
					"key, the last one counts", link, first)
		case len(c.Nodes) > 0 && !used[link] && c.Transport() != "udp" && in.hasSettings():
			f.addError(line, fmt.Sprintf("delete the section, or add %s to every node", ringKey(int(link))),
				"totem.interface: link %d has settings, but no node has an address on it", link)
		case len(c.Nodes) > 0 && !used[link]:
			f.addWarning(line, fmt.Sprintf("delete the section, or add %s to every node", ringKey(int(link))),
				"totem.interface: link %d is configured, but no node has an address on it", link)
		}
		seen[link] = line
		if (in.PingIntervalMs.Set) != (in.PingTimeoutMs.Set) {
			f.addWarning(in.sectionLine, "write both knet_ping_interval and knet_ping_timeout, or neither",
				"totem.interface: link %d sets one of two settings that belong together", link)
		}
		if !again {
			c.validateLinkTransport(f, int(link), used[link])
		}
		if in.LinkPriority.Set && in.LinkPriority.Value == 0 {
			f.addWarning(in.lineOf("knet_link_priority"), "write 1 to 255; the highest number is preferred",
				"totem.interface: priority 0 of link %d counts as 1", link)
		}
	}
}

// validateLinkTransport checks the settings that only some transports have. Corosync takes their defaults for
// absent.
func (c *Config) validateLinkTransport(f *findings, link int, used bool) {
	in := c.linkSettings(link)
	if c.Transport() != "udp" && in.TTL.Set && in.TTL.Value != 1 {
		f.addError(c.linkLine(link, "ttl"), "delete the line",
			"totem.interface.ttl is for transport udp, not for %s", c.Transport())
	}
	if c.Transport() != "knet" && used && in.LinkPriority.Value > 1 {
		f.addError(c.linkLine(link, "knet_link_priority"), "delete the line",
			"totem.interface.knet_link_priority is for transport knet, not for %s", c.Transport())
	}
}

// linkLine returns the line of the last key of that name among the sections of a link.
func (c *Config) linkLine(link int, key string) int {
	line := c.interfaceLine(link)
	for _, in := range c.Totem.Interfaces {
		if in.LinkNumber.Or(0) == uint32(link) && in.hasKey(key) {
			line = in.lineOf(key)
		}
	}
	return line
}

// hasSettings reports whether the section sets anything for its link.
func (in *Interface) hasSettings() bool {
	return slices.ContainsFunc(interfaceKeys, func(k key[Interface]) bool {
		return k.ignoredReason == "" && k.name != "linknumber" && in.hasKey(k.name)
	})
}

// ringNumber returns what the section has as ringnumber, the name of linknumber before Corosync 3.
func (in *Interface) ringNumber() (string, bool) {
	i := slices.IndexFunc(in.Extra, func(e Entry) bool { return !e.Section && e.Name == "ringnumber" })
	if i < 0 {
		return "", false
	}
	return in.Extra[i].Value, true
}

// validateTimers reports timers below their floor at the key that sets them, or at the key from which
// they are derived.
func (c *Config) validateTimers(f *findings) {
	t := &c.Totem
	line := func(keys ...string) int {
		for _, k := range keys {
			if t.hasKey(k) {
				return t.lineOf(k)
			}
		}
		return t.sectionLine
	}
	timers := c.deriveTimers()
	for _, b := range timers.tooShort() {
		if b.key != "token" && timers.Token < minTimeout && !t.hasKey(b.key) {
			continue // follows from the token timeout, which was reported
		}
		f.addError(line(b.key, "token"), b.remedyFor(), "totem.%s is %d ms, less than the minimum of %d ms",
			b.key, b.value.Milliseconds(), b.floor().Milliseconds())
	}
	switch {
	case timers.Token < minTimeout:
		return
	case timers.Consensus < timers.Join:
		f.addError(line("consensus", "join", "token"), "raise consensus (1.2 times the token timeout is "+
			"usual) or lower join",
			"totem.consensus is %d ms, less than totem.join with %d ms",
			timers.Consensus.Milliseconds(), timers.Join.Milliseconds())
	case timers.Consensus < timers.Token:
		f.addWarning(line("consensus"), "delete the line to get 1.2 times the token timeout",
			"totem.consensus is %d ms, less than the token timeout of %d ms that %d nodes lead to",
			timers.Consensus.Milliseconds(), timers.Token.Milliseconds(), len(c.Nodes))
	}
	if timers.TokenRetransmit >= timers.Token {
		f.addStricter(line("token_retransmit"), "delete the line, or write less than the token timeout",
			"totem.token_retransmit is %d ms, not less than the token timeout of %d ms",
			timers.TokenRetransmit.Milliseconds(), timers.Token.Milliseconds())
	} else if timers.Hold > timers.TokenRetransmit {
		f.addWarning(line("hold"), "delete the line, or write less than token_retransmit",
			"totem.hold is %d ms, more than totem.token_retransmit with %d ms: every held token is resent",
			timers.Hold.Milliseconds(), timers.TokenRetransmit.Milliseconds())
	}
	for _, l := range timers.Links {
		const remedy = "delete knet_ping_interval and knet_ping_timeout; they follow from the token timeout"
		if l.PingInterval < minPing {
			f.addStricter(c.interfaceLine(l.Link), remedy, "totem.interface: link %d pings every %d ms",
				l.Link, l.PingInterval.Milliseconds())
		} else if l.PingTimeout < l.PingInterval {
			f.addWarning(c.interfaceLine(l.Link), remedy,
				"totem.interface: link %d pings every %d ms with a timeout of %d ms", l.Link,
				l.PingInterval.Milliseconds(), l.PingTimeout.Milliseconds())
		}
	}
}

// interfaceLine returns the line of the interface section of a link, or of the totem section.
func (c *Config) interfaceLine(link int) int {
	for _, in := range c.Totem.Interfaces {
		if in.LinkNumber.Or(0) == uint32(link) {
			return in.sectionLine
		}
	}
	return c.Totem.sectionLine
}
