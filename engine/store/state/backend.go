package state

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Batch is what a group of applied commands must leave on disk, in the order of the commands.
type Batch struct {
	Changes []tree.Change
	Log     []LogEntry
	Floor   uint64  // log entries at or below may be deleted
	Config  *Config // nil: unchanged
	Memory  *Memory // nil: unchanged
}

// Empty reports that there is nothing to persist.
func (b *Batch) Empty() bool { return len(b.Log) == 0 }

// Installation is a new epoch, and the state that comes with it where the replica did not have it.
type Installation struct {
	Epoch  ring.ID
	Config *Config // nil: unchanged
	// Replace reports that State is the whole state; otherwise it is what differs.
	Replace bool
	Drop    []uint64 // inodes; before Put
	Put     []tree.Entry
	Log     []LogEntry
	Floor   uint64
	Memory  *Memory // nil: unchanged
}

// Backend keeps a replica on disk. Every method is one transaction that is durable when it
// returns nil. After an error the backend must not be used any longer: what is on the disk is
// decided by the next opening.
type Backend interface {
	// Commit persists applied commands.
	Commit(b *Batch) error
	// Install persists an epoch together with its state. Example of why they are one transaction: of three
	// nodes, 1 and 2 have revision 10 of epoch 4 on disk, acknowledged, and node 3 revision 9. The three
	// form ring 8, which starts from revision 10. If node 3 made the epoch durable first and crashed before
	// the state, it would report "epoch 8, revision 9" in a later ring with node 1, which is still at epoch
	// 4. The highest epoch is the source, and revision 10 would be lost.
	Install(i *Installation) error
	// Remember persists a store's own memory.
	Remember(m *Memory) error
	// Renew gives the store another identity.
	Renew(inc Incarnation, m *Memory) error
	// Release gives the backend's memory back without touching the disk.
	Release()
}
