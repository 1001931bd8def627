// Package notes has what an operator must know beside the quorum of a cluster.
//
// Package notes never asks a node: the status of the store and of the ring are arguments.
package notes

import (
	"fmt"

	enginenode "github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// Of returns the notes: why there is no quorum; why votequorum and the
// store differ, what of the configuration is not carried out, and what other nodes have in their files.
func Of(s *store.Status, c *enginenode.ClusterStatus) []string {
	var notes []string
	if s != nil && !s.Quorate {
		switch {
		case s.Difference != "" && s.Votes != nil:
			notes = append(notes, fmt.Sprintf("votequorum has quorum (%d of %d expected votes, %d needed), "+
				"the store has none: %s", s.Votes.Votes, s.Votes.Expected, s.Votes.Needed, s.Difference))
		case s.Reason != "":
			notes = append(notes, s.Reason)
		}
	}
	if c == nil {
		return notes
	}
	for _, l := range c.NotCarriedOut {
		notes = append(notes, "corosync.conf: "+l)
	}
	for _, d := range c.Differences {
		notes = append(notes, "corosync.conf differs between nodes: "+d.String())
	}
	for _, r := range c.Relayed {
		notes = append(notes, r.String())
	}
	return notes
}
