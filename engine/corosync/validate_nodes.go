package corosync

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// validateNodes checks the nodelist: ids, names and votes.
func (c *Config) validateNodes(f *findings) {
	if len(c.Nodes) == 0 && f.lostSection {
		return
	}
	if len(c.Nodes) == 0 {
		f.addError(c.nodelistLines.sectionLine,
			"add \"nodelist {\" with one \"node {\" section for each node: "+
				"name, nodeid, quorum_votes, ring0_addr", "the nodelist has no nodes")
		return
	}
	if len(c.Nodes) > MaxNodes {
		f.addError(c.nodelistLines.sectionLine, "split the cluster", "%d nodes; a ring has at most %d",
			len(c.Nodes), MaxNodes)
	}
	ids, names := map[ring.NodeID]int{}, map[string]int{}
	free := c.freeIDs()
	for i := range c.Nodes {
		n := &c.Nodes[i]
		first, again := ids[n.ID]
		switch {
		case n.ID == 0 && !n.hasKey("nodeid"):
			f.addRefusal(n.sectionLine, c.Transport() != "knet", fmt.Sprintf("add \"nodeid: %d\"", free(i)),
				"node %s has no nodeid", n.label())
		case n.ID == 0 && n.idRefused:
		case n.ID == 0:
			f.addRefusal(n.lineOf("nodeid"), c.Transport() != "knet",
				fmt.Sprintf("write a whole number from 1 up, for example %d", free(i)),
				"node %s has nodeid 0", n.label())
		case n.ID > maxKnetNodeID && c.Transport() == "knet":
			f.addError(n.lineOf("nodeid"), fmt.Sprintf("use 1 to %d, for example %d", maxKnetNodeID,
				free(i)),
				"node %s: nodeid %d is too large for transport knet", n.label(), n.ID)
		case n.ID != 0 && again:
			f.addError(n.lineOf("nodeid"), fmt.Sprintf("give it another one, for example %d", free(i)),
				"node %s has the same nodeid %d as the node at line %d", n.label(), n.ID, first)
		}
		if !again {
			ids[n.ID] = n.lineOf("nodeid")
		}
		c.validateName(f, n, names)
		if n.QuorumVotes.Set && n.QuorumVotes.Value == 0 {
			f.addWarning(n.lineOf("quorum_votes"), "set quorum_votes: 1, unless this is intended",
				"node %s has no vote", n.label())
		}
	}
	if c.NodeVotes() == 0 {
		f.addStricter(c.nodelistLines.sectionLine, "write \"quorum_votes: 1\" for every node",
			"no node has a vote, so the cluster can never be quorate")
	}
}

// validateName checks a node's name and that no other node has it.
func (c *Config) validateName(f *findings, n *Node, names map[string]int) {
	switch {
	case n.Name == "" && !n.hasKey("name") && len(c.Links()) > 1:
		f.addError(n.sectionLine, "add \"name: HOSTNAME\"",
			"node %s has no name; with several links every node needs one", n.label())
		return
	case n.Name == "" && !n.hasKey("name"):
		f.addWarning(n.sectionLine, "add \"name: HOSTNAME\"", "node %s has no name", n.label())
		return
	case n.Name == "":
		return
	case !isHostName(n.Name):
		f.addStricter(n.lineOf("name"), "use letters, digits, '-' and '.'", "%q is not a node name", n.Name)
	}
	if first, again := names[strings.ToLower(n.Name)]; again {
		f.addStricter(n.lineOf("name"), "give every node its own name",
			"node %d has the same name %q as the node at line %d", n.ID, n.Name, first)
		return
	}
	names[strings.ToLower(n.Name)] = n.lineOf("name")
}

// freeIDs returns a function that proposes a node id for the i-th node: the lowest that no node has, and
// another for each node.
func (c *Config) freeIDs() func(i int) ring.NodeID {
	proposed := map[int]ring.NodeID{}
	last := ring.NodeID(0)
	return func(i int) ring.NodeID {
		if id, again := proposed[i]; again {
			return id
		}
		last++
		for slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.ID == last }) {
			last++
		}
		proposed[i] = last
		return last
	}
}

// label names a node in messages by its name, id, address or line, whichever it has.
func (n *Node) label() string {
	switch {
	case n.Name != "":
		return fmt.Sprintf("%q", n.Name)
	case n.ID != 0:
		return fmt.Sprint(n.ID)
	case n.Addrs[0] != "":
		return n.Addrs[0]
	default:
		return fmt.Sprintf("at line %d", n.sectionLine)
	}
}

// validateAddresses checks each address, and that no two are the same.
func (c *Config) validateAddresses(f *findings) {
	type place struct {
		node *Node
		key  string
	}
	seen := map[string]place{}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if n.Addrs[0] == "" && !n.hasKey(ringKey(0)) {
			add := f.addError
			if n.Addrs == [MaxLinks]string{} && i > 0 {
				add = f.addStricter // Corosync passes over the node, and never reaches it
			}
			add(n.sectionLine, "add \"ring0_addr: ADDRESS\"", "node %s has no ring0_addr", n.label())
		}
		for link, addr := range n.Addrs {
			if addr == "" {
				continue
			}
			key := ringKey(link)
			if what, remedy := checkAddress(addr); what != "" {
				_, err := netip.ParseAddr(addr)
				short := strings.Trim(addr, "0123456789.") == "" && strings.Count(addr, ".") < 3
				f.addRefusal(n.lineOf(key), err == nil || short, remedy, "node %s: %s %q %s", n.label(), key,
					addr, what)
				continue
			}
			same := canonicalAddress(addr)
			if other, again := seen[same]; again {
				f.addStricter(n.lineOf(key), "every node needs its own address on every link",
					"node %s: %s %s is already %s of node %s at line %d", n.label(), key, addr,
					other.key, other.node.label(), other.node.lineOf(other.key))
				continue
			}
			seen[same] = place{n, key}
		}
	}
}

// validateLinks checks that all nodes have the same links, and that each link has one IP version.
func (c *Config) validateLinks(f *findings) {
	links := c.Links()
	if len(links) > 1 && c.Transport() != "knet" {
		f.addError(c.Totem.lineOf("transport"), "write \"transport: knet\", or keep ring0_addr only",
			"transport %s has one link, but the nodes have %d addresses each", c.Transport(), len(links))
	}
	for _, link := range links {
		key := ringKey(link)
		var v4, v6 *Node
		for i := range c.Nodes {
			n := &c.Nodes[i]
			if n.Addrs[link] == "" && link > 0 && !n.hasKey(key) {
				f.addError(n.sectionLine, fmt.Sprintf("add %s to it, or delete %s from every node", key, key),
					"node %s has no %s, but other nodes have one", n.label(), key)
				continue
			}
			a, err := netip.ParseAddr(n.Addrs[link])
			switch {
			case err != nil:
			case a.Is4():
				v4 = n
				c.checkVersion(f, n, key, "ipv4")
			default:
				v6 = n
				c.checkVersion(f, n, key, "ipv6")
			}
		}
		if v4 != nil && v6 != nil {
			f.addError(v6.lineOf(key), "use one IP version on all nodes of a link",
				"%s of node %s is IPv6 and that of node %s is IPv4", key, v6.label(), v4.label())
		}
	}
}

// checkVersion checks an address against totem.ip_version.
func (c *Config) checkVersion(f *findings, n *Node, key, version string) {
	want := c.Totem.IPVersion
	if (want == "ipv4" || want == "ipv6") && want != version {
		f.addError(n.lineOf(key), "change the address, or write \"ip_version: ipv4-6\"",
			"node %s: %s is %s, but totem.ip_version is %s", n.label(), key, version, want)
	}
}

// checkAddress accepts an IP address or a host name; otherwise what describes the text.
func checkAddress(addr string) (what, remedy string) {
	a, err := netip.ParseAddr(addr)
	switch {
	case err == nil && (a.IsUnspecified() || a.IsMulticast()):
		return "is not the address of one node", "write the address of the node on this link"
	case err == nil:
		return "", ""
	case isHostName(addr):
		return "", ""
	}
	if _, err := netip.ParsePrefix(addr); err == nil {
		return "is a network", "write the address without the part after '/'"
	}
	if _, err := netip.ParseAddrPort(addr); err == nil || strings.Count(addr, ":") == 1 {
		return "has a port", "write the address alone; the port is totem.interface.mcastport"
	}
	if strings.HasPrefix(addr, "[") {
		return "has brackets", "write the IPv6 address without them"
	}
	if strings.Trim(addr, "0123456789.") == "" {
		return "is not an IPv4 address", "write four numbers from 0 to 255 with dots between them"
	}
	return "is neither an IP address nor a host name", "write an address like 192.0.2.1, " +
		"2001:db8::1 or a host name"
}

// isHostName reports whether a name consists of letters, digits, '-' and '_' in parts with dots between
// them. A name of digits and dots alone is a mistyped IPv4 address.
func isHostName(name string) bool {
	if len(name) > 253 || strings.Trim(name, "0123456789.") == "" {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		if strings.ContainsAny(part, "./") || !isName(part) {
			return false
		}
	}
	return true
}

// canonicalAddress returns one spelling for all spellings of an address.
func canonicalAddress(addr string) string {
	if a, err := netip.ParseAddr(addr); err == nil {
		return a.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(addr, "."))
}
