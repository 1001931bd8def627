package main

import (
	"fmt"

	enginenode "github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// notesOf returns what an operator must know beside the quorum: why there is none, why votequorum and the
// store differ, what of the configuration is not carried out, and what other nodes have in their files.
func notesOf(s *store.Status, c *enginenode.ClusterStatus) []string {
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
