package corosync

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// NewCluster describes the one-node cluster that pvecm create makes.
type NewCluster struct {
	Name               string
	Node               string      // name of the first node
	NodeID             ring.NodeID // 0 means 1
	Votes              uint32      // 0 means 1
	Links              []Link      // at least link 0
	TokenCoefficientMs uint32      // 125 in Proxmox VE 9.1 and later; written as it is
}

// Link is one address of a new node.
type Link struct {
	Number   int
	Addr     string
	Priority uint32 // 0 = not written
}

// Create returns the configuration of a new cluster: version 2 of the format, config_version 1,
// encryption on, links in passive mode. It refuses what Validate refuses, and names longer than a new
// cluster may have, with ErrInvalid.
func Create(n NewCluster) (*Config, error) {
	if n.Name == "" || len(n.Name) > pveClusterNameBytes || !isHostName(n.Name) {
		return nil, fmt.Errorf("creating cluster %q: %w: the name needs 1 to %d letters, digits or '-'",
			n.Name, ErrInvalid, pveClusterNameBytes)
	}
	node := Node{ID: max(n.NodeID, 1), Name: n.Node, QuorumVotes: Some(max(n.Votes, 1))}
	c := &Config{
		File: "corosync.conf",
		Totem: Totem{
			Version: Some[uint32](2), ClusterName: n.Name, ConfigVersion: Some[uint64](1),
			IPVersion: "ipv4-6", LinkMode: "passive", SecAuth: "on",
			TokenCoefficientMs: Some(n.TokenCoefficientMs),
		},
		Quorum:  Quorum{Provider: "corosync_votequorum"},
		Logging: Logging{Debug: "off", ToSyslog: "yes"},
	}
	for _, l := range n.Links {
		if l.Number < 0 || l.Number >= MaxLinks || node.Addrs[l.Number] != "" {
			return nil, fmt.Errorf("creating cluster %q: %w: link %d; use each of 0 to %d at most once",
				n.Name, ErrInvalid, l.Number, MaxLinks-1)
		}
		node.Addrs[l.Number] = l.Addr
		in := Interface{LinkNumber: Some(uint32(l.Number))}
		if l.Priority > 0 {
			in.LinkPriority = Some(l.Priority)
		}
		c.Totem.Interfaces = append(c.Totem.Interfaces, in)
	}
	c.Nodes = []Node{node}
	if _, err := c.Validate(); err != nil {
		return nil, fmt.Errorf("creating cluster %q: %w", n.Name, err)
	}
	return c, nil
}
