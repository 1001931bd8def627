package timeline

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// policyNote is where Proxmox VE would have answered differently in a run.
func policyNote(r *scenarios.Run) string {
	const policy = "Proxmox VE acknowledges a write once the local node has applied it. "
	early := countEarlyAcknowledged(r)
	if early == 0 {
		return policy + "In this run that would have made no difference: no write was durable on only one " +
			"machine for longer than a millisecond."
	}
	return fmt.Sprintf(policy+"In this run %d writes were durable on only one machine for longer "+
		"than a millisecond: had that machine died then, Proxmox VE would have lost them after saying yes.",
		early)
}

// countEarlyAcknowledged counts the changes that one node alone had on disk for more than a millisecond
// before a second one had them too.
func countEarlyAcknowledged(r *scenarios.Run) int {
	first := map[uint64]scenarios.Stamped{}
	second := map[uint64]bool{}
	count := 0
	for _, rec := range r.Records {
		a, ok := rec.Record.(store.Applied)
		if !ok || second[a.Revision] {
			continue
		}
		at, seen := first[a.Revision]
		if !seen {
			first[a.Revision] = rec
			continue
		}
		if at.Machine == rec.Machine {
			continue // emitted again after a restart
		}
		second[a.Revision] = true
		if rec.At-at.At > time.Millisecond {
			count++
		}
	}
	return count
}
