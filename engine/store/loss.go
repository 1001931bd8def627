package store

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// A decision never drops what enough disks have confirmed, as long as disks keep what they confirmed. If one
// was put back to an older state and no store that knew better was in the exchange, it can. The store that
// returns later with what was dropped cannot undo the epoch, whose changes were acknowledged as well. It
// keeps its own branch aside and reports it, so that an operator can put back what matters.

// keptFile is what a store keeps of its history when a decision drops a part of it: JSON.
type keptFile struct {
	Node  ring.NodeID `json:"node"`
	Epoch string      `json:"epoch"` // that dropped it
	From  uint64      `json:"from"`
	To    uint64      `json:"to"`
	// Confirmed is how many revisions, counted from From, enough votes had confirmed.
	Confirmed uint64      `json:"confirmed"`
	Log       []LogRecord `json:"log"`
	// Entries are the files and directories that these revisions changed, as they were at To. Contents
	// beyond maxKeptBytes in all are left out; then Incomplete is true.
	Entries    []EntryInfo `json:"entries"`
	Incomplete bool        `json:"incomplete,omitempty"`
}

const (
	// maxKeptBytes bounds the contents of one file that is kept, maxKeptFiles the number of such files.
	maxKeptBytes = 32 << 20
	maxKeptFiles = state.MaxLosses
)

// keepDropped keeps aside what this replica has and the state that replaces it has not, if enough votes had
// confirmed any of it. It must be called before the replacement becomes durable.
func (c *catchUp) keepDropped(by *state.Snapshot) error {
	replica := c.disk.replica
	dropped := replica.Dropped(by)
	if len(dropped) == 0 {
		return nil
	}
	confirmed := replica.ConfirmedPrefix(c.node(), replica.Memory, dropped)
	if confirmed == 0 {
		return nil // no client was told that these changes were done
	}
	kept := c.newKeptFile(dropped, confirmed)
	loss := state.Loss{AtMS: c.env.Wall().UnixMilli(), From: kept.From, To: kept.To, Confirmed: confirmed,
		Epoch: c.ring.id}
	if len(replica.Memory.Losses) < maxKeptFiles {
		loss.File = fmt.Sprintf("store/dropped-%s-%d.json", c.ring.id, kept.To)
		text, err := json.MarshalIndent(kept, "", "  ")
		if err != nil {
			panic("store: a log that cannot be written as JSON: " + err.Error())
		}
		if err := env.ReplaceFile(c.env.Disk(), loss.File, text); err != nil {
			return fmt.Errorf("keeping the changes that epoch %s drops: %w", c.ring.id, err)
		}
	}
	replica.Memory.AddLoss(loss)
	c.log.Error("critical: acknowledged changes are lost, because a disk was put back to an older state "+
		"while no node that knew better was there; this node keeps what it had of them", "from", loss.From,
		"to", loss.From+confirmed-1, "dropped_to", loss.To, "epoch", c.ring.id.String(), "file", loss.File)
	c.env.Probe("store/acknowledged-changes-dropped")
	c.env.Emit(Dropped{From: loss.From, To: loss.To, Confirmed: confirmed, Epoch: c.ring.id, File: loss.File})
	return nil
}

// newKeptFile makes what is kept of dropped changes.
func (c *catchUp) newKeptFile(dropped []state.LogEntry, confirmed uint64) *keptFile {
	k := &keptFile{Node: c.node(), Epoch: c.ring.id.String(), From: dropped[0].Revision,
		To: dropped[len(dropped)-1].Revision, Confirmed: confirmed, Log: []LogRecord{},
		Entries: []EntryInfo{}}
	seen, size := map[string]bool{}, 0
	for i := range dropped {
		e := &dropped[i]
		k.Log = append(k.Log, logRecordOf(e))
		for _, path := range [...]string{e.Path, e.To} {
			entry := c.disk.replica.Tree.Get(path)
			if seen[path] || entry == nil {
				continue
			}
			seen[path] = true
			if size += len(entry.Data); size > maxKeptBytes {
				k.Incomplete = true
			}
			k.Entries = append(k.Entries, infoOf(entry, size <= maxKeptBytes))
		}
	}
	return k
}
