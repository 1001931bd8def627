package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	enginenode "github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// clusterStatus asks the node's cluster process for its status; nil if that process does not run or has no
// answer. The store's status then shows that the node has no quorum.
func clusterStatus(ctx context.Context, a *api) *enginenode.ClusterStatus {
	body, err := a.Call(ctx, http.MethodPost, hostapi.PathOp+cpg.Process, []byte(enginenode.OpStatus))
	if err != nil {
		return nil
	}
	var s enginenode.ClusterStatus
	if json.Unmarshal(body, &s) != nil || s.Error != "" {
		return nil
	}
	return &s
}

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
	return notes
}
